"""`responder rules`: check, explain and prove the rule files before they ship."""

from __future__ import annotations

import click

from responder.cli.rules.check import check
from responder.cli.rules.coverage import coverage
from responder.cli.rules.explain import explain
from responder.cli.rules.schema import schema
from responder.cli.rules.test import test


@click.group()
def rules() -> None:
    """Check, explain and prove the rule files."""


for _command in (check, coverage, explain, schema, test):
    rules.add_command(_command)
