"""``responder runbooks``: write, list, show and check runbooks."""

from collections.abc import Mapping

import click

from responder.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "lint": ("responder.cli.runbooks.lint:lint", "Print all problems of runbooks."),
}


@click.group(cls=LazyGroup, known=_COMMANDS)
def runbooks() -> None:
    """Write, list, show and check runbooks."""
