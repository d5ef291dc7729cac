"""The contract of every channel: the tests loop over the registry, so that none can skip them."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from responder.model.finding import Finding, Verdict
from responder.model.incident import ChangeKind
from responder.model.message import Letter, Request, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import Moment, Report
from responder.model.rule import Link
from responder.notify import compose
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel
from responder.notify.links import LinkMaker
from responder.standins.builders import (
    NOW,
    a_book,
    a_conclusion,
    a_decision,
    a_finding,
    a_group,
    a_letter,
    a_report,
    a_resolved_alert,
    an_incident,
    some_findings,
)
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import Call
from responder.standins.slack import SlackStandIn
from tests.contracts.channel_cases import CASES

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))  # UPDATE_GOLDEN=1 pytest tests/contracts/test_channel.py
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
LINKS = LinkMaker(
    runbook_base_url="https://runbooks.butterfly.example.com",
    alertmanager_url="https://am.butterfly.example.com",
    urls=a_book().urls,
)

every = pytest.mark.parametrize("name", CHANNELS)


def _letters(channel: Channel, report: Report, **changes: Any) -> list[Letter]:
    """A letter for each step that any moment takes on the channel, with and without a first message, plain and full."""
    previous: list[dict[str, str]] = [{}, {"channel": "C1", "ts": "1.2"}]
    return [
        a_letter(
            replace(report, moment=moment), channel=channel.name, step=step, plain=plain, previous=known, **changes
        )
        for moment, steps in channel.steps.items()
        for step, plain, known in itertools.product(steps, (False, True), previous)
    ]


def _letter(channel: Channel) -> Letter:
    return a_letter(channel=channel.name, step=channel.steps[Moment.START][0])


def test_every_channel_has_a_case() -> None:
    """A channel cannot be added without being put under this contract."""
    assert set(CASES) == set(CHANNELS)
    for name, case in CASES.items():
        channel = case.make()
        assert isinstance(channel, CHANNELS[name])
        assert channel.name == name
        assert set(channel.steps) == set(Moment)


@every
def test_every_status_is_classified(name: str) -> None:
    """Whatever a vendor answers, a message is delivered, tried again or refused, and failures say why."""
    channel, case = CASES[name].make(), CASES[name]
    letter = _letter(channel)
    assert isinstance(channel.read(letter, case.accepted), Delivered)
    for status in range(100, 600):
        outcome = channel.read(letter, Response(status, case.accepted.body if status < 300 else b"no"))
        if 200 <= status < 300:
            assert isinstance(outcome, Delivered), status
        elif 400 <= status < 500 and status not in {408, 425, 429}:
            assert isinstance(outcome, Refused), status
        else:
            assert isinstance(outcome, TryLater), status
        if not isinstance(outcome, Delivered):
            assert str(status) in outcome.reason


@every
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(name: str, status: int) -> None:
    """A vendor that asks us to wait is given the time it asked for, as seconds or as a date."""
    channel = CASES[name].make()
    letter = _letter(channel)
    date = {"Date": "Sat, 28 Feb 2026 02:41:00 GMT"}
    wishes: list[tuple[dict[str, str], float | None]] = [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": " 30 "}, 30.0),
        ({"RETRY-AFTER": "Sat, 28 Feb 2026 02:43:00 GMT"} | date, 120.0),
        ({"Retry-After": "Sat, 28 Feb 2026 02:00:00 GMT"} | date, 0.0),
        ({"Retry-After": "Sat, 28 Feb 2026 02:43:00 GMT"}, 90.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({}, None),
    ]
    for headers, seconds in wishes:
        outcome = channel.read(letter, Response(status, b"", headers))
        assert isinstance(outcome, TryLater)
        assert outcome.retry_after == seconds, headers


@every
def test_an_unreadable_answer_never_raises(name: str) -> None:
    """A broken answer from a vendor or a proxy costs a retry at most, never the courier."""
    channel = CASES[name].make()
    bodies = [
        b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"null", b"[]", b'"ok"', b"1e999", b'{"ok":true}', b'{"ok":1}',
        b'{"ok":false,"error":{"a":1}}', b'{"ok":false,"error":"invalid_blocks","response_metadata":"x"}',
        b'{"ok":false,"error":"x","response_metadata":{"messages":{"a":[1]}}}', b'{"message":7,"errors":{"a":1}}',
        b"<html>" + b"x" * 65_000, b'{"errors":[[[["deep"]]],null,1.5]}', b'{"ok":true,"channel":7,"ts":null}',
        b'{"message":"\\ud800"}',
    ]  # fmt: skip
    headers = {"Retry-After": "\x00", "Date": "x" * 1000}
    for letter in _letters(channel, a_report()):
        for body, status in itertools.product(bodies, (200, 202, 302, 400, 429, 500)):
            outcome = channel.read(letter, Response(status, body, headers))
            assert isinstance(outcome, Delivered | TryLater | Refused)
            _assert_short(outcome)


def _assert_short(outcome: Outcome) -> None:
    if not isinstance(outcome, Delivered):
        assert 0 < len(outcome.reason) <= 300
        assert "\n" not in outcome.reason


@every
def test_a_secret_never_shows(name: str) -> None:
    """Keys and tokens appear in no repr, no error and no reason, even where the vendor echoes them."""
    case = CASES[name]
    if not case.secret:
        return
    channel = case.make()
    for letter in _letters(channel, a_report()):
        request = channel.render(letter)
        shown = [repr(channel), str(channel), repr(request).replace(repr(request.body), "")]
        for status in (200, 400, 500):
            said = {"ok": False, "error": case.secret, "message": case.secret, "errors": [f"bad {case.secret}"]}
            for body in (json.dumps(said).encode(), case.secret.encode(), f"at {case.secret}!".encode()):
                shown.append(repr(channel.read(letter, Response(status, body))))
        assert not [text for text in shown if case.secret in text]


def test_pagerduty_gets_one_dedup_key_for_one_incident() -> None:
    """All messages of an incident, plain or full, of any severity, carry the same dedup key."""
    channel = CASES["pagerduty"].make()
    reports = [a_report(severity) for severity in ("P1", "P2", "P3", "P4")]
    letters = [letter for report in reports for letter in _letters(channel, report)]
    assert {json.loads(channel.render(letter).body)["dedup_key"] for letter in letters} == {reports[0].dedup_key}


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
        root_cause="<" * 100_000,
    )


@every
def test_an_oversize_report_fits_and_says_that_it_was_cut(name: str) -> None:
    """A flood of labels and detail still becomes a message the vendor takes, and the message says what is missing."""
    channel = CASES[name].make()
    for letter in _letters(channel, _oversize()):
        request = channel.render(letter)
        _assert_taken(name, letter, request)
        shown = request.body.decode()
        if not letter.plain and letter.step not in {"resolve", "print"}:
            assert "Cut" in shown or "…" in shown


def test_pagerduty_sheds_the_least_important_first() -> None:
    """Where an event would be too large the labels and the details go; the headlines of what is bad stay."""
    report = _oversize()
    body = CASES["pagerduty"].make().render(a_letter(report)).body
    details = json.loads(body)["payload"]["custom_details"]
    assert len(body) <= 512_000
    assert all(len(value.encode()) <= 1000 for value in details.values())
    assert sum("bad probe-" in key for key in details) == 100
    assert "labels" in details["12 Cut"]


def _assert_taken(name: str, letter: Letter, request: Request) -> None:
    """The stand-in, which refuses what the vendor refuses, accepts the request."""
    if name == "log":
        assert request.url == "log:"
        return
    body = json.loads(request.body)
    path = "/" + request.url.rsplit("/", 1)[-1]
    headers = {key.lower(): value for key, value in request.headers.items()}
    if name == "pagerduty":
        reply = PagerDutyStandIn().answer(Call("POST", "/v2/enqueue", headers, request.body, 0.0))
        assert reply.status == 202, reply.body
        return
    slack = SlackStandIn()
    if path == "/chat.update":
        assert len(body["text"].encode()) < 4000
        path = "/chat.postMessage"
    path = "/webhook" if name == "slack_webhook" else path
    reply = slack.answer(Call("POST", path, headers, request.body, 0.0))
    assert (reply.status, b'"ok": true' in reply.body or reply.body == b"ok") == (200, True), reply.body
    assert letter.plain is ("blocks" not in body)
    assert body["unfurl_links"] is False if path != "/chat.postMessage" or "thread_ts" in body else True
    for block in Block.parse_all(body.get("blocks", [])):
        block.validate_json()


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
            lead=text,
            root_cause=text,
            severity_reason=text,
            labels={text: text},
            findings=(_hostile_finding(text),),
            conclusion=a_conclusion(likely=text, changed=text, ruled_out=text, unknown=text),
            runbook=Link(text, text),
            links=(Link(text, text), Link(text, f"https://a.example.com/{text}")),
            pending=(text,),
        )
        for text in HOSTILE
    ]


def _hostile_finding(text: str) -> Finding:
    return a_finding(probe=text, headline=text, question=text, detail=f"{text}\n```\n{text}", link=text)


@every
def test_hostile_text_is_inert(name: str) -> None:
    """Nothing an attacker puts into a label can mention people, forge a link, end a code block or run anything."""
    channel = CASES[name].make()
    for report in _hostile_reports():
        for letter in _letters(channel, report):
            request = channel.render(letter)
            _assert_taken(name, letter, request)
            shown = request.body.decode("utf-8")
            assert not [char for char in "\x1b\u202e\u0000" if char in shown]
            if name.startswith("slack"):
                _assert_inert_in_slack(json.loads(shown))
            if name == "pagerduty":
                links = json.loads(shown).get("links", [])
                assert all(link["href"].startswith(("https://a.example.com/", "https://evil")) for link in links)


def _assert_inert_in_slack(body: dict[str, Any]) -> None:
    texts = [body["text"]]
    for block in body.get("blocks", []):
        held = [each for each in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())) if each]
        texts += [each["text"] for each in held]
        assert all(each["type"] == "plain_text" or each["verbatim"] for each in held)
    for text in texts:
        assert "<!" not in text
        assert "<@" not in text
        assert "<https://evil.example.com|Grafana>" not in text
        assert "<javascript" not in text
        assert text.count("```") in {0, 2}


@pytest.mark.parametrize("moment", ["start-P1", "start-P2", "start-P3", "start-P4", "update", "late", "resolution"])
@every
def test_golden(name: str, moment: str) -> None:
    """What people see changes only when somebody meant it to: each message is compared with the one on file."""
    channel = CASES[name].make()
    report = _stories()[moment]
    told = [
        {"step": step, "body": _readable(channel.render(_told(channel, report, step, plain=plain))), "plain": plain}
        for step in channel.steps[report.moment]
        for plain in (False, True)
    ]
    path = GOLDEN / f"{name}-{moment}.json"
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def _told(channel: Channel, report: Report, step: str, *, plain: bool) -> Letter:
    previous = {} if report.moment is Moment.START else {"channel": "C1", "ts": "1772246460.000100"}
    return a_letter(report, channel=channel.name, step=step, plain=plain, previous=previous)


def _readable(request: Request) -> Any:
    text = request.body.decode()
    return json.loads(text) if text.startswith("{") else text.split("\n")


def _stories() -> dict[str, Report]:
    later = NOW + timedelta(minutes=20)
    stories = {}
    for severity in ("P1", "P2", "P3", "P4"):
        page = compose.opening(
            a_decision(severity=severity),
            a_group(),
            an_incident(),
            a_book(),
            now=NOW,
            links=LINKS,
            pending=("health", "dns"),
        )
        stories[f"start-{severity}"] = page
    found = compose.enriched(stories["start-P1"], some_findings(), a_conclusion(), now=NOW + timedelta(seconds=2))
    stories["start-P1"] = found
    stories["late"] = compose.late(
        stories["start-P2"], some_findings(), a_conclusion(), now=NOW + timedelta(seconds=40)
    )
    stories["update"] = compose.changed(
        a_decision(ChangeKind.GROWN), a_group(), an_incident(), a_book(), now=later, links=LINKS, before=found
    )
    stories["resolution"] = compose.closing(
        a_decision(ChangeKind.RESOLVED), a_group(a_resolved_alert()), an_incident(), a_book(), now=later, links=LINKS
    )
    return stories


def test_the_seeds_templates_name_all_their_fields() -> None:
    """The three communication templates of the platform exist in Slack with every field they name."""
    channel = CASES["slack"].make()
    wanted = {
        "start-P1": ("INCIDENT STARTED", "Severity:", "Service:", "Impact:", "Status:", "Lead:", "Channel:"),
        "update": ("INCIDENT UPDATE", "Status:", "Duration:", "Update:", "Next update in:"),
        "resolution": (
            "INCIDENT RESOLVED",
            "Duration:",
            "Root Cause:",
            "Resolution:",
            "Post-mortem:",
            "within 48 hours",
        ),
    }
    for story, fields in wanted.items():
        report = _stories()[story]
        steps = channel.steps[report.moment] if story != "start-P1" else ("post",)
        for step in steps:
            shown = channel.render(_told(channel, report, step, plain=False)).body.decode()
            assert not [field for field in fields if field not in shown], (story, step)
