"""Rule files read by a process of its own: the memory and the modules that takes end with it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO

from responder.model.problem import BadRules
from responder.model.rule import RuleBook

READ_SECONDS = 60.0
"""How long reading may take: ten thousand rules take two seconds."""


class NotRead(OSError):
    """The rule files could not be read, for a reason that is none of the rules'."""


class Reading:
    """A process that reads the rule files, begun at once: whoever wants the rules can do something else meanwhile."""

    def __init__(self, statement: str, *arguments: str, env: Mapping[str, str]) -> None:
        """``statement`` is Python that calls ``tell`` with standard output; it finds ``arguments`` in ``sys.argv``."""
        self._process = subprocess.Popen(  # noqa: S603 - this Python, and a statement of ours
            [sys.executable, "-P", "-c", statement, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=env,
        )

    def book(self, seconds: float = READ_SECONDS) -> RuleBook:
        """The rule book, once. Raises BadRules with every problem at once, and NotRead."""
        try:
            said, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise NotRead(f"reading the rule files took longer than {seconds:g} s") from None
        if self._process.returncode:
            raise NotRead(f"the process that reads the rule files ended with status {self._process.returncode}")
        found = pickle.loads(said)  # noqa: S301 - of a process that we started
        if isinstance(found, RuleBook):
            return found
        raise NotRead(found) if isinstance(found, str) else BadRules(found)


def tell(read: Callable[[], RuleBook], to: BinaryIO) -> None:
    """Write what ``read`` returns, or the problems that it raises: the other end of ``Reading``."""
    said: object
    try:
        said = read()
    except BadRules as error:
        said = error.problems
    except OSError as error:
        said = str(error)
    pickle.dump(said, to)
