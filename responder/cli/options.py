"""Options that mean the same wherever they stand."""

from __future__ import annotations

import click

OUTPUT = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for scripts.",
)
LIMIT = click.option(
    "--limit", metavar="N", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first."
)
TIMEOUT = click.FloatRange(min=0, min_open=True)
"""Seconds that somebody is willing to wait."""
RULES = click.option("--rules", metavar="DIR", help="Folder of the rule files. [default: RESPONDER_RULES]")
RUNBOOKS = click.option("--runbooks", metavar="DIR", help="Folder of the runbooks. [default: RESPONDER_RUNBOOKS]")
