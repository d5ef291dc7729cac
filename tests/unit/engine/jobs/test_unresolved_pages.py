"""A resolve that PagerDuty rejects permanently: its other channels say that it must be resolved manually."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.engine.jobs.unresolved_pages import UnresolvedPagesJob
from responder.engine.workers.triage import IncidentWriter, write
from responder.model.delivery import IncidentChanges
from responder.model.incident import Incident
from responder.model.message import ClaimedMessage
from responder.model.report import MessageKind
from responder.model.rule import Rule
from responder.model.secret import Secret
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.contract import Channel
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.outbox import claims, outbox
from responder.store.outbox.dead_letters import resend
from tests.conftest import HandClock
from tests.support.builders import NOW, a_group, a_resolved_alert
from tests.support.outbox_messages import claimed, last_report, message_counts
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_delivery, a_desk, begun

EVERY = claims.ChannelQueue((), rest=True)
UNPROBED = replace(EVERYTHING, probes=())
ONLY: dict[str, Channel] = {"pagerduty": PagerDuty(Secret("key")), "log": CHANNELS_USED["log"]}


class Morning:
    """An incident that paged, and its resolve, which PagerDuty does not accept."""

    def __init__(
        self,
        database: Database,
        clock: HandClock,
        channels: dict[str, Channel],
        rule: Rule = UNPROBED,
    ) -> None:
        self.database = database
        self.clock = clock
        self.context = a_desk(rule, channels)
        self.job = UnresolvedPagesJob(database, IncidentWriter(database, clock), lambda: self.context, clock)
        outbox.prepare_states(database, channels)
        first = begun(self.context)
        assert first.incident is not None
        over = pipeline.triage(a_group(a_resolved_alert()), a_delivery(2, 600), History(first.incident), self.context)
        assert over.incident is not None
        self.incident: Incident = over.incident
        for effects, added, changed in ((first, [first.incident], []), (over, [], [over.incident])):
            with database.transaction() as connection:
                write(connection, IncidentChanges(effects=[effects], added=added, changed=changed), clock.now(), 0)
        clock.move(601)

    def carry(self, refused: Callable[[ClaimedMessage], bool]) -> None:
        """Let every message be tried: accepted, or rejected permanently."""
        now = self.clock.now()
        while True:
            with self.database.transaction() as connection:
                messages = claimed(connection, EVERY, now, now + timedelta(seconds=6), 10)
                for message in messages:
                    if refused(message):
                        outbox.give_up(connection, message, "HTTP 400: Invalid routing key", now)
                    else:
                        outbox.sent(connection, message, {}, now)
            if not messages:
                return

    def notified(self) -> list[tuple[str, str]]:
        """Channel and step of what was written because the end was refused."""
        self.job.run()
        with self.database.read() as connection:
            found = "SELECT channel, step FROM messages WHERE kind = 'unclosed' ORDER BY id"
            return [(channel, step) for channel, step in connection.execute(text(found))]


@pytest.fixture
def morning(database: Database, clock: HandClock) -> Morning:
    """With PagerDuty and Slack."""
    return Morning(database, clock, CHANNELS_USED)


def an_end(message: ClaimedMessage) -> bool:
    """True if the message resolves the incident at PagerDuty."""
    return message.step == "resolve"


def test_slack_hears_that_it_must_be_closed_by_hand(morning: Morning) -> None:
    """Slack says once that a rejected resolve must be done manually, why, and how."""
    morning.carry(an_end)
    assert morning.notified() == [("slack", "aloud")]
    assert morning.notified() == [("slack", "aloud")]
    with morning.database.read() as connection:
        report = last_report(connection, morning.incident.id, NOW)
    assert "rejected the resolve of this incident (HTTP 400: Invalid routing key)" in report.update
    assert "resolve it there manually" in report.update
    assert "`responder messages resend 4`" in report.update


@pytest.mark.parametrize(("removed", "said"), [("payments-pager", [("slack", "aloud")]), ("payments-slack", [])])
def test_the_resolve_of_a_removed_pager_must_be_done_by_hand(
    database: Database, clock: HandClock, removed: str, said: list[tuple[str, str]]
) -> None:
    """A reload that removes a pager before its resolve was sent leaves a page open there; a chat channel does not."""
    named: dict[str, Channel] = {
        "payments-pager": PagerDuty(Secret("other"), name="payments-pager"),
        "payments-slack": Slack(Secret("token"), "#payments", name="payments-slack"),
    }
    rule = replace(UNPROBED, channels=(removed, "slack"))
    morning = Morning(database, clock, CHANNELS_USED | named, rule)
    morning.carry(lambda message: message.channel == removed and message.report.kind is MessageKind.RESOLUTION)
    morning.context = a_desk(rule, CHANNELS_USED)
    assert morning.notified() == said
    if said:
        with database.read() as connection:
            report = last_report(connection, morning.incident.id, NOW)
        assert report.update.startswith("PagerDuty (payments-pager) rejected the resolve")


def test_what_pagerduty_never_took_need_not_be_closed(morning: Morning) -> None:
    """If PagerDuty rejected the trigger as well, nothing is open there."""
    morning.carry(lambda message: message.channel == "pagerduty")
    assert morning.notified() == []


def test_what_was_closed_is_not_spoken_of(morning: Morning) -> None:
    """An end that PagerDuty takes is the usual case."""
    morning.carry(lambda _letter: False)
    assert morning.notified() == []


def test_what_fires_again_is_open_there_rightly(morning: Morning) -> None:
    """No manual resolve is requested for an incident that is open again."""
    morning.carry(an_end)
    with morning.database.transaction() as connection:
        incidents.save(connection, [], [replace(morning.incident, open=True, resolved_at=None)])
    assert morning.notified() == []


def test_without_slack_it_stands_in_the_log(database: Database, clock: HandClock) -> None:
    """It is somewhere, whatever is configured."""
    morning = Morning(database, clock, ONLY)
    morning.carry(an_end)
    assert morning.notified() == [("log", "print")]


def test_an_end_that_is_sent_again_closes_it(morning: Morning) -> None:
    """The advice works: after the key is fixed, `messages resend` resolves the incident."""
    morning.carry(an_end)
    morning.notified()
    with morning.database.transaction() as connection:
        (answer,) = resend(connection, [4], morning.clock.now())
    assert answer.refused == ""
    morning.carry(lambda _letter: False)
    with morning.database.read() as connection:
        assert message_counts(connection)[("pagerduty", "sent")] == 2
