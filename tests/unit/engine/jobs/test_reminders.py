"""Reminders from the deadline of a severity to the messages: sent once, by any process, and not after an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from responder.converse.timeline import timeline
from responder.engine.jobs.reminders import ReminderJob
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import ActionKind
from responder.model.rule import Reminders
from responder.model.secret import Secret
from responder.model.team import Contact, Team
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.store.database import Database
from responder.store.incidents import records
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_desk
from tests.unit.engine.workers.test_actions import act
from tests.unit.engine.workers.test_page_again import host, notified, over
from tests.unit.engine.workers.test_triage import Shop


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage with an open P1 whose page PagerDuty has not accepted."""
    found = Shop(database, clock)
    found.context = a_desk(replace(EVERYTHING, probes=()))
    notified(found, host(1))
    yield found
    found.diagnosis.close()


def passes(shop: Shop, minutes: float) -> None:
    """Let time pass, and let two processes look, one after the other."""
    shop.clock.move(minutes * 60)
    for _process in range(2):
        writer = IncidentWriter(shop.database, shop.clock)
        ReminderJob(shop.database, writer, lambda: shop.context, shop.clock).run()


def reminders(shop: Shop) -> list[tuple[str, str]]:
    """Channel and step of each reminder."""
    return [
        (row[0], row[1]) for row in shop.rows("SELECT channel, step FROM messages WHERE kind = 'reminder' ORDER BY id")
    ]


def with_reminders(shop: Shop, severity: str = "P1", **changes: object) -> None:
    """Set the reminders of a severity."""
    book = shop.context.book
    changed = replace(book.severities[severity], reminders=Reminders(**changes))  # type: ignore[arg-type]
    shop.context = replace(shop.context, book=replace(book, severities={**book.severities, severity: changed}))


def test_one_reminder_of_a_missed_response(shop: Shop) -> None:
    """Nobody acknowledges a P1 for 15 minutes: one reminder in the channel, none to the pager, and no second one."""
    passes(shop, 14)
    assert reminders(shop) == []
    passes(shop, 1)
    passes(shop, 600)
    assert reminders(shop) == [("slack", "aloud")]


def test_a_reminder_due_while_nothing_ran_is_sent_once(shop: Shop) -> None:
    """After an outage of a day the incident is still late, and is reminded of once."""
    passes(shop, 1440)
    assert reminders(shop) == [("slack", "aloud")]


def test_no_reminder_after_an_acknowledgement_until_the_update_is_late(shop: Shop) -> None:
    """The acknowledgement ends the response, a note starts the time of the update anew."""
    act(shop)
    passes(shop, 29)
    act(shop, ActionKind.NOTE, key="n", text="the disk is full")
    passes(shop, 29)
    assert reminders(shop) == []
    passes(shop, 1)
    assert reminders(shop) == [("slack", "aloud")]


@pytest.mark.parametrize("change", ["silenced = 'by alice'", "resolve_reason = 'it flaps'", "channels = ''"])
def test_no_reminder_of_what_is_silenced_held_or_in_a_digest(shop: Shop, change: str) -> None:
    """An incident that does not concern people now is left alone."""
    with shop.database.write() as connection:
        connection.execute(text(f"UPDATE incidents SET {change}"))
    passes(shop, 60)
    assert reminders(shop) == []


def test_no_reminder_of_what_is_resolved(shop: Shop) -> None:
    """The resolve ends all deadlines."""
    notified(shop, over(1))
    passes(shop, 600)
    assert reminders(shop) == []


def test_no_reminder_while_the_pager_escalates(shop: Shop) -> None:
    """PagerDuty accepted the page and escalates it by itself; rules may ask for the reminder all the same."""
    with shop.database.write() as connection:
        connection.execute(text("UPDATE messages SET state = 'sent' WHERE channel = 'pagerduty'"))
    passes(shop, 60)
    assert reminders(shop) == []
    with_reminders(shop, paged=True)
    passes(shop, 1)
    assert reminders(shop) == [("slack", "aloud")]


def test_a_missed_response_is_escalated(shop: Shop) -> None:
    """The team's fallback channels get the page, its reason and its resolve; the reminder names the next contact."""
    backup = {"backup": PagerDuty(Secret("0" * 32), name="backup"), "leads": Slack(Secret("t"), "#leads", name="leads")}
    team = Team(name="t", channels=("slack",), fallback=("backup", "leads"), escalation=("A (a)", "B (b)"))
    context = shop.context
    shop.context = replace(
        context,
        channels=CHANNELS_USED | backup,
        book=replace(context.book, teams={"t": team}, escalation=(Contact(role="A", contact="a", hours="24/7"),)),
    )
    with_reminders(shop, escalate=("backup", "leads"), next_contact=True)
    passes(shop, 15)
    assert reminders(shop) == [("slack", "aloud")]
    started = "SELECT channel, step FROM messages WHERE kind = 'start' AND id > 3 ORDER BY id"
    assert shop.rows(started) == [("backup", "trigger"), ("leads", "post"), ("leads", "details")]
    ((facts,),) = shop.rows("SELECT facts FROM messages WHERE kind = 'reminder'")
    assert b"escalated to PagerDuty (backup) and Slack (leads); next contact: A (a)" in facts
    notified(shop, over(1))
    assert shop.rows("SELECT step FROM messages WHERE channel = 'backup' ORDER BY id") == [("trigger",), ("resolve",)]


def test_an_incident_that_pages_again_is_late_anew(shop: Shop) -> None:
    """The new page has a deadline and a reminder of its own."""
    passes(shop, 15)
    notified(shop, over(1))
    shop.clock.move(700)
    notified(shop, host(1, startsAt="2026-11-23T10:01:00Z"))
    passes(shop, 15)
    assert len(reminders(shop)) == 2


def test_the_timeline_states_the_reason(shop: Shop) -> None:
    """The row of a reminder names the response that is late, and its time."""
    passes(shop, 15)
    with shop.database.write() as connection:
        connection.execute(text("UPDATE messages SET state = 'sent', ended_at = written_at"))
    name = str(shop.rows("SELECT id FROM incidents")[0][0])
    with shop.database.read() as connection:
        found = records.of_incident(connection, name)
    assert found is not None
    [said] = [each.text for each in timeline(found) if each.text.startswith("reminder")]
    assert said.startswith("reminder accepted by slack: not acknowledged; the response was due at ")
