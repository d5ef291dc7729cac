"""How a command ends when it cannot do its work: every reason on standard error, and a status for scripts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from responder.model.problem import InvalidRules
from responder.model.text import number_of
from responder.settings import InvalidSettings

FAILED = 1
"""What was checked is not right, or the work could not be done."""
MISUSED = 2
"""The command line is wrong, or a file it names cannot be read."""


class FatalError(Exception):
    """The command cannot go on; the text says why and what to do."""


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Turn the failures we have names for into messages and an exit status; all others are bugs and stay tracebacks."""
    from responder.store.backends.errors import StoreError

    try:
        yield
    except InvalidSettings as error:
        _end([f"error: {problem}" for problem in error.problems])
    except InvalidRules as error:
        count = number_of(len(error.problems), "problem")
        _end([*(str(problem) for problem in error.problems), f"error: {count} in the rules"])
    except (FatalError, StoreError) as error:
        _end([f"error: {error}"])


def _end(lines: list[str]) -> None:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(FAILED)
