"""``responder replay``: store a payload again, as a new notification that is decided anew."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.cli.options import LIMIT, OUTPUT
from responder.cli.table import Column, format_time, print_json, print_rows
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.model.delivery import Effects, Notification
    from responder.settings import Settings
    from responder.store.database import Database
    from responder.store.inbox.inbox import Inbox, NotificationSummary

_COLOURS = {"new": "yellow", "decided": "green", "failed": "red"}
_LIST = "run: responder replay --list"


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--rejected", is_flag=True, help="Replay rejected payload NUMBER of `responder rejects list`.")
@click.option("--cluster", metavar="NAME", default="", help="Cluster in the webhook URL of the rejected payload.")
@click.option("--dry-run", is_flag=True, help="Show what it would do; store nothing.")
@click.option("--list", "listed", is_flag=True, help="List the newest stored notifications.")
@LIMIT
@OUTPUT
def replay(
    number: int | None, *, rejected: bool, cluster: str, dry_run: bool, listed: bool, limit: int, output: str
) -> None:
    """Replay a stored webhook payload, as if Alertmanager had sent it now, with the current rules.

    It is compared with the state of its group, as every notification is, so replaying it twice notifies once. A running
    `serve` decides it within a second.
    """
    if listed == (number is not None):
        raise click.UsageError("give the NUMBER of a notification, or --list")
    from responder.store.inbox.inbox import Inbox

    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database:
            inbox = Inbox(database)
            if number is None:
                _list(inbox, limit, output)
                return
            found = _rejected(inbox, number, cluster) if rejected else _kept(inbox, number)
            notification = _as_the_next(found, inbox)
            effects = _foreseen(notification, database, settings)
            if output == "text":
                click.echo("\n".join(_explained(effects)))
            again = None if dry_run else inbox.keep(notification.body, notification.cluster, notification.received_at)
    if output == "json":
        print_json(_as_json(effects, again))
    elif again is None:
        click.echo("dry run: nothing was stored", err=True)
    else:
        click.echo(f"stored as notification {again}; `serve` decides it now. Messages: responder messages list")


def _list(inbox: "Inbox", limit: int, output: str) -> None:
    rows = inbox.newest(limit)
    columns = (
        *(Column("ID", right=True), Column("RECEIVED"), Column("STATE", colours=_COLOURS), Column("CLUSTER")),
        *(Column("INCIDENT"), Column("OUTCOME")),
    )
    print_rows(rows, output, columns, _cells, _fields)
    click.echo(number_of(len(rows), "notification"), err=True)


def _cells(row: "NotificationSummary") -> tuple[str, ...]:
    return str(row.id), format_time(row.received_at), row.state, row.cluster or "-", row.incident or "-", row.outcome


def _fields(row: "NotificationSummary") -> dict[str, Any]:
    """Element of ``--list --output json``. Scripts rely on its keys: add, never rename."""
    return {**asdict(row), "incident": row.incident or None}


def _as_the_next(found: "Notification", inbox: "Inbox") -> "Notification":
    """Return the notification as if received now, after all stored ones."""
    last = max((each.id for each in inbox.newest(1)), default=0)
    return replace(found, id=last + 1, received_at=bootstrap.SystemClock().now())


def _kept(inbox: "Inbox", number: int) -> "Notification":
    """Return a stored notification. Raises FatalError if there is none."""
    found = inbox.find(number)
    if found is None:
        raise FatalError(f"no notification {number}, or its payload has been pruned; {_LIST}")
    return found


def _rejected(inbox: "Inbox", number: int, cluster: str) -> "Notification":
    """Return a rejected payload that is valid now. Raises FatalError if there is none."""
    from responder.model.delivery import Notification
    from responder.receive.alertmanager import InvalidPayload, check

    found = inbox.reject(number)
    if found is None:
        raise FatalError(f"no rejected payload {number}; run: responder rejects list")
    if len(found.body) < found.size:
        raise FatalError(
            f"only {len(found.body)} of {found.size} bytes of rejected payload {number} were stored: post it again"
        )
    try:
        check(found.body)
    except InvalidPayload as error:
        raise FatalError(f"rejected payload {number} is still invalid: {error}") from None
    return Notification(id=0, received_at=bootstrap.SystemClock().now(), cluster=cluster, body=found.body)


def _foreseen(notification: "Notification", database: "Database", settings: "Settings") -> "Effects":
    """Decide it with the current rules and state, without carrying anything out."""
    from responder import telemetry
    from responder.engine.workers.triage import foreseen

    telemetry.configure(settings.log_format, settings.secrets(), for_good=False)
    context = bootstrap.loaded(settings, bootstrap.channels(settings)).context
    with database.read() as connection:
        return foreseen(connection, notification, context)


def _explained(effects: "Effects") -> Iterator[str]:
    decision = effects.decision
    yield f"Outcome     {effects.outcome}"
    yield f"Rule        {f'{decision.rule.id}, {decision.severity.name}' if decision else '-'}"
    yield f"Sends       {', '.join(_sends(effects)) or 'nothing: no change since the last message'}"


def _as_json(effects: "Effects", again: int | None) -> dict[str, Any]:
    """Output of ``--output json``. Scripts rely on its keys: add, never rename."""
    return {
        "outcome": effects.outcome,
        "rule": effects.decision.rule.id if effects.decision else None,
        "severity": effects.decision.severity.name if effects.decision else None,
        "tells": _sends(effects),
        "kept_as": again,
    }


def _sends(effects: "Effects") -> list[str]:
    return list(dict.fromkeys(f"{message.channel} {message.step}" for message in effects.messages))
