"""``responder replay``: a kept body put through again, as a new delivery that is decided afresh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.fail import Fatal, named_failures

if TYPE_CHECKING:
    from responder.model.delivery import Delivery, Effects
    from responder.settings import Settings
    from responder.store.database import Database
    from responder.store.inbox import Inbox

_LIST = "`responder replay --list` shows the kept ones"


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--rejected", is_flag=True, help="NUMBER is that of a rejected body, see `responder rejects list`.")
@click.option("--cluster", default="", help="The cluster that a rejected body came from, where its URL named one.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@click.option("--list", "listed", is_flag=True, help="List the newest kept deliveries.")
@click.option("--limit", default=50, show_default=True, help="How many to list.")
def replay(number: int | None, *, rejected: bool, cluster: str, dry_run: bool, listed: bool, limit: int) -> None:
    """Put a kept webhook body through again: as if Alertmanager had sent it now, by the rules in force.

    It is compared with what is known of its group, as every delivery is: what people know already is not told again, so
    that replaying twice tells them once. A running `serve` takes it up within a second.
    """
    if listed == (number is not None):
        raise click.UsageError("give the NUMBER of a delivery, or --list")
    from responder.store.inbox import Inbox

    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database:
            inbox = Inbox(database)
            if number is None:
                _list(inbox, limit)
                return
            found = _rejected(inbox, number, cluster) if rejected else _kept(inbox, number)
            delivery = _as_the_next(found, inbox)
            for line in _explained(delivery, database, settings):
                click.echo(line)
            if dry_run:
                click.echo("nothing was done: --dry-run", err=True)
                return
            again = inbox.keep(delivery.body, delivery.cluster, delivery.received_at)
    click.echo(f"kept as delivery {again}: `serve` decides it now; `responder messages list` shows what it tells")


def _list(inbox: Inbox, limit: int) -> None:
    rows = inbox.newest(limit)
    for row in rows:
        when = row.received_at.strftime("%Y-%m-%d %H:%M:%SZ")
        click.echo(
            f"{row.id:>6}  {when}  {row.state:<8} {row.cluster or '-':<12} {row.incident or '-':<14} {row.outcome}"
        )
    click.echo(f"{len(rows)} deliveries", err=True)


def _as_the_next(found: Delivery, inbox: Inbox) -> Delivery:
    """The delivery as if it came now, after all that are kept."""
    from dataclasses import replace

    last = max((each.id for each in inbox.newest(1)), default=0)
    return replace(found, id=last + 1, received_at=bootstrap.SystemClock().now())


def _kept(inbox: Inbox, number: int) -> Delivery:
    """A kept delivery."""
    found = inbox.find(number)
    if found is None:
        raise Fatal(f"there is no delivery {number}, or its body is not kept any more; {_LIST}")
    return found


def _rejected(inbox: Inbox, number: int, cluster: str) -> Delivery:
    """A rejected body that can be taken now, by a newer version for example."""
    from responder.model.delivery import Delivery
    from responder.receive.alertmanager import BadBody, check

    found = inbox.reject(number)
    if found is None:
        raise Fatal(f"there is no rejected body {number}; `responder rejects list` shows them")
    if len(found.body) < found.size:
        raise Fatal(f"of rejected body {number} only {len(found.body)} of {found.size} bytes were kept: send it anew")
    try:
        check(found.body)
    except BadBody as error:
        raise Fatal(f"rejected body {number} still cannot be taken: {error}") from None
    return Delivery(id=0, received_at=bootstrap.SystemClock().now(), cluster=cluster, body=found.body)


def _explained(delivery: Delivery, database: Database, settings: Settings) -> Iterator[str]:
    """What it will do by the rules in force and what is known now, in a few lines."""
    from responder.engine.triage import foreseen

    desk = bootstrap.desk(
        settings, bootstrap.load_rules(settings.rules, settings.runbooks), bootstrap.channels(settings)
    )
    with database.read() as connection:
        effects = foreseen(connection, delivery, desk)
    yield f"Outcome     {effects.outcome}"
    yield (
        f"Rule        {effects.decision.rule.id}, {effects.decision.severity.name}"
        if effects.decision
        else "Rule        -"
    )
    yield f"Tells       {_told(effects)}"


def _told(effects: Effects) -> str:
    told = dict.fromkeys(f"{draft.channel} {draft.step}" for draft in effects.drafts)
    return ", ".join(told) or "nobody: there is nothing that people do not know"
