"""Learning PagerDuty's incidents after a page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from responder.engine.jobs.pager_incidents import ATTEMPTS, EVERY, PagerIncidentsJob
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import incidents, vendor_incidents
from responder.store.outbox import outbox
from tests.conftest import HandClock
from tests.support.builders import a_draft, an_incident


class FakeApi:
    """Knows the incident after some calls, or is away."""

    def __init__(self, after: int = 0) -> None:
        self.after = after
        self.asked: list[str] = []
        self.away = False

    def incident_of(self, dedup_key: str) -> tuple[str, str]:
        """Return the incident."""
        self.asked.append(dedup_key)
        if self.away:
            raise UnreachableError("no route to host")
        return ("PGR1", "https://x.pagerduty.com/incidents/PGR1") if len(self.asked) > self.after else ("", "")


def paged(database: Database, clock: HandClock) -> str:
    """An open incident whose page PagerDuty has accepted; return its dedup key."""
    incident = an_incident()
    draft = a_draft(
        incident=incident.id, ordering_key=incident.dedup_key, channel="pagerduty", channel_kind="pagerduty"
    )
    with database.transaction() as connection:
        incidents.save(connection, [incident], [])
        outbox.write(connection, [draft], clock.now())
        connection.execute(text("UPDATE messages SET state = 'sent', ended_at = :at"), {"at": clock.now().timestamp()})
    return incident.dedup_key


def let_pass(job: PagerIncidentsJob, clock: HandClock, seconds: float) -> None:
    """Run the job at its interval for some time."""
    for _ in range(int(seconds / EVERY.total_seconds())):
        clock.move(EVERY.total_seconds())
        job.run()


def known(database: Database) -> str:
    """The address of PagerDuty's incident."""
    with database.read() as connection:
        return str(connection.execute(text("SELECT max(url) FROM vendor_incidents")).scalar() or "")


@pytest.mark.parametrize(("after", "asked"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_pagerduty_is_asked_until_it_knows(database: Database, clock: HandClock, after: int, asked: int) -> None:
    """Three look-ups at most, after 2, 10 and 60 seconds; none once the incident is known."""
    key, api = paged(database, clock), FakeApi(after)
    job = PagerIncidentsJob(database, api, clock, ("pagerduty",))
    let_pass(job, clock, ATTEMPTS[-1] + 30)
    assert api.asked == [key] * asked
    assert known(database) == ("https://x.pagerduty.com/incidents/PGR1" if after < 3 else "")


def test_a_resolved_incident_and_other_channels_are_not_asked_about(database: Database, clock: HandClock) -> None:
    """Only pages of open incidents on channels of PagerDuty are looked up, and none that a webhook named."""
    paged(database, clock)
    api = FakeApi()
    let_pass(PagerIncidentsJob(database, api, clock, ("jsm",)), clock, 20)
    vendor_incidents.save(database, "PGR9", ["INC-118"], "", clock.now() + timedelta(seconds=1))
    let_pass(PagerIncidentsJob(database, api, clock, ("pagerduty",)), clock, 60)
    assert not api.asked


def test_an_outage_of_the_api_is_no_failure_of_the_job(database: Database, clock: HandClock) -> None:
    """PagerDuty's REST API may be away: the next look-up is made all the same."""
    paged(database, clock)
    api = FakeApi()
    api.away = True
    job = PagerIncidentsJob(database, api, clock, ("pagerduty",))
    let_pass(job, clock, 8)
    api.away = False
    let_pass(job, clock, 8)
    assert known(database)
