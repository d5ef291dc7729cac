"""``responder runbooks``: write, list, show, check and run runbooks."""

from collections.abc import Mapping

import click

from responder.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "new": ("responder.cli.runbooks.new:new", "Write a runbook from the template, filled with what rules know."),
    "list": ("responder.cli.runbooks.list:list_them", "List the runbooks, with urgency and age."),
    "show": ("responder.cli.runbooks.show:show", "Print a runbook or one of its sections."),
    "report": ("responder.cli.runbooks.report:report", "Report on coverage, and stale, orphaned and unused runbooks."),
    "lint": ("responder.cli.runbooks.lint:lint", "Print all problems of runbooks."),
    "run": ("responder.cli.runbooks.run:run", "Run the read-only steps of a runbook."),
    "drill": ("responder.cli.runbooks.drill:drill", "Run the read-only steps against stand-ins."),
}


@click.group(cls=LazyGroup, known=_COMMANDS)
def runbooks() -> None:
    """Write, list, show, check and run runbooks."""
