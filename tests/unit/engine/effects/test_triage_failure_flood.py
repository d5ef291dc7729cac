"""Triage that breaks for many groups at once is a flood: few pages, one digest that says so, and nobody forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from responder.engine.effects.context import Desk
from responder.engine.jobs.paging_windows import Opening
from responder.engine.workers.incident_writer import Ledger
from responder.model.report import Moment
from responder.model.rule import Action
from responder.store.database import Database
from responder.triage.flood import ALIKE
from tests.conftest import HandClock
from tests.unit.engine.jobs.test_flood import LIMIT, Coast, a_group
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk

MANY = 30
HELD = MANY - LIMIT - ALIKE
UNTOLD = "SELECT count(*) FROM incidents WHERE open AND channels NOT LIKE '%pagerduty%'"


def flooding(desk: Desk) -> Desk:
    """The same desk, whose severities know floods."""
    severities = {name: replace(each, flood_above=LIMIT) for name, each in desk.book.severities.items()}
    return replace(desk, book=replace(desk.book, severities=severities))


BROKEN = flooding(a_desk(replace(EVERYTHING, severity="P9")))
WELL = flooding(a_desk())


@pytest.fixture
def coast(database: Database, clock: HandClock) -> Iterator[Coast]:
    """A coast on which triage is broken, until a test mends it."""
    found = Coast(database, clock)
    found.desk = BROKEN
    with capture_logs():  # to render a traceback for people takes longer than all the rest
        yield found
    found.diagnosis.close()


def alone(coast: Coast) -> int:
    """How many incidents had a page of their own."""
    return len([incident for incident, _step in coast.pages() if not incident.startswith("FLOOD")])


def test_a_bad_rule_calls_nobody_hundreds_of_times(coast: Coast) -> None:
    """Of many groups on which triage breaks within a minute a few are paged, and one digest tells of the others."""
    coast.storm(MANY)
    assert coast.rows("SELECT count(*) FROM incidents WHERE open AND rule = '(none)'") == [(MANY,)]
    assert coast.rows("SELECT count(*) FROM deliveries WHERE state = 'failed'") == [(MANY,)]
    assert alone(coast) == LIMIT + ALIKE
    assert len(coast.pages()) == LIMIT + ALIKE + 1
    held = coast.rows("SELECT digest, reason FROM incidents WHERE channels = ''")
    assert len(held) == HELD
    assert all(f"told in digest {digest} only" in reason for digest, reason in held)


def test_alerts_of_many_names_are_one_flood_all_the_same(coast: Coast) -> None:
    """One bug of ours breaks on whatever comes: names that differ bring no page each."""
    coast.deliver(*(a_group(number, f"Alert{number}") for number in range(MANY)))
    assert alone(coast) == LIMIT + ALIKE


def test_the_digest_says_that_triage_broke(coast: Coast) -> None:
    """Whoever is woken reads that nobody judged it, where to look at the alerts, and what to take back."""
    coast.storm(MANY)
    [page] = coast.digests()
    assert page.title.startswith(f"[P1] Flood: responder could not triage {MANY - LIMIT} new incidents")
    assert "PodDown, not judged" in page.what
    assert f"Triage itself broke on {MANY - LIMIT} of {MANY - LIMIT}" in page.what
    assert "Alertmanager" in page.first_step
    assert "triage.broken" in page.first_step


def test_a_few_mishaps_in_a_flood_are_told_as_such(coast: Coast) -> None:
    """A digest of judged incidents with some that nobody judged keeps its own title and counts those."""
    coast.desk = WELL
    coast.storm(MANY)
    coast.desk = BROKEN
    coast.deliver(*(a_group(100 + number) for number in range(ALIKE + 2)))
    coast.clock.move(70)
    coast.deliver(a_group(200))
    update = coast.digests("slack")[-1]
    assert "could not triage" not in update.title
    assert "Triage itself broke on 6 of" in update.what


def test_repeats_and_more_of_the_same_page_nobody_while_the_digest_tells(coast: Coast) -> None:
    """Every group is notified again within minutes: who knows from the digest is not called for each."""
    coast.storm(MANY)
    before = len(coast.pages())
    coast.storm(MANY)
    grown = a_group(MANY - 1)
    more = a_group(MANY - 1, pod="another")["alerts"][0] | {"fingerprint": "f" * 16}
    coast.deliver(grown | {"alerts": [*grown["alerts"], more]})
    assert len(coast.pages()) == before


def test_when_it_is_over_all_that_still_fires_is_paged_though_triage_is_still_broken(coast: Coast) -> None:
    """Nothing is left to a digest that has ended; the pages come at a pace people can read."""
    coast.storm(MANY)
    before = alone(coast)
    coast.calm()
    assert coast.digests()[-1].moment is Moment.RESOLUTION
    assert f"{HELD} still open" in coast.digests()[-1].update
    assert alone(coast) == before + LIMIT // 2
    coast.calm(minutes=15)
    assert coast.rows(UNTOLD) == [(0,)]
    assert alone(coast) == before + HELD
    coast.calm(minutes=5)
    assert alone(coast) == before + HELD, "each once"
    coast.deliver(a_group(MANY - 1, status="resolved"))
    assert coast.pages()[-1][1] == "resolve"


def test_what_slack_knew_already_is_held_too_and_paged_when_it_is_over(coast: Coast) -> None:
    """A reload breaks triage for every open P3: the pager hears of each in the end, and not at once."""
    coast.desk = WELL
    for number in range(MANY):
        coast.clock.move(30)
        coast.deliver(a_group(number, severity="warning"))
    coast.clock.move(120)
    coast.desk = BROKEN
    coast.deliver(*(a_group(number) for number in range(MANY)))
    assert alone(coast) == LIMIT + ALIKE
    assert coast.rows(UNTOLD) == [(HELD,)]
    Opening(coast.database, Ledger(coast.database, coast.clock), lambda: coast.desk, coast.clock).run()
    assert coast.rows(UNTOLD) == [(HELD,)], "the look for what is owed a page leaves them to the digest"
    coast.calm()
    assert f"{HELD} still open" in coast.digests()[-1].update
    coast.calm(minutes=15)
    assert coast.rows(UNTOLD) == [(0,)]
    assert alone(coast) == MANY
    assert coast.rows("SELECT count(*) FROM incidents WHERE channels NOT LIKE '%slack%'") == [(0,)]


def test_once_triage_works_again_what_was_held_is_judged(coast: Coast) -> None:
    """In the flood still: a P3 is told in Slack and wakes nobody; a P1 stays in the digest until that is over."""
    coast.storm(MANY)
    coast.desk = WELL
    before = len(coast.pages())
    coast.deliver(a_group(MANY - 1, severity="warning"), a_group(MANY - 2))
    assert len(coast.pages()) == before
    found = coast.rows("SELECT severity, rule, channels FROM incidents ORDER BY delivery DESC LIMIT 2")
    assert found == [("P1", "everything", ""), ("P3", "everything", "slack")]
    coast.calm(minutes=15)
    assert coast.rows("SELECT count(*) FROM incidents WHERE open AND severity = 'P1' AND channels = ''") == [(0,)]


def test_after_the_flood_what_was_held_is_judged_without_a_notification(coast: Coast) -> None:
    """Triage was mended meanwhile: what turns out mild is told in Slack, once, and calls nobody."""
    coast.storm(MANY, severity="warning")
    before = alone(coast)
    coast.desk = WELL
    coast.calm(minutes=15)
    assert alone(coast) == before
    held = coast.rows("SELECT severity, rule, channels FROM incidents WHERE channels = 'slack'")
    assert held == [("P3", "everything", "slack")] * HELD
    messages = coast.rows("SELECT count(*) FROM messages")
    coast.calm(minutes=5)
    assert coast.rows("SELECT count(*) FROM messages") == messages


def test_after_the_flood_a_heartbeat_that_was_held_is_no_incident(coast: Coast) -> None:
    """A Watchdog on which triage broke pages nobody once triage knows it for what it is."""
    coast.storm(MANY)
    before = alone(coast)
    coast.desk = flooding(a_desk(replace(EVERYTHING, action=Action.HEARTBEAT)))
    coast.calm(minutes=15)
    assert alone(coast) == before
    assert coast.rows("SELECT count(*) FROM incidents WHERE open AND channels = ''") == [(0,)]


def test_what_only_the_digest_told_of_ends_in_silence_though_triage_is_broken(coast: Coast) -> None:
    """Nobody hears of the end of what nobody heard of by itself."""
    coast.storm(MANY)
    before = coast.rows("SELECT count(*) FROM messages")
    coast.deliver(a_group(MANY - 1, status="resolved"))
    assert coast.rows("SELECT count(*) FROM messages") == before
    assert coast.rows("SELECT count(*) FROM incidents WHERE NOT open") == [(1,)]


def test_with_floods_switched_off_each_mishap_pages(coast: Coast) -> None:
    """A limit of zero means single pages, for mishaps as well."""
    coast.desk = a_desk(replace(EVERYTHING, severity="P9"))
    coast.storm(MANY)
    assert alone(coast) == MANY
