"""Failure of commands: all reasons on standard error, and an exit status for scripts."""

import contextlib
import sys
from collections.abc import Iterator

import click

from responder.model.problem import InvalidRules
from responder.model.text import number_of
from responder.settings import InvalidSettings

#: Exit status: a check found a problem, or the command failed.
FAILED = 1
#: Exit status: wrong command line, or a file it names cannot be read.
MISUSED = 2


class FatalError(Exception):
    """Failure that ends a command; the text says why and what to do."""


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Turn expected failures into messages and an exit status; any other exception is a bug and stays a traceback."""
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
