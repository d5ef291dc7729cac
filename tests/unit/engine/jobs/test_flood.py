"""A flood over a real database: few pages, every incident stored, and pages for the rest afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from responder.engine.effects.flood import GATHER, page_now
from responder.engine.jobs.flood import EVERY, FloodJob
from responder.engine.workers.triage import IncidentWriter
from responder.model.report import MessageKind, Report
from responder.notify.report.compose import compose_message as as_letter
from responder.store.database import Database
from responder.store.outbox import claims
from tests.conftest import HandClock
from tests.support.builders import NOW, an_incident, composed
from tests.unit.engine.test_pipeline import a_desk
from tests.unit.engine.workers.test_triage import Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

LIMIT = 4


class Coast(Shop):
    """A shop whose rules know floods, and the watch over them."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        super().__init__(database, clock)
        usual = a_desk()
        severities = {name: replace(each, flood_above=LIMIT) for name, each in usual.book.severities.items()}
        self.context = replace(usual, book=replace(usual.book, severities=severities))
        self.watch = FloodJob(database, IncidentWriter(database, clock), lambda: self.context, clock)

    def storm(self, count: int, **labels: str) -> None:
        """Groups that start to fire."""
        self.deliver(*(a_group(number, **labels) for number in range(count)))

    def calm(self, minutes: int = 2) -> None:
        """Time passes, and the watch looks."""
        for _ in range(int(minutes * 60 / EVERY.total_seconds())):
            self.clock.move(EVERY.total_seconds())
            self.watch.run()

    def pages(self) -> list[tuple[str, str]]:
        """Messages for the paging channel: incident and step."""
        return self.rows("SELECT incident, step FROM messages WHERE channel = 'pagerduty' ORDER BY id")

    def digests(self, channel: str = "pagerduty") -> list[Report]:
        """The reports about floods on a channel."""
        ids = self.rows(f"SELECT id FROM messages WHERE channel = '{channel}' AND incident LIKE 'FLOOD%' ORDER BY id")
        with self.database.read() as connection:
            rows = [claims.peek(connection, number) for (number,) in ids]
        return [as_letter(row, self.clock.now()).report for row in rows if row is not None]


def a_group(number: int, name: str = "PodDown", status: str = "firing", **labels: str) -> dict[str, Any]:
    """The notification of a group of one alert; groups of different numbers are different incidents."""
    told = {"alertname": name, "pod": f"pod-{number}", "node": "worker-7", "severity": "critical"} | labels
    end = {"status": "resolved", "endsAt": "2026-11-23T10:00:00Z"} if status == "resolved" else {}
    return a_body(alerts=[an_alert(labels=told, **end)], commonLabels=told, groupKey=f"{name}/{number}", status=status)


@pytest.fixture
def coast(database: Database, clock: HandClock) -> Iterator[Coast]:
    """A coast of its own."""
    found = Coast(database, clock)
    yield found
    found.diagnosis.close()


def test_a_storm_makes_few_pages_and_loses_no_incident(coast: Coast) -> None:
    """Each of 100 incidents is stored with its reason; PagerDuty gets a few and the digest."""
    coast.storm(100)
    assert coast.rows("SELECT count(*) FROM incidents WHERE open") == [(100,)]
    assert coast.rows("SELECT count(*) FROM notifications WHERE state = 'decided'") == [(100,)]
    assert len(coast.pages()) == LIMIT + 3 + 1
    assert coast.rows("SELECT count(*) FROM diagnoses") == [(0,)]
    held = coast.rows("SELECT digest, reason FROM incidents WHERE channels = ''")
    assert len(held) == 100 - LIMIT - 3
    assert all(f"only in digest {digest}" in reason for digest, reason in held)


def test_the_digest_names_the_biggest_groups_and_what_they_share(coast: Coast) -> None:
    """It waits a moment and then says all that has come by then."""
    coast.storm(100)
    [page] = coast.digests()
    assert page.kind is MessageKind.START
    assert "Flood: 96 new incidents within a second" in page.title
    assert page.what.startswith("96 P1 incidents since")
    assert "PodDown of pod (96). 3 of them had pages of their own." in page.what
    assert "node=worker-7 (all)" in page.related
    assert "node worker-7" in page.first_step
    due = coast.rows("SELECT due_at FROM messages WHERE incident LIKE 'FLOOD%'")
    assert {row[0] for row in due} == {(NOW + GATHER).timestamp()}


def test_a_p1_unlike_the_flood_has_its_own_page(coast: Coast) -> None:
    """Incidents unlike the flood are paged by themselves, not by the digest."""
    coast.storm(100)
    before = len(coast.pages())
    coast.deliver(a_group(0, "ServiceDown", service="plato"))
    assert len(coast.pages()) == before + 1
    [(outcome,)] = coast.rows("SELECT outcome FROM notifications ORDER BY id DESC LIMIT 1")
    assert "fewer than 3 of its incidents are ServiceDown" in outcome
    assert coast.rows("SELECT count(*) FROM diagnoses") == [(1,)]


def test_what_only_the_digest_told_of_ends_in_silence(coast: Coast) -> None:
    """The resolve of an incident that was not announced is not announced."""
    coast.storm(20)
    before = coast.rows("SELECT count(*) FROM messages")
    coast.deliver(a_group(19, status="resolved"))
    assert coast.rows("SELECT count(*) FROM messages") == before
    assert coast.rows("SELECT count(*) FROM incidents WHERE NOT open") == [(1,)]


def test_the_digest_is_updated_where_it_wakes_nobody(coast: Coast) -> None:
    """Slack gets a few updates of the flood; PagerDuty does not."""
    coast.storm(20)
    for minute in range(1, 13):
        coast.clock.move(50)
        coast.deliver(*(a_group(1000 * minute + number) for number in range(20)))
    assert len(coast.digests()) == 1
    updates = {each.update for each in coast.digests("slack") if each.kind is MessageKind.UPDATE}
    assert 2 <= len(updates) <= 4
    assert all("P1 incidents in" in update for update in updates)


def test_when_the_flood_is_over_people_are_told_and_open_p1s_are_paged(coast: Coast) -> None:
    """Incidents still firing after the flood are paged at a limited rate."""
    coast.storm(20)
    for number in range(10, 20):
        coast.deliver(a_group(number, status="resolved"))
    before = len(coast.pages())
    coast.calm()
    end = coast.digests()[-1]
    assert end.kind is MessageKind.RESOLUTION
    assert "16 P1 incidents, of which 3 had pages of their own; the other 13: 3 still open" in end.update
    assert len(coast.pages()) == before + 1 + LIMIT // 2
    coast.calm(minutes=5)
    assert len(coast.pages()) == before + 1 + 3
    assert coast.rows("SELECT count(*) FROM incidents WHERE open AND channels = ''") == [(0,)]
    coast.deliver(a_group(9, status="resolved"))
    assert coast.pages()[-1][1] == "resolve"


def test_a_change_after_the_flood_is_told_in_full(coast: Coast) -> None:
    """After the flood, an incident known only from its digest is paged with its next change."""
    coast.storm(20, severity="warning")
    coast.calm()
    assert coast.rows("SELECT count(*) FROM incidents WHERE open AND channels = ''") != [(0,)]
    before = len(coast.rows("SELECT id FROM messages"))
    told = {"alertname": "PodDown", "severity": "warning", "pod": "pod-19b"}
    body = a_group(19, severity="warning")
    coast.deliver(body | {"alerts": [*body["alerts"], an_alert(labels=told, fingerprint="another")]})
    assert len(coast.rows("SELECT id FROM messages")) > before


def test_an_incident_that_grows_worse_in_a_flood_is_paged(coast: Coast) -> None:
    """A P3 of a digest that becomes a P1 is news."""
    coast.storm(20, severity="warning")
    assert coast.pages() == []
    worse = an_alert(labels={"alertname": "PodDown", "severity": "critical"}, fingerprint="another")
    coast.deliver(a_group(19) | {"alerts": [worse]})
    assert len(coast.pages()) == 1


def test_deciding_a_flood_without_floods_pages_everybody(coast: Coast) -> None:
    """With a limit of zero all is as it was."""
    severities = {name: replace(each, flood_above=0) for name, each in coast.context.book.severities.items()}
    coast.context = replace(coast.context, book=replace(coast.context.book, severities=severities))
    coast.storm(20)
    assert len(coast.pages()) == 20
    assert coast.rows("SELECT count(*) FROM floods") == [(0,)]


def test_a_page_whose_notification_is_gone_is_sent_plain(coast: Coast) -> None:
    """If triage fails, the page is still sent, under the incident's own name."""
    incident = an_incident(channels=(), digest="FLOOD-P1-1")
    effects = page_now(incident, None, coast.context, NOW)
    assert effects.notification is None
    assert {message.ordering_key for message in effects.messages} == {incident.dedup_key}
    assert effects.incident is not None
    assert "pagerduty" in effects.incident.channels
    assert composed(effects)[0].title.startswith(incident.title)
