"""Effects of each kind of notification: messages, channels and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from responder.diagnose.probes import PROBES
from responder.engine import pipeline
from responder.engine.effects.context import SHARED, DecisionContext, History
from responder.engine.effects.page import incident_id
from responder.engine.effects.triage_failure import failed
from responder.engine.pipeline import with_diagnosis
from responder.model.alert import Alert, AlertGroup
from responder.model.clue import Clue, Role
from responder.model.delivery import Effects, Notification
from responder.model.finding import Verdict
from responder.model.problem import Position
from responder.model.report import MessageKind, Status
from responder.model.rule import Action, ProbeSpec, Rule, RunbookRef, SeverityFrom
from responder.model.secret import Secret
from responder.model.window import TimeRange, Window
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.contract import Channel
from responder.notify.report.links import LinkBuilder
from responder.triage.rule_index import RuleIndex
from tests.support.builders import (
    NOW,
    STARTED,
    a_book,
    a_finding,
    a_group,
    a_resolved_alert,
    a_rule,
    an_alert,
    composed,
)

TCP = ProbeSpec(
    name="tcp",
    kind="tcp",
    timeout=1.0,
    spec=PROBES["tcp"].spec(target="${health}"),
    position=Position("rules/probes.yaml", 1, 1),
)
CHANNELS_USED: dict[str, Channel] = {
    "pagerduty": PagerDuty(Secret("key")),
    "slack": Slack(Secret("token"), "#incidents"),
    "log": Log(),
}
BY_SEVERITY = SeverityFrom(
    names=("severity",), mapping={"critical": "P1", "warning": "P3"}, unknown="P4", otherwise="P4"
)
EVERYTHING = replace(
    a_rule(), matchers=(), severity=BY_SEVERITY, probes=("tcp",), channels=("pagerduty", "slack"), id="everything"
)


def a_desk(
    rule: Rule = EVERYTHING, channels: dict[str, Channel] = CHANNELS_USED, above: tuple[Rule, ...] = ()
) -> DecisionContext:
    """One rule for everything below those ``above``, a tcp probe, PagerDuty and Slack."""
    book = replace(a_book(), rules=(*above, rule), probes={"tcp": TCP})
    return DecisionContext(
        book=book,
        matching=RuleIndex(book.rules),
        probe_kinds=PROBES,
        channels=channels,
        links=LinkBuilder(runbook_base_url="https://runbooks.example.com"),
        prometheus_url="",
    )


def a_delivery(number: int = 1, after: float = 0.0) -> Notification:
    """A notification received some seconds after NOW; its payload is not used here."""
    return Notification(id=number, received_at=NOW + timedelta(seconds=after), body=b"")


def told(effects: Effects) -> list[tuple[str, str]]:
    """Channel and step of each message."""
    return [(message.channel, message.step) for message in effects.messages]


def following(
    first: Effects, group: AlertGroup, context: DecisionContext, number: int = 2, after: float = 60.0
) -> Effects:
    """Decide the next notification of the same group."""
    history = History(first.incident, first.content)
    return pipeline.triage(group, a_delivery(number, after), history, context)


def begun(context: DecisionContext, *alerts: Alert) -> Effects:
    """The first notification."""
    return pipeline.triage(a_group(*alerts), a_delivery(), History(), context)


def test_a_new_incident_pages_everybody_at_its_budget_at_the_latest() -> None:
    """The page exists, with its due time, before any probe has run."""
    effects = begun(a_desk())
    assert told(effects) == [("pagerduty", "trigger"), ("slack", "post"), ("slack", "details")]
    assert {message.due_at for message in effects.messages} == {NOW + timedelta(seconds=8)}
    assert all(message.enrich for message in effects.messages)
    assert effects.incident is not None
    assert effects.incident.channels == ("pagerduty", "slack")
    assert effects.request is not None
    assert effects.request.probes == ("tcp",)


def test_deciding_twice_opens_one_incident() -> None:
    """A transaction that is repeated after a crash finds the same incident again."""
    first, second = begun(a_desk()), begun(a_desk())
    assert first == second
    assert first.incident is not None
    assert first.incident.id == incident_id(first.incident.dedup_key, 1)


def test_a_page_without_probes_does_not_wait() -> None:
    """Without probes to run, the page does not wait."""
    effects = begun(a_desk(replace(EVERYTHING, probes=())))
    assert {message.due_at for message in effects.messages} == {NOW}
    assert effects.request is None


def test_a_page_whose_probes_cannot_be_asked_does_not_wait() -> None:
    """A service outside the catalog has no address to look at: the page leaves at once."""
    effects = begun(a_desk(), an_alert(labels={"service": "unheard-of", "job": "unheard-of"}))
    assert effects.request is None
    assert {message.due_at for message in effects.messages} == {NOW}


def test_a_severity_that_does_not_page_wakes_nobody() -> None:
    """P3 and P4 go to Slack only."""
    effects = begun(a_desk(), an_alert(labels={"severity": "warning"}))
    assert told(effects) == [("slack", "post"), ("slack", "details")]


def test_the_worst_alert_decides() -> None:
    """One critical alert among twenty warnings makes the incident critical."""
    mild = [an_alert(labels={"severity": "warning", "instance": str(n)}) for n in range(19)]
    effects = begun(a_desk(), *mild[:10], an_alert(), *mild[10:])
    assert effects.decision is not None
    assert effects.decision.severity.name == "P1"


def test_a_repeated_notification_tells_nobody() -> None:
    """Repeat intervals and HA duplicates are silent."""
    context = a_desk()
    again = following(begun(context), a_group(), context)
    assert told(again) == []
    assert again.incident is not None
    assert again.incident.notification == 2


def test_growth_is_told_in_slack_and_does_not_wake_again() -> None:
    """More alerts of the same kind are news, and no second page."""
    context = a_desk()
    more = following(begun(context), a_group(an_alert(), an_alert(labels={"instance": "2"})), context)
    assert told(more) == [("slack", "edit"), ("slack", "reply")]
    assert {message.kind for message in more.messages} == {MessageKind.UPDATE}


def test_an_incident_that_becomes_worse_pages_then() -> None:
    """A P3 that turns into a P1 pages, with its own diagnosis and budget."""
    context = a_desk()
    mild = an_alert(labels={"severity": "warning"})
    worse = following(begun(context, mild), a_group(mild, an_alert()), context)
    assert told(worse) == [("slack", "edit"), ("slack", "reply"), ("pagerduty", "trigger")]
    assert worse.incident is not None
    assert worse.incident.channels == ("slack", "pagerduty")
    assert worse.request is not None
    assert worse.request.channels == ("pagerduty",)
    page = worse.messages[-1]
    assert page.kind is MessageKind.START
    assert page.due_at == NOW + timedelta(seconds=68)


def test_the_end_is_told_to_all_who_were_told_of_the_beginning() -> None:
    """PagerDuty is resolved and the Slack message says so."""
    context = a_desk()
    over = following(begun(context), a_group(a_resolved_alert()), context)
    assert told(over) == [("pagerduty", "resolve"), ("slack", "edit"), ("slack", "reply")]
    assert over.incident is not None
    assert not over.incident.open
    assert {message.ordering_key for message in over.messages} == {over.incident.dedup_key}


def test_the_end_reaches_the_pager_even_if_the_rules_have_changed() -> None:
    """A channel that paged gets the resolve, whatever the current rules say."""
    first = begun(a_desk())
    context = a_desk(replace(EVERYTHING, severity="P4", channels=("slack",)))
    over = following(first, a_group(a_resolved_alert()), context)
    assert ("pagerduty", "resolve") in told(over)


def test_a_heartbeat_never_notifies() -> None:
    """The Watchdog is recorded and does not page, whatever its labels."""
    effects = begun(a_desk(replace(EVERYTHING, action=Action.HEARTBEAT)))
    assert (told(effects), effects.incident, effects.state) == ([], None, "decided")


OFFICE = Window(
    name="office",
    zone=ZoneInfo("UTC"),
    days=frozenset(range(5)),
    spans=(TimeRange(time(9), time(17)),),
    holidays=frozenset(),
)
IN_OFFICE_HOURS = replace(EVERYTHING, pages_in={"P1": OFFICE}, note="Call the shop first.", owner="team-shop")


def test_outside_of_its_window_a_page_is_told_and_wakes_nobody() -> None:
    """On a Saturday night it is posted to Slack, with the reason and the time of the page."""
    effects = begun(a_desk(IN_OFFICE_HOURS))
    assert told(effects) == [("slack", "post"), ("slack", "details")]
    report = composed(effects)[0]
    assert "not paged outside of office, which opens Mon 2026-03-02 09:00 (UTC)" in report.severity_reason
    assert (report.pages, report.severity, report.note, report.owner) == (
        False,
        "P1",
        "Call the shop first.",
        "team-shop",
    )


def test_a_channel_for_people_who_sleep_is_not_the_only_one() -> None:
    """A rule with PagerDuty alone is still posted to Slack while its window is closed."""
    assert told(begun(a_desk(replace(IN_OFFICE_HOURS, channels=("pagerduty",)))))[0] == ("slack", "post")


def test_what_still_fires_when_the_window_opens_pages_then() -> None:
    """Monday morning finds the incident of Saturday night, once."""
    context = a_desk(IN_OFFICE_HOURS)
    first = begun(context)
    sunday = following(first, a_group(), context, 2, 86400)
    assert told(sunday) == []
    monday = following(replace(sunday, messages=first.messages), a_group(), context, 3, 2 * 86400 + 7 * 3600)
    assert ("pagerduty", "trigger") in told(monday)
    assert monday.incident is not None
    assert monday.incident.channels == ("slack", "pagerduty")
    assert told(following(monday, a_group(), context, 4, 2 * 86400 + 8 * 3600)) == []


SHADOW = replace(
    EVERYTHING, id="on-trial", shadow=True, severity="P2", probes=(), channels=("log",), gather=("service",)
)


def test_a_rule_in_shadow_takes_nobodys_page() -> None:
    """With a rule on trial above it the old rule pages as if that were not there: the same incident and messages."""
    without, tried = a_desk(), a_desk(above=(SHADOW,))
    effects = begun(tried)
    assert effects.messages == begun(without).messages
    assert (effects.request, effects.due_at) == (begun(without).request, begun(without).due_at)
    assert ("pagerduty", "trigger") in told(effects)
    incident = effects.incident
    assert incident is not None
    assert (incident.rule, incident.channels, incident.severity) == ("everything", ("pagerduty", "slack"), "P1")
    assert replace(incident, reason="") == replace(begun(without).incident, reason="")  # type: ignore[type-var]


def test_what_a_rule_in_shadow_would_have_decided_is_recorded() -> None:
    """The decision of a shadow rule is recorded on the incident and on each notification."""
    context = a_desk(above=(SHADOW,))
    effects = begun(context)
    assert effects.incident is not None
    said = "; in shadow, rule on-trial would decide: P2 set by the rule"
    assert effects.incident.reason.endswith(said)
    assert effects.outcome.endswith(said)
    assert following(effects, a_group(an_alert()), context).outcome.endswith(said)
    assert "on-trial" not in str(composed(effects))


def test_an_incident_that_nobody_heard_of_is_told_when_it_grows() -> None:
    """If an incident was not announced for any reason, its next update opens the page."""
    first = begun(a_desk())
    assert first.incident is not None
    unheard = replace(first, incident=replace(first.incident, channels=()))
    real = following(unheard, a_group(an_alert(), an_alert(labels={"instance": "2"})), a_desk())
    assert {("pagerduty", "trigger"), ("slack", "post")} <= set(told(real))


def test_without_any_channel_the_page_is_printed() -> None:
    """A responder without keys shows every page in its log."""
    effects = begun(a_desk(channels={"log": CHANNELS_USED["log"]}))
    assert told(effects) == [("log", "print")]


def test_findings_reach_the_page() -> None:
    """Findings are on the page that has not been sent yet."""
    effects = begun(a_desk())
    assert effects.request is not None
    bad = a_finding(verdict=Verdict.BAD, headline="plato: 0/3 ready")
    diagnosed = pipeline.diagnose(effects.request, (bad,), a_desk())
    [page, *_] = composed(with_diagnosis(effects, effects.request, diagnosed, a_desk(), NOW))
    assert (page.kind, page.findings) == (MessageKind.START, (bad,))
    assert "0/3" in page.conclusion.likely


def test_the_conclusion_has_what_the_rule_in_force_names_for_it() -> None:
    """First step and runbook are those of the rule for the code; a rule that a reload removed names none."""
    url = RunbookRef("https://wiki.example.com/${team}/crash")
    named = replace(EVERYTHING, first_steps={"crash": "Read the log."}, runbooks={"crash": url})
    effects = begun(a_desk(named), an_alert(labels={"team": "a/b", "secret": "x"}))
    assert effects.request is not None
    assert effects.request.labels == {"team": "a/b"}
    clue = Clue(code="crash-memory", role=Role.CAUSE, entity="Deployment/plato", says="plato was OOM-killed")
    found = (a_finding(kind="kubernetes", clue=clue),)
    conclusion = pipeline.diagnose(effects.request, found, a_desk(named)).conclusion
    assert conclusion.first_step == "Read the log."
    assert conclusion.runbook is not None
    assert conclusion.runbook.href == "https://wiki.example.com/a%2Fb/crash"
    without = pipeline.diagnose(effects.request, found, a_desk(replace(EVERYTHING, id="other"))).conclusion
    assert without.runbook is None
    assert "memory" in without.first_step


def test_what_the_probes_found_stays_on_the_page() -> None:
    """An update does not wipe the diagnosis from the Slack message."""
    context = a_desk()
    first = begun(context)
    assert first.request is not None
    page = with_diagnosis(first, first.request, pipeline.diagnose(first.request, (a_finding(),), context), context, NOW)
    grown = following(page, a_group(an_alert(), an_alert(labels={"instance": "2"})), context)
    assert composed(grown)[0].findings == (a_finding(),)


@pytest.mark.parametrize("group", [None, a_group()], ids=["unreadable", "readable"])
def test_a_delivery_that_breaks_triage_still_reaches_people(group: AlertGroup | None) -> None:
    """A bug in triage is a page, not a lost alert."""
    effects = failed(a_delivery(17), group, KeyError("x"), a_desk(), SHARED, None)
    assert effects.state == "failed"
    assert {message.channel for message in effects.messages} == {"pagerduty", "slack"}
    for report in composed(effects):
        assert "could not triage" in report.title
        assert "KeyError" in report.severity_reason


def test_the_page_of_a_delivery_that_breaks_triage_shows_no_secret() -> None:
    """A password in a label does not reach PagerDuty or Slack when triage fails."""
    group = a_group(an_alert(labels={"url": "https://bob:hunter22@db.example.com"}))
    report = composed(failed(a_delivery(17), group, KeyError("x"), a_desk(), SHARED, None))[0]
    assert report.labels["url"] == "https://[REDACTED:userinfo]@db.example.com"


def lived(context: DecisionContext, *notifications: tuple[float, Alert]) -> list[Effects]:
    """Kind of each notification, received at minutes after NOW; the last of a group with one alert."""
    history, told = History(), []
    for number, (minutes, alert) in enumerate(notifications, 1):
        effects = pipeline.triage(a_group(alert), a_delivery(number, minutes * 60), history, context)
        history = History(effects.incident or history.incident, effects.content or history.content)
        told.append(effects)
    return told


def flap(number: int) -> tuple[tuple[float, Alert], tuple[float, Alert]]:
    """The ``number``-th end of the usual alert, and its next beginning."""
    ended, began = STARTED + timedelta(minutes=10 * number - 5), STARTED + timedelta(minutes=10 * number)
    earlier = began - timedelta(minutes=10)
    end = a_resolved_alert(starts_at=earlier, ends_at=ended)
    return (10 * number - 5.0, end), (10.0 * number, an_alert(starts_at=began))


def test_what_fires_again_pages_again_with_its_own_diagnosis() -> None:
    """After the resolve a re-fire pages again, for the same incident, and the page says so."""
    begun, over, again = lived(a_desk(), (0, an_alert()), *flap(1))
    assert told(over) == [("pagerduty", "resolve"), ("slack", "edit"), ("slack", "reply")]
    assert told(again) == [("pagerduty", "trigger"), ("slack", "edit"), ("slack", "aloud")]
    assert again.incident is not None
    assert begun.incident is not None
    assert (again.incident.id, again.incident.open, again.incident.flaps) == (begun.incident.id, True, 1)
    assert again.request is not None
    page = again.messages[0]
    assert (page.kind, page.enrich) == (MessageKind.AGAIN, True)
    assert page.due_at == NOW + timedelta(minutes=10, seconds=8)
    report = composed(again)[0]
    assert "re-fired ×1" in report.title
    assert "re-fired once." in report.what
    assert "by 03:06 UTC" in report.clock


def test_the_end_of_a_flapping_incident_is_held_back() -> None:
    """The second resolve is not sent to PagerDuty; the thread says when it will be."""
    held = lived(a_desk(), (0, an_alert()), *flap(1), *flap(2))[3]
    assert told(held) == [("slack", "edit"), ("slack", "reply")]
    assert held.incident is not None
    assert held.incident.open
    assert held.incident.review_at == NOW + timedelta(minutes=25)
    assert "the resolve is held until 03:06 UTC" in composed(held)[0].update
    assert composed(held)[0].status is Status.MONITORING


def test_the_pager_hears_of_each_time_it_fires_again() -> None:
    """A re-fire triggers PagerDuty each time, since it may be resolved there; other channels get fewer messages."""
    effects = lived(a_desk(), (0, an_alert()), *flap(1), *flap(2), *flap(3))
    assert told(effects[4]) == [("pagerduty", "trigger"), ("slack", "edit"), ("slack", "reply")]
    assert told(effects[6]) == [("pagerduty", "trigger")]
    assert "re-fired ×3" in composed(effects[6])[0].title


def test_a_flapping_incident_that_becomes_worse_pages() -> None:
    """A flapping P3 that turns into a P1 pages at once."""
    context = a_desk()
    notifications = [(0.0, an_alert()), *flap(1), *flap(2), *flap(3)]
    mild = [(at, replace(each, labels={**each.labels, "severity": "warning"})) for at, each in notifications[:-1]]
    effects = lived(context, *mild, notifications[-1])
    assert told(effects[6]) == [("slack", "edit"), ("slack", "reply"), ("pagerduty", "trigger")]


def test_what_returns_milder_does_not_wake_the_pager() -> None:
    """A paged incident that re-fires as a P3 is posted to Slack only, and its next resolve does not go to PagerDuty."""
    end, again = flap(1)
    mild = replace(again[1], labels={**again[1].labels, "severity": "warning"}, fingerprint=an_alert().fingerprint)
    returned = lived(a_desk(), (0, an_alert()), end, (again[0], mild))[-1]
    assert told(returned) == [("slack", "edit"), ("slack", "aloud")]
    assert returned.incident is not None
    assert returned.incident.channels == ("slack",)


def test_a_lagging_peer_wakes_nobody() -> None:
    """It says "firing" of what another Alertmanager has ended: written down, to be decided upon later."""
    late = lived(a_desk(), (0, an_alert()), (17.5, a_resolved_alert()), (17.7, an_alert()))[-1]
    assert told(late) == []
    assert late.incident is not None
    assert not late.incident.open
    assert late.incident.review_at is not None


def test_the_details_of_one_incident_do_not_hold_up_the_page_of_another() -> None:
    """If Slack accepts one message per second, the first messages of six incidents are sent before any update."""
    effects = begun(a_desk(), an_alert())
    ranks = {message.step: message.priority for message in effects.messages if message.channel == "slack"}
    assert ranks["post"] < ranks["details"]
