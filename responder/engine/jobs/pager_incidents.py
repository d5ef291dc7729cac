"""Learns PagerDuty's incidents of pages that it accepted, so that messages can link them and notes can be added."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from responder.model.clock import Clock
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import vendor_incidents

_log = structlog.get_logger()

EVERY = timedelta(seconds=2)
#: Seconds after the page at which PagerDuty is asked: it processes events asynchronously.
ATTEMPTS = (2.0, 10.0, 60.0)
#: Look-ups of one run.
MOST = 20


class Api(Protocol):
    """PagerDuty's REST API."""

    def incident_of(self, dedup_key: str) -> tuple[str, str]:
        """Return the id and the address of the open incident with a dedup key; empty for none."""


@dataclass(frozen=True, slots=True)
class PagerIncidentsJob:
    """Asks about the pages of ``kinds`` of channels. It keeps no state: a look-up that a restart missed is left out."""

    database: Database
    api: Api
    clock: Clock
    kinds: Collection[str]

    def run(self) -> None:
        """Run once. Raises StoreError."""
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


def is_due(accepted_at: datetime, now: datetime) -> bool:
    """Return True in the run after each of the ATTEMPTS."""
    passed = (now - accepted_at).total_seconds()
    return any(0 <= passed - at < EVERY.total_seconds() for at in ATTEMPTS)
