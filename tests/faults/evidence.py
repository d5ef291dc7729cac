"""State at the end of a seed: acknowledged webhooks, rows of the database, requests to the vendors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, select

from responder.engine.jobs.own_incidents import INVALID_RULE as OWN
from responder.model.incident import AlertState
from responder.model.report import Handling
from responder.model.silence import incident_of
from responder.standins.pagerduty import PagerEvent
from responder.standins.slack import SlackMessage
from responder.store.database import Database
from responder.store.incidents.incidents import DIAGNOSIS_ATTEMPTS
from responder.store.schema.serialization import from_bytes
from responder.store.schema.tables import (
    UNFINISHED,
    actions,
    contents,
    diagnoses,
    incidents,
    messages,
    notifications,
    payloads,
)
from tests.faults.door import Acknowledged
from tests.faults.people import Deed
from tests.faults.presses import Press
from tests.faults.stream import Group
from tests.faults.timeline import Span
from tests.faults.world import OutdatedRules, World

#: A diagnosis that will still end in an update of its page; one that broke every worker is left alone.
RUNNING = and_(UNFINISHED, diagnoses.c.attempt < DIAGNOSIS_ATTEMPTS)


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """An incident as the database holds it, the latest last; ``alerts`` are fingerprints, with whether each fires.

    ``suppressed_by`` is a flapping one: nothing of it fires, and its resolve is held back. ``digest`` is the flood
    whose digest announced it first, and ``alone`` is True if it was announced by itself. ``revision`` is that of its
    rules.
    """

    id: str
    dedup_key: str
    open: bool
    alerts: Mapping[str, bool]
    suppressed_by: bool = False
    digest: str = ""
    alone: bool = True
    revision: str = ""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the outbox; ``origin`` is the one it stands in for."""

    number: int
    incident: str
    channel: str
    state: str
    error: str
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class PagerRecord:
    """One incident at PagerDuty."""

    dedup_key: str
    open: bool
    opened: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence for the verdict. Times are on the monotonic clock.

    ``notifications`` maps ids to state and body. ``starts`` are those of each alert's episodes, in epoch seconds.
    ``deeds`` are what people did in PagerDuty, ``accepted`` the events that a replica accepted, ``actions`` the states
    of stored actions by their keys. ``presses`` are what people did in Slack; ``silences`` names the incident of each
    silence in force, ``silenced`` the incidents that show one. ``jumped`` says whether the replicas' clocks did.
    """

    groups: Sequence[Group]
    starts: Mapping[str, Sequence[float]]
    kept: Sequence[Acknowledged]
    spans: Sequence[Span]
    notifications: Mapping[int, tuple[str, bytes]]
    incidents: Sequence[StoredIncident]
    messages: Sequence[StoredMessage]
    events: Sequence[PagerEvent]
    pager: Sequence[PagerRecord]
    slack: Sequence[SlackMessage]
    jumped: bool = False
    outdated: Sequence[OutdatedRules] = ()
    deeds: Sequence[Deed] = ()
    accepted: frozenset[str] = frozenset()
    actions: Mapping[str, str] = field(default_factory=dict)
    presses: Sequence[Press] = ()
    silences: Sequence[str] = ()
    silenced: frozenset[str] = frozenset()


class Records:
    """The database, read from outside while the replicas run."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def busy(self) -> str:
        """Unfinished work, empty if there is none."""
        with self._database.read() as connection:
            new = connection.execute(select(notifications.c.id).where(notifications.c.state == "new")).scalars().all()
            waiting = connection.execute(select(messages.c.id).where(messages.c.state == "waiting")).scalars().all()
            running = connection.execute(select(diagnoses.c.id).where(RUNNING)).scalars().all()
            stored = connection.execute(select(actions.c.id).where(actions.c.state == "new")).scalars().all()
        names = ("undecided notifications", "unsent messages", "unfinished diagnoses", "unapplied actions")
        left = {name: ids for name, ids in zip(names, (new, waiting, running, stored), strict=True) if ids}
        return ", ".join(f"{name} {list(ids)}" for name, ids in left.items())

    def close(self) -> None:
        """Let go of it."""
        self._database.close()

    def gather(
        self, world: World, groups: Sequence[Group], starts: Mapping[str, Sequence[float]], deeds: Sequence[Deed] = ()
    ) -> Evidence:
        """All of the evidence."""
        with self._database.read() as connection:
            whole = select(notifications.c.id, notifications.c.state, payloads.c.body)
            found = connection.execute(whole.join(payloads, payloads.c.notification == notifications.c.id))
            stored = {number: (state, bytes(body)) for number, state, body in found}
            of_an_incident = ("id", "dedup_key", "open", "alerts", "resolve_reason", "digest", "channels", "revision")
            whole_incidents = select(*(incidents.c[name] for name in of_an_incident)).where(incidents.c.rule != OWN)
            opened = connection.execute(whole_incidents.order_by(incidents.c.notification)).all()
            of_a_message = ("id", "incident", "channel", "state", "error", "replaces")
            own = select(incidents.c.id).where(incidents.c.rule == OWN)
            whole_messages = select(*(messages.c[name] for name in of_a_message))
            handled = connection.execute(select(contents.c.incident, contents.c.handling)).all()
            acted = connection.execute(select(actions.c.key, actions.c.state)).all()
            wrote = connection.execute(whole_messages.where(messages.c.incident.not_in(own))).all()
        with world.pagerduty.lock, world.slack.lock, world.door.lock:
            return Evidence(
                groups=[*groups, *world.large],
                starts=dict(starts) | {group.alerts[0].name: [at] for group, at in world.large.items()},
                kept=list(world.door.kept),
                spans=list(world.timeline.spans),
                notifications=stored,
                incidents=[
                    StoredIncident(i, key, is_open, _alerts(data), bool(hold), digest, bool(channels), rules)
                    for i, key, is_open, data, hold, digest, channels, rules in opened
                ],
                messages=[
                    StoredMessage(number, incident, channel, state, error or "", origin)
                    for number, incident, channel, state, error, origin in wrote
                ],
                events=list(world.pagerduty.events),
                pager=[
                    PagerRecord(each.dedup_key, each.state != "resolved", each.log[0].arrived)
                    for each in world.pagerduty.incidents
                ],
                slack=list(world.slack.messages),
                outdated=list(world.outdated),
                deeds=list(deeds),
                accepted=frozenset(
                    event
                    for each in world.pagerduty.webhooks.subscriptions
                    for event, status in each.sent
                    if 200 <= status < 300
                ),
                presses=list(world.presses.done),
                silences=[incident_of(each.comment) for each in world.silences.active],
                silenced=frozenset(name for name, data in handled if data and from_bytes(Handling, data).silence),
                actions={row.key: row.state for row in acted},
                jumped=any(each.clock_moved for each in world.replicas),
            )


def _alerts(data: bytes) -> dict[str, bool]:
    return {name: known.ends_at is None for name, known in from_bytes(dict[str, AlertState], data).items()}
