"""``responder incidents adopt``: find incidents of PagerDuty that a lost database left open, and resolve them."""

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.cli.options import OUTPUT
from responder.cli.table import Column, format_time, print_rows
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.converse.pagerduty.api import Orphan

_COLOURS = {"unknown": "yellow", "resolved": "green"}


@click.command("adopt", short_help="List and resolve PagerDuty incidents that a lost database left open.")
@click.option("--resolve", is_flag=True, help="Resolve them in PagerDuty, after confirmation.")
@click.option("--yes", is_flag=True, help="Resolve without a prompt.")
@OUTPUT
def adopt(output: str, *, resolve: bool, yes: bool) -> None:
    """List open incidents of PagerDuty that responder made and that its database does not know, or knows as resolved.

    Nothing is resolved without --resolve. If alerts still fire, their next notification pages again. Incidents with
    alerts of other programs are left out.

    Exit status: 0 if PagerDuty answered and everything asked for is resolved, 1 if not.
    """
    from responder.bootstrap.entries import pagerduty_api
    from responder.outgoing import UnreachableError

    with named_failures():
        settings = bootstrap.settings_from_environment()
        given = settings.of_channels
        if not given["pagerduty_api_token"].reveal():
            raise FatalError("no REST API token: set RESPONDER_PAGERDUTY_API_TOKEN")
        if resolve and not given["pagerduty_api_from"]:
            raise FatalError("resolving needs a PagerDuty user: set RESPONDER_PAGERDUTY_API_FROM to an e-mail address")
        if resolve and not yes and not sys.stdin.isatty():
            raise FatalError("no terminal to confirm on: add --yes")
        clock = bootstrap.SystemClock()
        with closing(bootstrap.vendors(settings, clock)) as outgoing:
            api = pagerduty_api(settings, outgoing, clock)
            try:
                found = _found(api, settings)
                _print(found, output)
                count = number_of(len(found), "incident")
                if resolve and found and (yes or click.confirm(f"Resolve {count}?", err=True)):
                    api.resolve([each.incident.id for each in found])
                    click.echo(f"{count} resolved", err=True)
            except UnreachableError as error:
                raise FatalError(str(error)) from error


def _print(found: "Sequence[Orphan]", output: str) -> None:
    columns = Column("PAGERDUTY"), Column("HERE", colours=_COLOURS), Column("OPENED"), Column("URL"), Column("TITLE")
    print_rows(found, output, columns, _cells, _fields)
    click.echo(f"{number_of(len(found), 'incident')} left open in PagerDuty", err=True)


def _found(api: Any, settings: Any) -> "list[Orphan]":
    from responder.converse.pagerduty.api import Known, orphans, own_keys
    from responder.store.incidents import vendor_incidents

    listed = list(api.open_incidents())
    keys = {key for each in listed for key in own_keys(each)}
    with bootstrap.database(settings) as database, database.read() as connection:
        states = vendor_incidents.states_of(connection, keys)
    known = {key: Known.OPEN if is_open else Known.RESOLVED for key, is_open in states.items()}
    return list(orphans(listed, known))


def _cells(row: "Orphan") -> tuple[str, ...]:
    found = row.incident
    opened = format_time(found.created_at) if found.created_at else "-"
    return found.id, row.known.value, opened, found.url or "-", found.title


def _fields(row: "Orphan") -> dict[str, Any]:
    """Element of ``--output json``. Scripts rely on its keys: add, never rename."""
    found = row.incident
    return {
        "id": found.id,
        "known": row.known.value,
        "opened_at": found.created_at,
        "url": found.url,
        "title": found.title,
        "dedup_keys": [key for key, _client in found.alerts],
    }
