"""Overviews for the console, each from indexes: a number that changes with the database, rules by use, alert names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import (
    actions,
    channel_states,
    contents,
    diagnoses,
    heartbeats,
    incidents,
    kept_rules,
    messages,
    notifications,
    rejects,
)

#: Incidents of a rule whose alert names are counted.
MOST_NAMED = 2000
_NEWEST = select(
    *(
        select(func.max(column)).scalar_subquery()
        for column in (
            contents.c.changed_at,
            notifications.c.id,
            messages.c.id,
            actions.c.id,
            diagnoses.c.id,
            rejects.c.id,
            channel_states.c.accepted_at,
            channel_states.c.failed_at,
            kept_rules.c.kept_at,
        )
    ),
    select(func.count()).where(actions.c.state == "new").scalar_subquery(),
    select(func.count()).where(messages.c.state == "waiting").scalar_subquery(),
    select(func.count()).where(messages.c.state == "dead").scalar_subquery(),
)


@dataclass(frozen=True, slots=True)
class RuleUse:
    """Incidents that a rule decided, and the start of the newest."""

    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class _Named:
    alertname: str = ""


def change_number(connection: Connection) -> str:
    """Return a text that changes with what pages show; each part of it is one row of an index."""
    return "-".join(str(each) for each in connection.execute(_NEWEST).one())


def use_of_rules(connection: Connection, since: datetime) -> dict[str, RuleUse]:
    """Return the rules of incidents that opened at ``since`` or later."""
    found = select(incidents.c.rule, func.count(), func.max(incidents.c.opened_at))
    found = found.where(incidents.c.opened_at >= to_seconds(since)).group_by(incidents.c.rule)
    return {rule: RuleUse(count, to_time(last)) for rule, count, last in connection.execute(found)}


def names_of(connection: Connection, rules: Iterable[str], since: datetime) -> dict[str, RuleUse]:
    """Return the alert names of the newest incidents of some rules, the most frequent first."""
    found = select(incidents.c.opened_at, contents.c.decision)
    found = found.join(contents, contents.c.incident == incidents.c.id)
    found = found.where(incidents.c.rule.in_(list(rules)), incidents.c.opened_at >= to_seconds(since))
    counted: dict[str, RuleUse] = {}
    for opened_at, decision in connection.execute(found.order_by(incidents.c.opened_at.desc()).limit(MOST_NAMED)):
        name = from_bytes(_Named, decision).alertname
        known = counted.get(name)
        counted[name] = RuleUse(known.count + 1, known.last) if known else RuleUse(1, to_time(opened_at))
    return dict(sorted(counted.items(), key=lambda each: -each[1].count))


def seen_heartbeats(connection: Connection) -> dict[str, datetime | None]:
    """Return when the Watchdog of each cluster was seen last, None if it never was."""
    rows = connection.execute(select(heartbeats.c.cluster, heartbeats.c.seen_at).order_by(heartbeats.c.cluster))
    return {cluster: to_time(at) if at is not None else None for cluster, at in rows}
