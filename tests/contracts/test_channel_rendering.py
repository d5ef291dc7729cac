"""Rendering of every channel: within the vendor's limits, inert, and equal to the file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder import __version__
from responder.diagnose.conclude import conclude
from responder.model.alert import AlertGroup
from responder.model.finding import Finding, Verdict
from responder.model.incident import ChangeKind, Decision
from responder.model.message import ClaimedMessage
from responder.model.report import IncidentContent, MessageFacts, MessageKind, Report
from responder.model.rule import Link
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel, Use
from responder.notify.report import content
from responder.notify.report.compose import compose
from responder.notify.report.content import content_of, with_findings
from responder.notify.report.links import LinkBuilder
from responder.notify.report.sections import metadata, page
from tests.contracts.channel_cases import CASES, messages
from tests.support.builders import (
    NOW,
    a_book,
    a_conclusion,
    a_decision,
    a_draft,
    a_finding,
    a_group,
    a_letter,
    a_report,
    a_resolved_alert,
    a_subject,
    an_incident,
    some_findings,
)

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))  # make generate
HOSTILE = (
    "<!channel>",
    "<@U123>",
    "<https://evil.example.com|Grafana>",
    "$(id)",
    "`x` ```",
    '"} or vector(1) #',
    "../../",
    "javascript:alert(1)",
    "\x1b[31m\u202eevil\u0000",
    "\ud800",
    "&lt;!here&gt;",
)
WHY = "PagerDuty has not accepted this page for 1 minute: HTTP 503"
UNCLOSED = "PagerDuty rejected the resolve of this incident (HTTP 400) and keeps paging: resolve it there manually"
LINKS = LinkBuilder(
    runbook_base_url="https://runbooks.butterfly.example.com",
    alertmanager_public_urls={"": ("https://am.butterfly.example.com",)},
    urls=a_book().urls,
)

#: Channels whose messages are pages; test_status_pages.py has the others.
PAGE_CHANNELS = [name for name, kind in CHANNELS.items() if kind.use not in {Use.STATUS_PAGE, Use.ROOM}]
every = pytest.mark.parametrize("name", PAGE_CHANNELS)


def _oversize() -> Report:
    findings = [
        a_finding(verdict, probe=f"probe-{number}", headline=f"headline {number} " + "x" * 90, detail="é" * 10_000)
        for number in range(100)
        for verdict in Verdict
    ]
    return a_report(
        title="t" * 5000,
        what="w" * 1_000_000,
        impact="&" * 20_000,
        findings=tuple(findings),
        conclusion=a_conclusion(likely="🔥" * 50_000),
        labels={f"label_{number}": "<v>" * 100 for number in range(5000)},
        links=tuple(Link("l" * 500, f"https://a.example.com/{'x' * 5000}") for _ in range(50)),
        related="r" * 100_000,
        clock="c" * 100_000,
        update="u" * 100_000,
        fields={"Root cause": "<" * 100_000},
    )


@every
def test_an_oversize_report_fits_and_says_that_it_was_cut(name: str) -> None:
    """A flood of labels and detail still becomes a message the vendor takes, and the message says what is missing."""
    case = CASES[name]
    channel = case.make()
    for message in messages(channel, _oversize()):
        request = channel.render(message)
        case.taken(message, request)
        shown = case.shown(request)
        if not message.minimal and message.step not in case.never_cut:
            assert "Cut" in shown or "…" in shown


def test_pagerduty_sheds_the_least_important_first() -> None:
    """A too large event drops labels and details, keeps the headlines of bad findings, and says so."""
    channel = CASES["pagerduty"].make()
    gone = ["the labels", "the detail of ok", "the detail of unknown", "the detail of bad", "the ok findings"]
    for times, expected in ((1, 0), (150, 2), (400, 4), (1200, 5)):
        report = replace(_oversize(), findings=_oversize().findings[:4] * times)
        body = channel.render(a_letter(report)).body
        details = json.loads(body)["payload"]["custom_details"]
        assert len(body) <= 512_000
        assert all(len(value.encode()) <= 1000 for value in details.values())
        assert sum(key.endswith(" critical") for key in details) == times
        assert [text in details["99 Cut"] for text in gone] == [number < expected for number in range(len(gone))], times


def test_pagerduty_pages_whatever_the_size() -> None:
    """Ten thousand bad findings still become one event that PagerDuty takes."""
    report = replace(_oversize(), findings=(a_finding(headline="h" * 120),) * 10_000)
    body = CASES["pagerduty"].make().render(a_letter(report)).body
    details = json.loads(body)["payload"]["custom_details"]
    assert len(body) <= 512_000
    assert sum(key.endswith(" critical") for key in details) == 200
    assert "all but the first 200 bad findings" in details["99 Cut"]


def _hostile_reports() -> list[Report]:
    return [
        a_report(
            title=text,
            what=text,
            impact=text,
            service=text,
            namespace=text,
            alertname=text,
            update=text,
            related=text,
            clock=text,
            owner=text,
            heading=text,
            fields={"Field": text},
            severity_reason=text,
            labels={text: text},
            findings=(_hostile_finding(text),),
            conclusion=a_conclusion(likely=text, changed=text, ruled_out=text, unknown=text, seen=text),
            runbook=Link(text, text),
            links=(Link(text, text), Link(text, f"https://a.example.com/{text}")),
            pending=(text,),
        )
        for text in HOSTILE
    ]


def _hostile_finding(text: str) -> Finding:
    return a_finding(probe=text, headline=text, query=text, detail=f"{text}\n```\n{text}", link=text)


@every
def test_hostile_text_is_inert(name: str) -> None:
    """Nothing in a label can mention users, forge a link, end a code block or run anything."""
    case = CASES[name]
    channel = case.make()
    for report in _hostile_reports():
        for message in messages(channel, report):
            request = channel.render(message)
            case.taken(message, request)
            case.inert(request)
            shown = case.shown(request)
            assert not [char for char in "\x1b\u202e\u0000" if char in shown]


@pytest.mark.parametrize(
    "moment",
    [
        *("start-P1", "start-P2", "start-P3", "start-P4", "again", "update", "late", "resolution", "fallback"),
        *("unclosed", "opinion", "postmortem"),
    ],
)
@every
def test_golden(name: str, moment: str) -> None:
    """Each message equals the one on file, so that it changes only on purpose."""
    channel = CASES[name].make()
    report = _stories()[moment]
    told = [
        {
            "step": step,
            "body": CASES[name].readable(channel.render(_told(channel, report, step, minimal=minimal))),
            "minimal": minimal,
        }
        for step in channel.steps[report.kind]
        for minimal in (False, True)
    ]
    path = GOLDEN / f"{name}-{moment}.json"
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: run make generate"
    assert path.read_text(encoding="utf-8") == text, "differs from the file: run make generate and review the diff"


def _told(channel: Channel, report: Report, step: str, *, minimal: bool) -> ClaimedMessage:
    previous = {} if report.kind is MessageKind.START else {"channel": "C1", "ts": "1772246460.000100"}
    return a_letter(report, channel=channel.name, step=step, minimal=minimal, previous=previous)


def _stories() -> dict[str, Report]:
    later = NOW + timedelta(minutes=20)
    past = "2 times in 30 days, last INC-102 at 2026-02-14 02:41 UTC for 42 minutes"
    pages = {
        severity: _content(a_decision(severity=severity), probes=("health", "dns"), history=past)
        for severity in ("P1", "P2", "P3", "P4")
    }
    stories = {f"start-{severity}": _composed(content) for severity, content in pages.items()}
    found = with_findings(pages["P1"], some_findings(), a_conclusion())
    stories["start-P1"] = _composed(found, NOW + timedelta(seconds=2))
    late = with_findings(pages["P2"], some_findings(), a_conclusion())
    update = "diagnosis finished 40 seconds after the page was written"
    stories["late"] = _composed(late, NOW + timedelta(seconds=40), MessageKind.LATE, update=update)
    said = "HolmesGPT (not verified): db refuses connections since the failover of 02:38. Check its replica."
    stories["opinion"] = _composed(late, NOW + timedelta(seconds=55), MessageKind.OPINION, update=said)
    flapping = an_incident(flaps=3, reopened_at=later)
    again = _content(a_decision(ChangeKind.AGAIN), incident=flapping, now=later, probes=("health",))
    update = "1 alert re-fired 7 minutes after INC-118 resolved (3 re-fires)"
    stories["again"] = _composed(again, later, MessageKind.AGAIN, update=update)
    grown = a_decision(ChangeKind.GROWN)
    stories["update"] = _composed(
        _content(grown, now=later, before=found), later, MessageKind.UPDATE, update=grown.change.reason
    )
    over, group = a_decision(ChangeKind.RESOLVED), a_group(a_resolved_alert())
    closed = _content(over, group, now=later)
    end = {
        "update": over.change.reason,
        "firing": 0,
        "resolved": 1,
        "ended_at": content.ended(over, group, closed.alerts.started_at, later),
        "resolution": f"{over.change.reason}; the fix is not recorded yet",
    }
    stories["resolution"] = _composed(closed, later, MessageKind.RESOLUTION, **end)
    stories["fallback"] = _composed(found, NOW + timedelta(seconds=2), MessageKind.FALLBACK, fallback_reason=WHY)
    said = "Draft, due 2026-03-02 03:01 UTC; to write it into a file: responder incidents postmortem INC-118"
    draft = "# Post-mortem: plato is down\n\n- Incident: INC-118\n\n## Summary\n\n- **TODO**: what happened.\n"
    stories["postmortem"] = _composed(closed, later, MessageKind.POSTMORTEM, **(end | {"update": said, "draft": draft}))
    stories["unclosed"] = _composed(closed, later, MessageKind.UNCLOSED, **(end | {"update": UNCLOSED}))
    # Lines are wrapped, so a version of another length would change them.
    return {name: replace(each, made_by=each.made_by.replace(__version__, "VERSION")) for name, each in stories.items()}


def _content(decision: Decision, group: AlertGroup | None = None, **changes: Any) -> IncidentContent:
    incident = changes.pop("incident", an_incident())
    return content_of(decision, group or a_group(), incident, a_book(), LINKS, **({"now": NOW} | changes))


def _composed(
    content: IncidentContent, now: datetime = NOW, moment: MessageKind = MessageKind.START, **own: Any
) -> Report:
    message = a_draft(kind=moment, facts=replace(MessageFacts(firing=1), **own), incident=content.incident)
    return compose(content, message, now)


@pytest.mark.parametrize("name", ["slack", "slack_webhook"])
def test_only_the_configured_group_is_mentioned_and_only_by_an_alarm(name: str) -> None:
    """The page that PagerDuty did not take calls the on-call group; nothing else mentions anybody, whatever it says."""
    mention = "<!subteam^S0123ABCD>"
    channel = replace(CASES[name].make(), group="S0123ABCD")  # type: ignore[call-arg]
    for report in (*_hostile_reports(), a_report(fallback_reason="<!channel> <!subteam^S0EVIL>")):
        for message in messages(channel, report):
            shown = channel.render(message).body.decode()
            assert (mention in shown) is (message.report.kind is MessageKind.FALLBACK)
            assert "<!" not in shown.replace(mention, "")


@every
def test_what_is_told_as_changed_is_not_ruled_out_as_well(name: str) -> None:
    """The absence of a recent rollout is shown once, as the recent changes: it is not a good result of a probe."""
    channel = CASES[name].make()
    old = a_finding(Verdict.OK, probe="recent-changes", kind="promql", headline="plato: last rollout 9.0 days ago")
    report = a_report(findings=(old,), conclusion=conclude((old,), a_subject()))
    for message in messages(channel, report):
        assert "Ruled out" not in CASES[name].shown(channel.render(message))


@pytest.mark.parametrize(
    "name", [name for name in PAGE_CHANNELS if name != "generic_webhook"]
)  # a JSON object has no order
def test_sections_keep_their_order(name: str) -> None:
    """Impact, likely cause, first step, changes and ruled out follow the title in this order, metadata comes after."""
    channel = CASES[name].make()
    report = replace(_stories()["start-P1"], update="severity raised", fallback_reason=WHY)
    report = replace(report, conclusion=replace(report.conclusion, changed="last rollout 14 min ago"))
    shown = CASES[name].shown(channel.render(_told(channel, report, channel.steps[report.kind][0], minimal=False)))
    sections = [each for each in (*page(report), *metadata(report)) if not each.empty]
    place = 0
    for each in sections[:-3]:  # Slack's small print has no names
        place = shown.find(each.name, place)
        assert place >= 0, each.name
    wanted = ["Update", "Summary", "Impact", "Likely cause", "First step", "Changed", "Ruled out", "Context", "Unknown"]
    assert [each.name for each in sections][: len(wanted)] == wanted


@pytest.mark.parametrize("moment", [MessageKind.START, MessageKind.UPDATE, MessageKind.FALLBACK])
@pytest.mark.parametrize("name", ["slack", "slack_webhook"])
def test_the_first_message_says_each_fact_once(name: str, moment: MessageKind) -> None:
    """The Slack message shows the three worst findings once, those of the service first, and counts the others."""
    bad = [
        a_finding(probe="dependencies-health", target="capsule", headline="capsule: 503 DOWN in 9 ms"),
        a_finding(headline="plato: 503 DOWN in 3 ms, db DOWN"),
        a_finding(probe="replicas-ready", headline="plato: replicas available 67%", warning=True),
        a_finding(probe="recent-changes", headline="plato: last rollout 14 min ago", warning=True),
        a_finding(probe="dependencies-health", target="nexus", headline="nexus: 503 DOWN in 7 ms"),
    ]
    findings = (*bad, *some_findings()[1:])
    report = a_report(kind=moment, findings=findings, conclusion=conclude(findings, a_subject()), title="plato is down")
    channel = CASES[name].make()
    message = a_letter(report, channel=name, step=channel.steps[moment][0], previous={"channel": "C1", "ts": "1.2"})
    shown = "\n".join(str(each) for each in json.loads(channel.render(message).body)["blocks"])
    told = [bad[n].headline.removeprefix("plato: ") for n in (1, 0, 4, 3)]
    assert {headline: shown.count(headline) for headline in told} == dict.fromkeys(told, 1)
    assert sorted(told, key=shown.index) == told
    assert "and 1 more" in shown


@every
def test_a_page_that_came_another_way_says_why(name: str) -> None:
    """A page on a fallback channel says that the usual channel failed."""
    channel = CASES[name].make()
    (step,) = channel.steps[MessageKind.FALLBACK]
    report = a_report(kind=MessageKind.FALLBACK, fallback_reason=WHY)
    for minimal in (False, True):
        shown = CASES[name].shown(channel.render(a_letter(report, channel=name, step=step, minimal=minimal)))
        assert "HTTP 503" in shown or (minimal and not CASES[name].plain_says_why)
