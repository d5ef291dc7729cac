"""``responder rules``: check, explain and test the rule files."""

from collections.abc import Mapping

import click

from responder.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": ("responder.cli.rules.check:check", "Print all problems of the rule files."),
    "coverage": ("responder.cli.rules.coverage:coverage", "Show the matching rule of every Prometheus alert."),
    "explain": ("responder.cli.rules.explain:explain", "Show each step from labels to channels."),
    "schema": ("responder.cli.rules.schema:schema", "Print the JSON Schema of rule files, for editors."),
    "test": ("responder.cli.rules.test:test", "Run test cases against the rules."),
}


@click.group(cls=LazyGroup, known=_COMMANDS)
def rules() -> None:
    """Check, explain and test the rule files."""
