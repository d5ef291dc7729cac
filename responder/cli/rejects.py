"""``responder rejects``: authenticated bodies that could not be taken. Alertmanager will not send them again."""

from __future__ import annotations

import sys

import click

from responder import bootstrap
from responder.cli.fail import FAILED, named_failures


@click.group()
def rejects() -> None:
    """Read the bodies that were refused, and why."""


@rejects.command("list")
@click.option("--limit", default=50, show_default=True, help="How many, the newest first.")
def list_them(limit: int) -> None:
    """Show number, time, sender, status and reason of each."""
    with named_failures(), bootstrap.inbox(bootstrap.settings_from_environment()) as inbox:
        found = inbox.rejected(limit)
    for reject in found:
        when = reject.received_at.strftime("%Y-%m-%d %H:%M:%SZ")
        click.echo(f"{reject.id:>6}  {when}  {reject.status}  {reject.size:>9} bytes  {reject.remote}  {reject.error}")
    click.echo(f"{len(found)} rejected bodies", err=True)


@rejects.command("show")
@click.argument("number", type=int)
def show(number: int) -> None:
    """Write the body of one to standard output, byte for byte (at most its first 256 KiB)."""
    with named_failures(), bootstrap.inbox(bootstrap.settings_from_environment()) as inbox:
        found = inbox.reject(number)
    if found is None:
        click.echo(f"error: there is no rejected body {number}; `responder rejects list` shows them", err=True)
        sys.exit(FAILED)
    sys.stdout.buffer.write(found.body)
