"""Learns PagerDuty's incidents of pages that it accepted, links them in messages, and lets notes be added."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from responder.model.clock import Clock
from responder.model.report import MessageKind
from responder.notify.contract import Channel
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import incidents, vendor_incidents
from responder.store.outbox import outbox

_log = structlog.get_logger()

EVERY = timedelta(seconds=2)
#: Seconds after the page at which PagerDuty is asked: it processes events asynchronously.
ATTEMPTS = (2.0, 10.0, 60.0)
#: Look-ups of one run.
MOST = 20
#: Time in which an attempt ends that began before a link was learnt, so that its message lacks the link.
_ATTEMPT = timedelta(seconds=20)
#: Priority of an edit that only adds a link: behind the messages of all severities.
_LAST = 9


class Api(Protocol):
    """PagerDuty's REST API."""

    def incident_of(self, dedup_key: str) -> tuple[str, str]:
        """Return the id and the address of the open incident with a dedup key; empty for none."""


@dataclass(frozen=True, slots=True)
class PagerIncidentsJob:
    """Asks about the pages of ``kinds`` of channels, and adds each link that was learnt to the messages about it.

    It keeps no state: a look-up that a restart missed is left out. ``channels`` returns those in force.
    """

    database: Database
    api: Api
    clock: Clock
    kinds: Collection[str]
    channels: Callable[[], Mapping[str, Channel]] = dict

    def run(self) -> None:
        """Run once. Raises StoreError."""
        self._look_up()
        self._link()

    def _look_up(self) -> None:
        now = self.clock.now()
        oldest = now - timedelta(seconds=ATTEMPTS[-1]) - EVERY
        with self.database.read() as connection:
            found = vendor_incidents.unknown_pages(
                connection, self.kinds, oldest, now - timedelta(seconds=ATTEMPTS[0]), 10 * MOST
            )
        due = [(incident, key) for incident, key, accepted_at in found if key and is_due(accepted_at, now)]
        for incident, key in dict.fromkeys(due[:MOST]):
            try:
                number, url = self.api.incident_of(key)
            except UnreachableError as error:
                _log.warning("pagerduty.not_looked_up", incident=incident, reason=str(error))
                return
            if number:
                vendor_incidents.save(self.database, number, [incident], url, self.clock.now())

    def _link(self) -> None:
        """Edit the messages that were sent before the link was known, once; a message that waits will have it."""
        now = self.clock.now()
        editable = [channel for channel in self.channels().values() if channel.edits]
        edits = []
        with self.database.read() as connection:
            for incident, url, learnt_at in vendor_incidents.learnt(connection, now - _ATTEMPT, 10 * MOST):
                for channel in editable:
                    shown = {channel.steps[MessageKind.START][0], channel.edits}
                    last = outbox.without_link(connection, incident, channel.name, shown, url, learnt_at)
                    if last is not None:
                        edit = replace(last, kind=MessageKind.UPDATE, step=channel.edits, priority=_LAST)
                        edits.append(replace(edit, due_at=now, enrich=False, replaces=None))
        for edit in edits:
            with self.database.transaction() as connection:
                if incidents.still_open(connection, edit.incident):
                    outbox.write(connection, [edit], now)


def is_due(accepted_at: datetime, now: datetime) -> bool:
    """Return True in the run after each of the ATTEMPTS."""
    passed = (now - accepted_at).total_seconds()
    return any(0 <= passed - at < EVERY.total_seconds() for at in ATTEMPTS)
