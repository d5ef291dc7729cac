"""Learning PagerDuty's incidents after a page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from responder.engine.jobs.pager_incidents import ATTEMPTS, EVERY, PagerIncidentsJob
from responder.engine.workers.delivery import DeliveryResults
from responder.model.message import Request
from responder.model.outcome import Delivered
from responder.model.secret import Secret
from responder.notify.channels.slack import Slack
from responder.notify.report.compose import compose_message
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import incidents, vendor_incidents
from responder.store.outbox import claims, outbox
from tests.conftest import HandClock
from tests.support.builders import a_content, a_draft, an_incident

SLACK = Slack(Secret("xoxb-x"), "#incidents")


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


class Messages:
    """The messages of an open incident in Slack, of which PagerDuty accepted the page."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database, self.clock = database, clock
        paged(database, clock)
        self.incident = an_incident()
        page = {"incident": self.incident.id, "ordering_key": self.incident.dedup_key, "channel_kind": "slack"}
        with database.transaction() as connection:
            incidents.save_contents(connection, [replace(a_content(), incident=self.incident.id)], [], clock.now())
            outbox.write(connection, [a_draft(**page, channel="slack", step="post", due_at=clock.now())], clock.now())
        self.job = PagerIncidentsJob(database, FakeApi(), clock, ("pagerduty",), lambda: {"slack": SLACK})

    def send(self) -> list[Request]:
        """Send what is due to Slack; return the requests."""
        now = self.clock.now()
        results = DeliveryResults(lambda: None, lambda: (), lambda: (), lambda: 0.5, paging=False)
        with self.database.transaction() as connection:
            rows = claims.claim(connection, claims.ChannelQueue(("slack",)), now, now + timedelta(seconds=6), 4)
            sent = [compose_message(row, now) for row in rows]
            results.mark(connection, [(each, Delivered({"channel": "C1", "ts": "1.0"})) for each in sent], now)
        return [SLACK.render(each) for each in sent]


@pytest.fixture
def slack(database: Database, clock: HandClock) -> Messages:
    """An incident whose message in Slack waits."""
    return Messages(database, clock)


def test_a_message_that_was_sent_before_gets_the_link_by_one_edit(slack: Messages, clock: HandClock) -> None:
    """It looks as before, with the link, and is edited once."""
    [posted] = slack.send()
    let_pass(slack.job, clock, 4)
    [edit] = slack.send()
    assert (posted.url.rpartition("/")[2], edit.url.rpartition("/")[2]) == ("chat.postMessage", "chat.update")
    assert (b"PGR1" in posted.body, b"PGR1" in edit.body) == (False, True)
    before, after = (json.loads(each.body)["blocks"] for each in (posted, edit))
    assert before[0] == after[0]
    let_pass(slack.job, clock, 80)
    assert slack.send() == []


def test_a_message_that_waits_is_not_edited(slack: Messages, clock: HandClock) -> None:
    """It has the link when it is sent: no second request for it."""
    let_pass(slack.job, clock, 4)
    [posted] = slack.send()
    let_pass(slack.job, clock, 80)
    assert b"PGR1" in posted.body
    assert slack.send() == []


def test_an_attempt_that_began_before_is_edited_after_it(slack: Messages, clock: HandClock) -> None:
    """The message was composed without the link, and was accepted after the link was learnt."""
    now = clock.now()
    results = DeliveryResults(lambda: None, lambda: (), lambda: (), lambda: 0.5, paging=False)
    with slack.database.transaction() as connection:
        rows = claims.claim(connection, claims.ChannelQueue(("slack",)), now, now + timedelta(seconds=60), 4)
    [message] = [compose_message(row, now) for row in rows]
    let_pass(slack.job, clock, 10)
    with slack.database.transaction() as connection:
        results.mark(connection, [(message, Delivered({"channel": "C1", "ts": "1.0"}))], clock.now())
    let_pass(slack.job, clock, 2)
    assert [each.url.rpartition("/")[2] for each in slack.send()] == ["chat.update"]


def test_a_resolved_incident_is_not_edited_for_a_link(slack: Messages, clock: HandClock) -> None:
    """Its message says that it is resolved; a link would show it as open."""
    slack.send()
    with slack.database.transaction() as connection:
        connection.execute(text("UPDATE incidents SET open = false"))
    vendor_incidents.save(slack.database, "PGR9", ["INC-118"], "https://x.pagerduty.com/incidents/PGR9", clock.now())
    let_pass(slack.job, clock, 10)
    assert slack.send() == []


def test_a_link_that_a_webhook_brings_is_shown_too(slack: Messages, clock: HandClock) -> None:
    """PagerDuty may report the incident before it is asked."""
    slack.send()
    clock.move(1)
    vendor_incidents.save(slack.database, "PGR9", ["INC-118"], "https://x.pagerduty.com/incidents/PGR9", clock.now())
    let_pass(slack.job, clock, 2)
    [edit] = slack.send()
    assert b"incidents/PGR9" in edit.body
