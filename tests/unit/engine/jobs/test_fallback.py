"""A page that is not accepted is sent once through a fallback channel, and its resolve reaches all channels."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext, History
from responder.engine.jobs.fallback import FallbackJob, ways
from responder.engine.workers.triage import IncidentWriter, write
from responder.model.delivery import IncidentChanges
from responder.model.incident import Incident
from responder.model.message import ClaimedMessage
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty, PagerDutyFallback
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.channels.smtp import Smtp
from responder.notify.contract import Channel
from responder.notify.render.slack_messages import fallback_page, minimal_text
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.outbox import claims, outbox
from tests.conftest import HandClock
from tests.support.builders import NOW, a_group, a_mail_server, a_report, a_resolved_alert, composed
from tests.support.outbox_messages import claimed, last_report
from tests.unit.engine.test_pipeline import EVERYTHING, a_delivery, a_desk, begun

CHANNELS: dict[str, Channel] = {
    "pagerduty": PagerDuty(Secret("first")),
    "pagerduty_fallback": PagerDutyFallback(Secret("second")),
    "slack": Slack(Secret("token"), "#incidents", group="S0123ABCD"),
    "smtp": Smtp("responder@example.com", ("oncall@example.com",), a_mail_server()),
}
LOG = Log()
SLACK_ONLY = replace(EVERYTHING, id="slack-only", channels=("slack",))
EVERY = claims.ChannelQueue((), rest=True)


class Night:
    """A P1 page in the outbox, and the look-out for pages that are stuck."""

    def __init__(self, database: Database, clock: HandClock, channels: dict[str, Channel] = CHANNELS) -> None:
        self.database = database
        self.clock = clock
        self.context: DecisionContext = replace(a_desk(), channels=channels)
        self.fallback = FallbackJob(database, IncidentWriter(database, clock), lambda: self.context, clock, 60.0)
        outbox.prepare_states(database, channels)
        effects = begun(a_desk())
        assert effects.incident is not None
        told = replace(effects.incident, channels=("pagerduty",))
        messages = tuple(replace(d, due_at=NOW, enrich=False) for d in effects.messages if d.channel == "pagerduty")
        self.begun = replace(effects, notification=None, incident=told, messages=messages, request=None)
        with database.transaction() as connection:
            write(connection, IncidentChanges(effects=[self.begun], added=[told]), NOW, 0)

    def fail(self, *, dead: bool = False) -> list[str]:
        """Let every message that is due be tried in vain; their channels."""
        now = self.clock.now()
        with self.database.transaction() as connection:
            messages = claimed(connection, EVERY, now, now + timedelta(seconds=6), 10)
            for message in messages:
                self._fail(connection, message, dead=dead)
        return [message.channel for message in messages]

    def _fail(self, connection: object, message: ClaimedMessage, *, dead: bool) -> None:
        now = self.clock.now()
        if dead:
            outbox.give_up(connection, message, "HTTP 400: Invalid routing key", now)  # type: ignore[arg-type]
            return
        outbox.record_failing(connection, message.channel, now)  # type: ignore[arg-type]
        outbox.schedule_retry(connection, message, now, "HTTP 503", minimal=False)  # type: ignore[arg-type]

    def notified(self) -> list[tuple[str, str]]:
        """Channel and moment of all messages, in order."""
        with self.database.read() as connection:
            rows = connection.execute(text("SELECT channel, kind FROM messages ORDER BY id")).all()
        return [(channel, moment) for channel, moment in rows]

    def incident(self) -> Incident:
        """The stored page."""
        assert self.begun.incident is not None
        with self.database.read() as connection:
            found = incidents.find(connection, self.begun.incident.id)
        assert found is not None
        return found


@pytest.fixture
def night(database: Database, clock: HandClock) -> Night:
    """With every way configured."""
    return Night(database, clock)


def test_a_page_goes_from_way_to_way_until_somebody_is_reached(night: Night) -> None:
    """PagerDuty, second key, Slack with the group, mail: each gets its minute, none is used twice, nothing is lost."""
    expected = ["pagerduty", "pagerduty_fallback", "slack", "smtp"]
    for number in range(1, 5):
        night.fail()
        night.fallback.run()
        assert len(night.notified()) == number
        night.clock.move(61)
        night.fail()
        for _ in range(3):
            night.fallback.run()
    assert night.notified() == [("pagerduty", "start"), *((name, "fallback") for name in expected[1:])]
    assert list(night.incident().channels) == expected
    assert sorted(night.fail()) == sorted(expected), "every one of them is still tried"


def test_the_page_says_the_whole_way_it_took(night: Night) -> None:
    """A page on the third channel says what is wrong with the first two."""
    for _ in range(3):
        night.clock.move(61)
        night.fail()
        night.fallback.run()
    with night.database.read() as connection:
        report = last_report(connection, night.incident().id, NOW)
    assert report.kind is MessageKind.FALLBACK
    assert report.fallback_reason.startswith(
        "PagerDuty has not accepted this page for 1 minute: HTTP 503; then PagerDuty's"
    )
    assert report.title == composed(night.begun)[0].title


def test_a_page_that_was_refused_for_good_takes_the_next_way_at_once(night: Night) -> None:
    """A wrong integration key costs seconds."""
    night.fail(dead=True)
    night.fallback.run()
    assert night.notified() == [("pagerduty", "start"), ("pagerduty_fallback", "fallback")]


def test_a_refused_page_of_a_resolved_incident_is_read_elsewhere(night: Night) -> None:
    """A page that is refused after its alert resolved is posted where nobody is paged, as resolved, and once."""
    over = pipeline.triage(
        a_group(a_resolved_alert()), a_delivery(2, 600), History(night.incident()), replace(night.context)
    )
    assert over.incident is not None
    with night.database.transaction() as connection:
        changes = IncidentChanges(effects=[replace(over, messages=())], changed=[over.incident])
        write(connection, changes, night.clock.now(), 0)
    night.fail(dead=True)
    for _ in range(2):
        night.fallback.run()
    assert night.notified() == [("pagerduty", "start"), ("slack", "fallback")]
    with night.database.read() as connection:
        report = last_report(connection, night.incident().id, NOW)
    print(report)
    shown = json.dumps(fallback_page(report, "S0123ABCD").blocks)
    assert "Resolved after 10 minutes" in shown
    assert "Resolved before any channel accepted its page" in shown
    assert "rejected this page" in shown
    assert "S0123ABCD" not in shown


def test_the_end_reaches_everybody_who_was_told(night: Night) -> None:
    """A channel used as fallback gets the resolve of the incident."""
    for _ in range(3):
        night.clock.move(61)
        night.fail()
        night.fallback.run()
    group = a_group(a_resolved_alert())
    over = pipeline.triage(group, a_delivery(9, 600), History(night.incident()), night.context)
    assert over.incident is not None
    assert not over.incident.open
    resolved = {message.channel for message in over.messages if message.kind is MessageKind.RESOLUTION}
    assert resolved == set(CHANNELS)


def test_nobody_is_woken_for_what_is_over(night: Night) -> None:
    """An incident that ended while PagerDuty was down is not paged the other way."""
    night.clock.move(61)
    night.fail()
    with night.database.transaction() as connection:
        incidents.save(connection, [], [replace(night.incident(), open=False, resolved_at=night.clock.now())])
    night.fallback.run()
    assert night.notified() == [("pagerduty", "start")]


def test_a_page_that_was_accepted_takes_no_other_way(night: Night) -> None:
    """PagerDuty accepts on the third attempt: on-call is not paged twice."""
    night.fail()
    with night.database.transaction() as connection:
        (message,) = claimed(connection, EVERY, NOW, NOW, 10)
        outbox.sent(connection, message, {}, NOW)
    night.clock.move(3600)
    night.fallback.run()
    assert night.notified() == [("pagerduty", "start")]


def test_without_a_group_to_mention_slack_is_no_way(database: Database, clock: HandClock) -> None:
    """A message among others does not page, so mail is next."""
    silent: dict[str, Channel] = {**CHANNELS, "slack": Slack(Secret("token"), "#incidents")}
    night = Night(database, clock, silent)
    assert ways(night.context.channels) == ("pagerduty", "pagerduty_fallback", "smtp")


def test_a_page_of_a_pager_that_is_configured_away_is_read_elsewhere(night: Night) -> None:
    """The key was taken out while a P1 waited: the page takes the next way, and says that PagerDuty is gone."""
    night.context = replace(night.context, channels={"slack": CHANNELS["slack"], "log": LOG})
    night.fail(dead=True)
    night.fallback.run()
    assert night.notified() == [("pagerduty", "start"), ("slack", "fallback")]


def test_a_page_that_can_wake_nobody_is_at_least_read(database: Database, clock: HandClock) -> None:
    """Without a fallback channel Slack, and if that fails the log, says that PagerDuty did not page."""
    silent: dict[str, Channel] = {
        "pagerduty": CHANNELS["pagerduty"],
        "slack": Slack(Secret("token"), "#incidents"),
        "log": LOG,
    }
    night = Night(database, clock, silent)
    for number in range(1, 5):
        night.fail(dead=True)
        night.fallback.run()
        assert len(night.notified()) == min(number + 1, 3)
    assert night.notified() == [("pagerduty", "start"), ("slack", "fallback"), ("log", "fallback")]


def test_two_that_decide_at_once_page_once(night: Night) -> None:
    """Replicas, and an engine that died after it decided, lead to one page each way."""
    night.clock.move(61)
    night.fail()
    other = FallbackJob(
        night.database, IncidentWriter(night.database, night.clock), lambda: night.context, night.clock, 60.0
    )
    night.fallback.run()
    other.run()
    assert night.notified() == [("pagerduty", "start"), ("pagerduty_fallback", "fallback")]


class Bar(Night):
    """A first message in Slack, of a severity that does not page unless it ``pages``, without a page at PagerDuty."""

    def __init__(
        self, database: Database, clock: HandClock, channels: dict[str, Channel], *, pages: bool, rule: str = "x"
    ) -> None:
        super().__init__(database, clock, channels)
        with database.transaction() as connection:
            connection.execute(text("UPDATE messages SET state = 'withdrawn'"))
            message = replace(
                self.begun.messages[0],
                channel="slack",
                channel_kind="slack",
                step="post",
            )
            content = self.begun.content
            assert content is not None
            told = replace(content, decision=replace(content.decision, pages=pages, rule=rule))
            incidents.save_contents(connection, [told], (), NOW)
            outbox.write(connection, [message], NOW)

    def refused(self, times: int) -> list[tuple[str, str]]:
        """Messages sent after every channel rejected its message permanently."""
        for _ in range(times):
            self.fail(dead=True)
            self.fallback.run()
        return self.notified()[1:]

    def mentions(self) -> bool:
        """True if the newest message mentions the on-call group."""
        with self.database.read() as connection:
            report = last_report(connection, self.incident().id, NOW)
        said = [fallback_page(report, "S0123ABCD").text, minimal_text(report, "S0123ABCD")]
        return any("subteam" in each for each in said)


HOOK = SlackWebhook(Secret("https://hooks.example.com/x"), group="S0123ABCD")


def test_a_page_mentions_the_groups_of_its_teams() -> None:
    """Teams that share a channel are mentioned each for its own pages; without a team it is the channel's group."""
    report = a_report(kind=MessageKind.FALLBACK)
    for said in (fallback_page(report, "S0123ABCD").text, minimal_text(report, "S0123ABCD")):
        assert said.startswith("<!subteam^S0123ABCD>")
    report = replace(report, oncall_groups=("S1111AAAA", "S2222BBBB"))
    for said in (fallback_page(report, "S0123ABCD").text, minimal_text(report, "S0123ABCD")):
        assert said.startswith("<!subteam^S1111AAAA> <!subteam^S2222BBBB>")
        assert "S0123ABCD" not in said


def test_what_slack_alone_was_to_say_is_read_another_way(database: Database, clock: HandClock) -> None:
    """If Slack's channel is archived, a P3 goes to its webhook, then to the log, without a page or mail."""
    bar = Bar(database, clock, {**CHANNELS, "slack_webhook": HOOK, "log": LOG}, pages=False)
    assert bar.refused(1) == [("slack", "start"), ("slack_webhook", "fallback")]
    assert not bar.mentions()
    assert bar.refused(4) == [("slack", "start"), ("slack_webhook", "fallback"), ("log", "fallback")]
    assert list(bar.incident().channels) == ["pagerduty", "slack_webhook", "log"]


def test_a_p1_that_pagerduty_has_is_not_mailed_because_slack_refused_it(database: Database, clock: HandClock) -> None:
    """An incident already paged by PagerDuty is not paged again: the message goes to the log."""
    bar = Bar(database, clock, {**CHANNELS, "log": LOG}, pages=True)
    assert bar.refused(3) == [("slack", "start"), ("log", "fallback")]


def test_without_pagerduty_a_p1_that_slack_refuses_wakes_by_mail(database: Database, clock: HandClock) -> None:
    """If Slack is the only channel, a P1 that it rejects permanently was not announced anywhere."""
    slack = Slack(Secret("token"), "#incidents")
    channels: dict[str, Channel] = {"slack": slack, "smtp": CHANNELS["smtp"], "log": LOG}
    bar = Bar(database, clock, channels, pages=True)
    assert bar.refused(1) == [("slack", "start"), ("smtp", "fallback")]


def test_without_pagerduty_what_its_rule_keeps_from_the_pager_is_not_mailed(
    database: Database, clock: HandClock
) -> None:
    """A rule that names Slack alone does not page, however high its severity is."""
    slack = Slack(Secret("token"), "#incidents")
    channels: dict[str, Channel] = {"slack": slack, "smtp": CHANNELS["smtp"], "log": LOG}
    bar = Bar(database, clock, channels, pages=True, rule=SLACK_ONLY.id)
    bar.context = replace(a_desk(SLACK_ONLY), channels=channels)
    assert bar.refused(3) == [("slack", "start"), ("log", "fallback")]
