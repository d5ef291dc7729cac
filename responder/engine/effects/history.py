"""What is known of the groups of a batch: the incident each belongs to, alone or gathered with others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import Desk
from responder.engine.effects.on_notification import History
from responder.engine.effects.triage_failure import SHARED, failure_key
from responder.model.alert import AlertGroup
from responder.model.delivery import Effects
from responder.model.incident import UNJUDGED, Incident
from responder.notify.report.facts import HISTORY_DAYS
from responder.store.incidents import contents, incidents
from responder.triage.incident_key import key_of

_log = structlog.get_logger()

NOTHING = History()


def history_of(group: AlertGroup, desk: Desk, get: Callable[[str], History], home: str) -> History:
    """The history of a group. ``home`` is the dedup key of the incident it was gathered into, empty where it was not.

    It stays with an open incident, its own or a gathered one, whatever its rules say by now. ``get`` gives the history
    of a dedup key.
    """
    known = open_of(group, get, home)
    if known.incident is not None:
        return known
    key = key_of(group, desk.matching) if desk.book.gathers else ""
    return get(key or group.dedup_key)


def open_of(group: AlertGroup, get: Callable[[str], History], home: str) -> History:
    """The history of the open incident that a group is in, whatever its rules say; nothing where there is none."""
    known = (get(key) for key in (home, group.dedup_key) if key)
    return next((each for each in known if each.incident is not None and each.incident.open), NOTHING)


class Recall:
    """The histories of a batch, as the database has them and as each decision of the batch changes them."""

    def __init__(self, connection: Connection, groups: Collection[AlertGroup], desk: Desk, now: datetime) -> None:
        own = {group.dedup_key for group in groups}
        joined = incidents.gathering(connection, own)
        keys = {key for group in groups if (key := _key(group, desk))} if desk.book.gathers else set()
        failures = {SHARED, *map(failure_key, groups)}
        latest = incidents.latest(connection, own | keys | failures)
        latest |= {each.dedup_key: each for each in joined.values()}
        known = contents.of(connection, [each.id for each in latest.values() if each.open]) if latest else {}
        over = [key for key, each in latest.items() if not each.open]
        times = incidents.often(connection, over, now - timedelta(days=HISTORY_DAYS)) if over else {}
        self._connection = connection
        self._desk = desk
        self._homes = {group: incident.dedup_key for group, incident in joined.items()}
        self._known = {
            key: History(incident, known.get(incident.id), times.get(key, 0)) for key, incident in latest.items()
        }
        self._stored = {incident.id for incident in latest.values()}
        self._touched: dict[str, Incident] = {}

    def of(self, group: AlertGroup) -> History:
        """What is known of a group."""
        home = self._homes.get(group.dedup_key, "")
        return history_of(group, self._desk, lambda key: self._known.get(key, NOTHING), home)

    def own(self, group: AlertGroup) -> History:
        """The open incident that a group is in, found without any rule."""
        return open_of(group, lambda key: self._known.get(key, NOTHING), self._homes.get(group.dedup_key, ""))

    def open(self, key: str) -> History:
        """The open incident with a key of triage failures."""
        known = self._known.get(key, NOTHING)
        return known if known.incident is not None and known.incident.open else NOTHING

    def failures(self) -> int:
        """How many incidents about triage failures are open, those of this batch included."""
        found = incidents.open_with_rule(self._connection, UNJUDGED)
        mine = [each for each in self._touched.values() if each.rule == UNJUDGED]
        return len((found | {each.id for each in mine}) - {each.id for each in mine if not each.open})

    def learn(self, effects: Effects) -> None:
        """What one delivery opens or changes, the next of the same incident finds."""
        incident = effects.incident
        if incident is None:
            return
        key = incident.dedup_key
        before = self._known.get(key, NOTHING)
        self._known[key] = replace(before, incident=incident, content=effects.content or before.content)
        self._touched[incident.id] = incident
        for member in incident.gathered.values():
            self._homes[member.group] = key

    @property
    def added(self) -> list[Incident]:
        """The incidents that began, in their last state."""
        return [incident for incident in self._touched.values() if incident.id not in self._stored]

    @property
    def changed(self) -> list[Incident]:
        """Those that were there before."""
        return [incident for incident in self._touched.values() if incident.id in self._stored]


def _key(group: AlertGroup, desk: Desk) -> str:
    """The key of what a group is gathered into. One that breaks it is paged by itself; the batch must not break."""
    try:
        return key_of(group, desk.matching)
    except Exception as error:  # noqa: BLE001 - its own triage raises the same, and is handled there
        _log.error("triage.broken_key", group=group.dedup_key, exc_info=error)
        return ""
