"""``responder rejects``: list and show authenticated payloads that were rejected."""

import sys
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.cli.options import LIMIT, OUTPUT
from responder.cli.table import Column, format_time, print_rows, printable_bytes
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.store.inbox.inbox import RejectedPayload


@click.group()
def rejects() -> None:
    """List and show rejected payloads."""


@rejects.command("list", short_help="List the newest rejected payloads.")
@LIMIT
@OUTPUT
def list_them(limit: int, output: str) -> None:
    """List rejected payloads: number, time, status, size, sender and reason."""
    from responder.store.inbox.inbox import Inbox

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        found = Inbox(database).rejected(limit)
    columns = (
        *(Column("ID", right=True), Column("RECEIVED"), Column("STATUS"), Column("BYTES", right=True)),
        *(Column("FROM"), Column("REASON")),
    )
    print_rows(found, output, columns, _cells, _fields)
    click.echo(number_of(len(found), "rejected payload", "rejected payloads"), err=True)


def _cells(each: "RejectedPayload") -> tuple[str, ...]:
    return str(each.id), format_time(each.received_at), str(each.status), str(each.size), each.remote, each.error


def _fields(each: "RejectedPayload") -> dict[str, Any]:
    """Element of ``list --output json``. Scripts rely on its keys: add, never rename."""
    return {
        "id": each.id,
        "received_at": each.received_at,
        "status": each.status,
        "bytes": each.size,
        "from": each.remote,
        "error": each.error,
    }


@rejects.command("show", short_help="Print a rejected payload.")
@click.argument("number", type=int)
def show(number: int) -> None:
    """Write a rejected payload to standard output, unchanged (at most its first 256 KiB).

    On a terminal, control characters are replaced.
    """
    from responder.store.inbox.inbox import Inbox

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        found = Inbox(database).reject(number)
        if found is None:
            raise FatalError(f"no rejected payload {number}; run: responder rejects list")
    sys.stdout.buffer.write(printable_bytes(found.body, to_terminal=sys.stdout.isatty()))
