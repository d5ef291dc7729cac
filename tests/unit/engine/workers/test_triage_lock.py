"""Writers of incidents exclude each other and triage."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from responder.engine.workers.triage import IncidentWriter, due_channels
from responder.model.delivery import Effects, IncidentChanges
from responder.store.database import Database, StoreError
from responder.store.incidents import incidents
from tests.conftest import HandClock
from tests.support.builders import NOW, a_draft, an_incident


def opened(_connection: Connection) -> IncidentChanges:
    """An incident without a notification."""
    incident = an_incident()
    effects = Effects(
        outcome="no heartbeat",
        incident=incident,
        due_at=NOW,
    )
    return IncidentChanges(effects=[effects], added=[incident])


def test_an_incident_without_a_delivery_is_written(database: Database, clock: HandClock) -> None:
    """A missing heartbeat opens an incident as a webhook does."""
    IncidentWriter(database, clock).record(opened)
    with database.read() as connection:
        assert incidents.find(connection, an_incident().id) == an_incident()


def test_nothing_is_decided_while_triage_has_the_turn(database: Database) -> None:
    """Two who decide about one incident at a time could open it twice."""

    class Ticking(HandClock):
        def monotonic(self) -> float:
            self.move(1.0)
            return super().monotonic()

    writer = IncidentWriter(database, Ticking())
    with database.alone("triage"), pytest.raises(StoreError, match="triage lock"):
        writer.record(opened)


def test_only_what_is_due_wakes_a_courier() -> None:
    """Starting the probes of a page needs no check of its release: its time is written with it."""
    page = a_draft()
    later = replace(page, channel="slack", due_at=NOW + timedelta(seconds=8))
    effects = Effects(outcome="new", due_at=NOW, messages=(page, later))
    assert due_channels([effects], NOW) == {"pagerduty"}
    assert due_channels([effects], later.due_at) == {"pagerduty", "slack"}
