"""`responder rules`: check, explain and prove the rule files before they ship."""

from __future__ import annotations

import click

from responder.cli.rules.check import check


@click.group()
def rules() -> None:
    """Check the rule files."""


rules.add_command(check)
