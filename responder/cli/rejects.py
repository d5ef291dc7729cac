"""``responder rejects``: authenticated payloads that were refused. Alertmanager repeats them each group_interval."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.cli.options import LIMIT, OUTPUT
from responder.cli.table import Column, moment, print_rows, raw
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.store.inbox.inbox import RejectedPayload


@click.group()
def rejects() -> None:
    """Read the bodies that were refused, and why."""


@rejects.command("list", short_help="List the newest, with the reason of each.")
@LIMIT
@OUTPUT
def list_them(limit: int, output: str) -> None:
    """Show number, time, sender, status and reason of each."""
    with named_failures(), bootstrap.inbox(bootstrap.settings_from_environment()) as inbox:
        found = inbox.rejected(limit)
    columns = (
        *(Column("ID", right=True), Column("RECEIVED"), Column("STATUS"), Column("BYTES", right=True)),
        *(Column("FROM"), Column("WHY")),
    )
    print_rows(found, output, columns, _cells, _fields)
    click.echo(number_of(len(found), "rejected body", "rejected bodies"), err=True)


def _cells(each: RejectedPayload) -> tuple[str, ...]:
    return str(each.id), moment(each.received_at), str(each.status), str(each.size), each.remote, each.error


def _fields(each: RejectedPayload) -> dict[str, Any]:
    """An element of ``list --output json``. Its keys are relied upon by others: add, never rename."""
    return {
        "id": each.id,
        "received_at": each.received_at.isoformat(),
        "status": each.status,
        "bytes": each.size,
        "from": each.remote,
        "error": each.error,
    }


@rejects.command("show", short_help="Write the body of one to standard output.")
@click.argument("number", type=int)
def show(number: int) -> None:
    """Write the body of one to standard output, byte for byte (at most its first 256 KiB).

    A terminal gets it without the characters that would steer it.
    """
    with named_failures(), bootstrap.inbox(bootstrap.settings_from_environment()) as inbox:
        found = inbox.reject(number)
        if found is None:
            raise FatalError(f"there is no rejected body {number}; `responder rejects list` shows them")
    sys.stdout.buffer.write(raw(found.body, to_terminal=sys.stdout.isatty()))
