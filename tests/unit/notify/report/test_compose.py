"""The report says what is wrong, how bad it is and what comes first, before and after the diagnosis."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.model.alert import AlertGroup
from responder.model.clock import time_of_day
from responder.model.finding import Conclusion, Finding, Verdict
from responder.model.incident import AlertState, ChangeKind, Decision
from responder.model.report import IncidentContent, MessageFacts, MessageKind, Report, Status
from responder.model.rule import Link, RunbookRef, Template
from responder.notify.report.compose import compose
from responder.notify.report.content import content_of, ended, with_findings
from responder.notify.report.links import LinkBuilder
from responder.notify.report.sections import metadata, page
from responder.notify.report.titles import in_words
from tests.support.builders import (
    NOW,
    STARTED,
    a_book,
    a_change,
    a_conclusion,
    a_decision,
    a_draft,
    a_finding,
    a_group,
    a_resolved_alert,
    a_rule,
    a_ruling,
    a_severity,
    a_subject,
    an_alert,
    an_incident,
    some_findings,
)

LINKS = LinkBuilder(runbook_base_url="https://runbooks.example.com")


def _content(decision: Decision | None = None, group: AlertGroup | None = None, **changes: Any) -> IncidentContent:
    incident, book = changes.pop("incident", an_incident()), changes.pop("book", a_book())
    now = changes.pop("now", NOW)
    return content_of(
        decision or a_decision(), group or a_group(), incident, book, LINKS, now=now, probes=("health",), **changes
    )


def _sent(content: IncidentContent, now: datetime = NOW, kind: MessageKind = MessageKind.START, **facts: Any) -> Report:
    own = replace(MessageFacts(firing=1, due_by=NOW), **facts)
    return compose(content, a_draft(kind=kind, facts=own), now)


def _opening(decision: Decision | None = None, group: AlertGroup | None = None, **changes: Any) -> Report:
    now = changes.get("now", NOW)
    return _sent(_content(decision, group, **changes), now, firing=len((group or a_group()).firing), due_by=now)


def _found(findings: tuple[Finding, ...], conclusion: Conclusion, decision: Decision | None = None) -> Report:
    return _sent(with_findings(_content(decision), findings, conclusion))


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("", "common-issues.md#service-down"),
        ("none", "common-issues.md#service-down"),
        ("crash-memory", "common-issues.md#crash-loop"),
        ("image-tag", "images.md"),
    ],
)
def test_the_runbook_follows_the_conclusion(code: str, shown: str) -> None:
    """The page links the section for the cause once it is known; another document stays among the links."""
    books = {"crash": RunbookRef("common-issues.md", "crash-loop"), "image": RunbookRef("images.md")}
    rule = a_rule(runbooks=books)
    conclusion = a_conclusion(code=code, runbook=LINKS.by_conclusion(rule, code, {}))
    report = _found((), conclusion, a_decision(match=a_ruling(rule=rule)))
    assert report.runbook == Link(f"Runbook: {shown}", f"https://runbooks.example.com/{shown}")
    kept = Link("Runbook: common-issues.md#service-down", "https://runbooks.example.com/common-issues.md#service-down")
    assert (kept in report.links) == (shown == "images.md")


def test_the_page_is_complete_before_any_probe_answers() -> None:
    """Without a diagnosis the page still has the problem, severity, owner, response target and first step."""
    report = _opening()
    assert report.title == "[P1] plato is down (prod-eu)"
    assert report.what == "No pod of plato is ready. 1 alert firing for 30 s."
    assert report.impact == "Whatever needs plato fails for all users."
    assert report.clock == "by 02:56 UTC, all hands"
    assert (report.heading, report.fields) == ("", {})
    assert report.first_step
    assert report.runbook is not None
    assert report.pending == ("health",)
    assert report.owner == "team-plato"
    assert (report.kind, report.status) == (MessageKind.START, Status.INVESTIGATING)
    assert report.severity_reason == "rule service-down says P1"


def test_impact_names_the_services_that_need_it() -> None:
    """Everybody sees which other services suffer, from the catalog and never guessed."""
    decision = a_decision(subject=a_subject(service="capsule", name="capsule"))
    assert _opening(decision).impact == "Whatever needs capsule fails for all users. Depended on by: plato."


def test_an_alert_about_nothing_we_know_says_so() -> None:
    """Of an unknown service neither impact nor owner is invented; its alert is worded from its name."""
    alert = an_alert(labels={"alertname": "KubePodCrashLooping"}, annotations={})
    match = a_ruling(alert=alert, rule=a_rule(symptom=""))
    subject = a_subject(service=None, name="billing")
    report = _opening(
        a_decision(
            ChangeKind.NEW,
            "P3",
            match=(found := replace(match, severity=a_severity("P3"))),
            matches=(found,),
            subject=subject,
        )
    )
    assert report.title == "[P3] billing: kube pod crash looping (prod-eu)"
    assert (report.impact, report.owner) == ("", "")


def test_impact_is_stated_only_by_rules_that_say_so() -> None:
    """An alert of a service in the catalog has no impact unless its rule states one, or that the service is down."""
    rule = a_rule(service_impact=False)
    assert _opening(a_decision(match=a_ruling(rule=rule))).impact == ""
    assert _opening(a_decision(match=a_ruling(rule=replace(rule, impact="Some fail.")))).impact == "Some fail."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KubePodCrashLooping", "kube pod crash looping"),
        ("HTTPErrors5xx", "HTTP errors 5xx"),
        ("MySQLDown", "MySQL down"),
        ("MysqlSlowQueries", "MySQL slow queries"),
        ("PostgreSQLWALGBackupFailed", "PostgreSQL WALG backup failed"),
        ("InfluxDBHighHeap", "InfluxDB high heap"),
        ("Http5xxOrP99LatencyHigh", "HTTP 5xx or p99 latency high"),
        ("KafkaTopicDeprecated", "Kafka topic deprecated"),
        ("RabbitmqTLSCertExpiry", "RabbitMQ TLS cert expiry"),
        ("etcdNoLeader", "etcd no leader"),
        ("IdleNodes", "idle nodes"),
        ("disk_will-fill", "disk will fill"),
        ("Простой", "простой"),
        ("", ""),
    ],
)
def test_an_alert_name_is_put_in_words(name: str, words: str) -> None:
    """Alert names are shown as words, not camel case."""
    assert in_words(name) == words


def test_alerts_cut_by_max_alerts_are_mentioned() -> None:
    """A truncated group is marked as such."""
    report = _opening(group=a_group(truncated=25))
    assert "+25 alerts not in the notification" in report.what
    assert report.truncated == 25


def test_related_alerts_are_folded_in() -> None:
    """One page per incident: the other alerts are counted and five of them named by their distinguishing labels."""
    alerts = [an_alert(labels={"pod": f"plato-{number}"}) for number in range(8)]
    other = an_alert(labels={"alertname": "HighLatency"})
    matches = tuple(a_ruling(alert=alert) for alert in (*alerts, other))
    report = _opening(replace(a_decision(), match=matches[0], matches=matches), a_group(*alerts, other))
    assert report.related == "8 more alerts: pod plato-1, pod plato-2, pod plato-3, pod plato-4, pod plato-5 and 3 more"


def test_an_alert_of_another_name_says_what_it_is_about() -> None:
    """The summary of each alert of a group is on the page, and the exact name of the worst."""
    main = an_alert(labels={"alertname": "CheckoutErrors"})
    other = an_alert(labels={"alertname": "KubePodCrashLooping"}, annotations={"summary": "Pod is crash looping."})
    matches = tuple(a_ruling(alert=alert) for alert in (main, other))
    report = _opening(replace(a_decision(), match=matches[0], matches=matches), a_group(main, other))
    assert report.related == "1 more alert: KubePodCrashLooping (Pod is crash looping)"
    shown = {each.name: each.text for each in metadata(report)}
    assert shown["Alerts"].startswith("CheckoutErrors · ")


def test_the_worst_number_goes_to_the_title() -> None:
    """The lock screen shows what was measured, and the page carries what the probes found."""
    findings = (a_finding(warning=True, headline="plato: p95 2.3 s"), *some_findings())
    report = _found(findings, a_conclusion())
    assert report.title == "[P1] plato is down — 503 DOWN in 41 ms, db DOWN (prod-eu)"
    assert report.status is Status.IDENTIFIED
    assert report.conclusion == a_conclusion()
    assert report.pending == ()
    assert report.made_by.endswith("6 probes in 0.0 s (1 unknown)")
    assert report.what == _opening().what


def test_a_neighbours_trouble_is_not_taken_for_our_own() -> None:
    """A finding about another service is titled with that service's name."""
    other = a_finding(target="capsule", headline="capsule: 503 DOWN in 41 ms")
    report = _found((other,), a_conclusion())
    assert report.title == "[P1] plato is down — capsule: 503 DOWN in 41 ms (prod-eu)"
    own = a_finding(headline="plato: 500 in 3 ms")
    assert "— 500 in 3 ms" in _found((other, own), a_conclusion()).title


def test_a_diagnosis_that_points_nowhere_changes_no_status() -> None:
    """A cause that is not identified is not presented as identified."""
    report = _found((a_finding(Verdict.OK),), a_conclusion(likely=""))
    assert report.status is Status.INVESTIGATING
    assert report.title == _opening().title


@pytest.mark.parametrize("length", [10, 80, 500])
def test_titles_stay_short(length: int) -> None:
    """A title fits a lock screen, whatever names and numbers come in."""
    decision = a_decision(
        match=a_ruling(rule=a_rule(symptom="s" * length)), subject=a_subject(service=None, name="n" * length)
    )
    report = _found((a_finding(headline="h" * length),), a_conclusion(), decision)
    assert len(report.title) <= 120
    assert report.title.endswith("(prod-eu)")


def test_durations_are_those_of_the_moment_of_sending() -> None:
    """A message that waited in the outbox says how long the alert has been firing when it is sent, not before."""
    report = _sent(_content(), NOW + timedelta(minutes=10), MessageKind.UPDATE)
    assert "1 alert firing for 10 min" in report.what


def test_the_duration_is_that_of_the_alerts_that_fire() -> None:
    """Alerts that began to fire a minute ago are not said to fire since their incident opened, days before."""
    decision = a_decision(change=a_change(alerts={"a": AlertState((NOW - timedelta(days=8)).timestamp())}))
    report = _opening(decision, a_group(an_alert(starts_at=NOW - timedelta(minutes=1))))
    assert "1 alert firing for 1 min" in report.what
    assert report.started_at == NOW - timedelta(days=8)


@pytest.mark.parametrize(("minutes", "delayed"), [(0, ""), (12, "This message was delayed by 12 minutes")])
def test_a_first_message_that_leaves_late_says_so(minutes: int, delayed: str) -> None:
    """On-call sees that a page waited for its channel, and how long; a page in time says nothing about it."""
    assert _sent(_content(), NOW + timedelta(minutes=minutes)).update == delayed


def test_a_page_does_not_name_probes_that_have_answered() -> None:
    """Once there are findings nothing is pending, and an update never waits for probes."""
    assert _sent(_content()).pending == ("health",)
    assert _found(some_findings(), a_conclusion()).pending == ()
    assert _sent(_content(), kind=MessageKind.UPDATE).pending == ()


def test_an_update_says_what_changed_and_keeps_what_was_found() -> None:
    """A notification renews the decision, and the findings stay with the incident."""
    before = with_findings(_content(), some_findings(), a_conclusion())
    decision = a_decision(change=a_change(ChangeKind.PARTLY_RESOLVED, reason="1 alert resolved"))
    content = content_of(decision, a_group(), an_incident(), a_book(), LINKS, now=NOW, before=before)
    report = _sent(content, NOW, MessageKind.UPDATE, update="1 alert resolved", easing=True)
    assert (report.kind, report.status, report.update) == (MessageKind.UPDATE, Status.MONITORING, "1 alert resolved")
    assert report.findings == before.findings
    assert report.title == _sent(before).title


def test_findings_of_an_earlier_page_are_not_those_of_a_new_one() -> None:
    """An incident that fires again is diagnosed anew: what was found before does not stand on its new page."""
    before = with_findings(_content(), some_findings(), a_conclusion())
    content = content_of(
        a_decision(), a_group(), an_incident(), a_book(), LINKS, now=NOW, probes=("health",), before=before
    )
    assert content.findings == ()


TEMPLATES = {
    "resolution": Template(
        "OVER",
        (
            ("Duration", "${duration}"),
            ("Root cause", "${root_cause}"),
            ("Post-mortem", "due ${ended+48h}"),
            ("Cause", "${likely_cause}"),
            ("Next update", "in ${next_update}"),
        ),
    )
}


def test_a_resolution_has_its_duration_and_the_fields_of_the_template() -> None:
    """The resolve fills in the rule files' template, and leaves out fields whose placeholder is empty."""
    ended = STARTED + timedelta(minutes=17)
    content = _content(group=a_group(a_resolved_alert()))
    content = replace(content, decision=replace(content.decision, templates=TEMPLATES))
    report = _sent(
        content, ended + timedelta(minutes=3), MessageKind.RESOLUTION, ended_at=ended, resolution="over", firing=0
    )
    assert (report.kind, report.status) == (MessageKind.RESOLUTION, Status.RESOLVED)
    assert (report.started_at, report.ended_at) == (STARTED, ended)
    assert report.heading == "OVER"
    due = f"due {time_of_day(ended + timedelta(hours=48))}"
    assert report.fields == {"Duration": "17 minutes", "Root cause": "not yet known", "Post-mortem": due}
    assert "firing" not in report.what


@pytest.mark.parametrize("kind", [MessageKind.RESOLUTION, MessageKind.UNCLOSED, MessageKind.LATE, MessageKind.NOTE])
def test_a_resolved_incident_has_no_impact(kind: MessageKind) -> None:
    """Once an incident is resolved, no message says in the present tense what fails: neither page nor template."""
    content = _content(group=a_group(a_resolved_alert()))
    template = Template(title="", fields=(("Users", "${impact}"), ("Status", "${status}")))
    templates = dict.fromkeys(("start", "update", "resolution"), template)
    content = replace(content, decision=replace(content.decision, templates=templates))
    assert "Users" in _sent(content).fields
    report = _sent(content, NOW, kind, ended_at=NOW, firing=0)
    assert (report.impact, report.status) == ("", Status.RESOLVED)
    assert "Users" not in report.fields
    assert not any(each.text for each in page(report) if each.name in {"Impact", "First step"})


def test_an_extract_holds_at_most_twenty_alerts_the_firing_ones_first() -> None:
    """However large a group is, its content stays small, and what fires is in it."""
    over = [a_resolved_alert(labels={"pod": f"old-{number}"}) for number in range(30)]
    content = _content(group=a_group(*over, an_alert(labels={"pod": "now"})))
    assert len(content.alerts.members) == 20
    assert (content.alerts.members[0].firing, content.alerts.members[0].labels["pod"]) == (True, "now")


def test_secrets_and_tricks_in_labels_do_not_reach_the_report() -> None:
    """A password in a label or annotation is redacted, control and direction characters are gone."""
    alert = an_alert(
        labels={"password": "hunter2-example", "note": "\x1b[31mred\u202e"},
        annotations={"summary": "login with token=abcdef123456 failed\n\nat once"},
    )
    decision = a_decision(match=a_ruling(alert=alert), subject=a_subject(service=None, name="\u202ex\x00y"))
    report = _opening(decision, a_group(alert))
    shown = repr(report)
    assert "hunter2" not in shown
    assert "abcdef123456" not in shown
    assert "\\x1b" not in shown
    assert "\\u202e" not in shown
    assert report.labels["note"] == "red"
    assert report.what.startswith("login with token=[REDACTED:secret] failed at once")


def test_absurd_times_do_not_break_a_page() -> None:
    """An alert that claims to have started in the year 1 is paged, without a duration of 2000 years."""
    old = datetime(1, 1, 1, tzinfo=UTC)
    decision = a_decision(change=a_change(alerts={"a": AlertState(old.timestamp())}))
    report = _opening(decision, a_group(an_alert(starts_at=old)))
    assert report.started_at == an_incident().opened_at
    assert ". 1 alert firing" in report.what
    assert "For " not in report.what


def test_one_absurd_time_hides_no_real_one() -> None:
    """The firing time of the group's other alerts is still shown."""
    group = a_group(an_alert(starts_at=datetime(1, 1, 1, tzinfo=UTC)), an_alert())
    assert _opening(group=group).started_at == STARTED
    assert "2 alerts firing for 30 s" in _opening(group=group).what


@pytest.mark.parametrize("absurd", [-62135733600.0, 253402351199.0], ids=["before the year 1", "after the year 9999"])
def test_absurd_times_that_an_older_version_stored_do_not_break_a_page(absurd: float) -> None:
    """An incident that was written down before such times were caught is paged and ends as any other."""
    known = {"a": AlertState(absurd, absurd)}
    over = a_decision(ChangeKind.RESOLVED, change=a_change(ChangeKind.RESOLVED, alerts=known))
    assert _opening(over).started_at == STARTED
    assert STARTED <= ended(over, a_group(a_resolved_alert()), STARTED, NOW) <= NOW


def test_a_group_without_labels_or_annotations_is_paged() -> None:
    """The emptiest alert Alertmanager can send still becomes a page with words."""
    bare = replace(an_alert(), labels={}, annotations={}, generator_url="")
    match = a_ruling(alert=bare, rule=a_rule(symptom="", runbook=None))
    decision = a_decision(
        match=match,
        matches=(match,),
        subject=a_subject(service=None, name="", namespace=""),
    )
    report = _opening(decision, a_group(bare, group_labels={}, external_url=""))
    assert report.title == "[P1] unnamed subject: an alert without a name (prod)"
    assert report.runbook is None


def test_a_severity_without_a_clock_uses_its_own_words() -> None:
    """P4 says next business day and invents no time."""
    assert _opening(a_decision(severity="P4")).clock == "next business day"


def test_a_respond_by_time_tomorrow_has_its_date() -> None:
    """A time after midnight is not mistaken for today's."""
    incident = an_incident(opened_at=datetime(2026, 2, 28, 23, 50, tzinfo=UTC))
    report = _opening(incident=incident, now=datetime(2026, 2, 28, 23, 50, tzinfo=UTC))
    assert report.clock == "by 2026-03-01 00:05 UTC, all hands"


def test_findings_that_are_repeated_later_show_their_age() -> None:
    """An update after a reload of the rules names the new revision; the findings beside it say how old they are."""
    book = replace(a_book(), revision="f" * 64)
    found = with_findings(_content(), (a_finding(),), replace(a_conclusion(), checked_at=NOW))
    later = content_of(
        a_decision(ChangeKind.GROWN), a_group(), an_incident(), book, LINKS, now=NOW + timedelta(hours=3), before=found
    )
    made_by = _sent(later, NOW + timedelta(hours=3), MessageKind.UPDATE).made_by
    assert "rules ffffffffffff" in made_by
    assert made_by.endswith("1 probe in 0.0 s, 3 h ago")
    assert "ago" not in _sent(found, NOW + timedelta(seconds=90)).made_by


@pytest.mark.parametrize(
    ("labels", "title"),
    [
        ({"instance": "db-1"}, "[P1] db-1: replication is 40 minutes behind (prod)"),
        ({"alertname": "CustomThing"}, "[P1] db-1: custom thing: replication is 40 minutes behind (prod)"),
    ],
    ids=["no name", "no rule"],
)
def test_an_alert_that_no_rule_knows_is_described_by_its_own_summary(labels: dict[str, str], title: str) -> None:
    """A phone shows the title only: what the alert says of itself is in it."""
    alert = replace(an_alert(), labels=labels, annotations={"summary": "replication is 40 minutes behind."})
    decision = a_decision(
        match=a_ruling(alert=alert, rule=a_rule(symptom="", matchers=())),
        subject=a_subject(service=None, name="db-1", namespace=""),
    )
    assert _opening(decision, a_group(alert)).title == title


def test_the_history_names_the_same_cause_elsewhere() -> None:
    """Earlier incidents of the group and of other groups are one line."""
    conclusion = a_conclusion(before="the same cause once elsewhere in 30 days")
    report = _sent(with_findings(_content(history="last INC-1"), some_findings(), conclusion))
    assert report.history == "last INC-1; the same cause once elsewhere in 30 days"
