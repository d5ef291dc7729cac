"""Finds the incidents that an event of PagerDuty is about, and stores an action on each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from responder.converse.apply import NOTE_LIMIT
from responder.converse.pagerduty.events import PagerDutyEvent
from responder.counters import COUNTERS
from responder.model.action import Action
from responder.model.clock import Clock
from responder.model.text import sanitize_line
from responder.store.database import Database
from responder.store.incidents import actions, vendor_incidents

_log = structlog.get_logger()


class Api(Protocol):
    """PagerDuty's REST API."""

    def alert_keys(self, incident: str) -> tuple[str, ...]:
        """Return the dedup keys of the alerts of an incident; none without a token. Raises UnreachableError."""


@dataclass(frozen=True, slots=True)
class PagerDutyEntry:
    """PagerDuty as an entry point. ``kinds`` are its kinds of channel, ``on_kept`` wakes the engine."""

    database: Database
    api: Api
    clock: Clock
    kinds: tuple[str, ...]
    on_kept: Callable[[], None]

    def take(self, event: PagerDutyEvent) -> int:
        """Store the actions that an event stands for, and return their number.

        An incident of PagerDuty may hold several of responder's, since it groups alerts. Raises StoreError, and
        UnreachableError where only PagerDuty knows which incidents these are: PagerDuty then sends the event again.
        """
        ours = self._incidents(event)
        if event.kind is None or not ours:
            if event.kind is not None:
                COUNTERS.add("responder_actions", "unknown")
                _log.info("pagerduty.unknown_incident", vendor_incident=sanitize_line(event.incident, 40))
            return 0
        entry, now = self._channel(ours[0]), self.clock.now()
        for incident in ours:
            action = Action(
                incident=incident,
                kind=event.kind,
                entry=entry,
                key=f"{event.id}/{incident}",
                actor=sanitize_line(event.actor, 80),
                text=event.text[: NOTE_LIMIT + 1],  # a longer one ends with an ellipsis
                target=sanitize_line(event.target, 200),
                at=min(event.at, now),
            )
            actions.keep(self.database, action, now)
        self.on_kept()
        return len(ours)

    def _incidents(self, event: PagerDutyEvent) -> tuple[str, ...]:
        """Return the ids of responder's incidents: by the dedup key, by the known id, or by asking PagerDuty."""
        with self.database.read() as connection:
            known = vendor_incidents.known(connection, event.incident)
            ours = vendor_incidents.with_page_key(connection, [event.incident_key]) if event.incident_key else ()
        ours = ours or known
        if not ours and event.incident and (keys := self.api.alert_keys(event.incident)):
            with self.database.read() as connection:
                ours = vendor_incidents.with_page_key(connection, keys)
        if not set(ours) <= set(known):
            vendor_incidents.save(self.database, event.incident, ours, event.url, self.clock.now())
        return ours

    def _channel(self, incident: str) -> str:
        """Return the channel by which PagerDuty knows an incident: it gets no action back."""
        with self.database.read() as connection:
            return vendor_incidents.channel_of(connection, incident, self.kinds) or self.kinds[0]
