"""`responder rules`: check, explain and prove the rule files before they ship."""

from __future__ import annotations

from collections.abc import Mapping

import click

from responder.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": ("responder.cli.rules.check:check", "Print every problem of the rule files."),
    "coverage": ("responder.cli.rules.coverage:coverage", "Show the rule of every alert of Prometheus rule files."),
    "explain": ("responder.cli.rules.explain:explain", "Show each step from labels to the people who are told."),
    "schema": ("responder.cli.rules.schema:schema", "Print the JSON Schema that editors use."),
    "test": ("responder.cli.rules.test:test", "Run test cases against the rules."),
}


class _Commands(LazyGroup):
    known = _COMMANDS


@click.group(cls=_Commands)
def rules() -> None:
    """Check, explain and prove the rule files."""
