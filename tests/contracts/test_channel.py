"""The contract of every channel: the tests loop over the registry, so that none can skip them."""

from __future__ import annotations

import itertools
import json

import pytest

from responder.model.message import ClaimedMessage, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind
from responder.notify.channels import CHANNELS
from responder.notify.channels.generic_webhook import GenericWebhook
from responder.notify.contract import Channel, Use
from tests.contracts.channel_cases import CASES, messages
from tests.support.builders import (
    a_letter,
    a_report,
)

every = pytest.mark.parametrize("name", CHANNELS)


def _letter(channel: Channel) -> ClaimedMessage:
    return a_letter(channel=channel.name, step=channel.steps[MessageKind.START][0])


def test_every_channel_has_a_case() -> None:
    """A channel cannot be added without being put under this contract."""
    assert set(CASES) == set(CHANNELS)
    for name, case in CASES.items():
        channel = case.make()
        assert isinstance(channel, CHANNELS[name])
        assert channel.name == name
        assert set(channel.steps) == set(MessageKind)
    places = [kind.fallback_order for kind in CHANNELS.values() if kind.fallback_order is not None]
    assert len(set(places)) == len(places), "two channels have the same fallback_order: give each its own"


@every
def test_every_status_is_classified(name: str) -> None:
    """Any response of a vendor means sent, retry or rejected, and failures have a reason."""
    channel, case = CASES[name].make(), CASES[name]
    message = _letter(channel)
    assert isinstance(channel.read(message, case.accepted), Delivered)
    for status in range(100, 600):
        outcome = channel.read(message, Response(status, case.accepted.body if status < 300 else case.own_error))
        if 200 <= status < 300:
            assert isinstance(outcome, Delivered), status
        elif 400 <= status < 500 and status not in case.passing:
            assert isinstance(outcome, Refused), status
        else:
            assert isinstance(outcome, TryLater), status
        if not isinstance(outcome, Delivered):
            assert str(status) in outcome.reason


@every
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(name: str, status: int) -> None:
    """A vendor's requested pause is honoured, given in seconds or as a date."""
    channel = CASES[name].make()
    message = _letter(channel)
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
        outcome = channel.read(message, Response(status, b"", headers))
        assert isinstance(outcome, TryLater)
        assert outcome.retry_after == seconds, headers


@every
def test_an_unreadable_answer_never_raises(name: str) -> None:
    """A broken response from a vendor or a proxy costs at most a retry, never the sender."""
    channel = CASES[name].make()
    payloads = [
        b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"null", b"[]", b'"ok"', b"1e999", b'{"ok":true}', b'{"ok":1}',
        b'{"ok":false,"error":{"a":1}}', b'{"ok":false,"error":"invalid_blocks","response_metadata":"x"}',
        b'{"ok":false,"error":"x","response_metadata":{"messages":{"a":[1]}}}', b'{"message":7,"errors":{"a":1}}',
        b"<html>" + b"x" * 65_000, b'{"errors":[[[["deep"]]],null,1.5]}', b'{"ok":true,"channel":7,"ts":null}',
        b'{"message":"\\ud800"}',
    ]  # fmt: skip
    headers = {"Retry-After": "\x00", "Date": "x" * 1000}
    for message in messages(channel, a_report()):
        for body, status in itertools.product(payloads, (200, 202, 302, 400, 429, 500)):
            outcome = channel.read(message, Response(status, body, headers))
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
    for message in messages(channel, a_report()):
        request = channel.render(message)
        shown = [repr(channel), str(channel), repr(request).replace(repr(request.body), "")]
        for status in (200, 400, 500):
            said = {"ok": False, "error": case.secret, "message": case.secret, "errors": [f"bad {case.secret}"]}
            payloads = (json.dumps(said).encode(), case.secret.encode(), f"at {case.secret}!".encode())
            shown += [repr(channel.read(message, Response(status, body))) for body in payloads]
        assert not [text for text in shown if case.secret in text]


def test_pagerduty_gets_one_dedup_key_for_one_incident() -> None:
    """All messages of an incident, plain or full, of any severity, carry the same dedup key."""
    channel = CASES["pagerduty"].make()
    reports = [a_report(severity) for severity in ("P1", "P2", "P3", "P4")]
    told = [message for report in reports for message in messages(channel, report)]
    assert {json.loads(channel.render(message).body)["dedup_key"] for message in told} == {reports[0].dedup_key}


#: What stands between responder and a vendor answers with 200, or with a 4xx of its own.
NOT_THE_VENDORS = [
    Response(200, b"<html><body>Sign in to the proxy</body></html>", {"Content-Type": "text/html"}),
    Response(204, b""),
    Response(202, b""),
    Response(200, b"{}"),
    Response(200, b"[]"),
    Response(202, b'{"status": "invalid event", "message": "Event object is invalid"}'),
]


@pytest.mark.parametrize("name", ["pagerduty", "pagerduty_fallback"])
@pytest.mark.parametrize("answer", NOT_THE_VENDORS, ids=lambda each: f"{each.status} {each.body[:12]!r}")
def test_a_2xx_that_does_not_say_success_is_not_a_page(name: str, answer: Response) -> None:
    """A login page of a proxy counts as no page: the event is sent again, and after a minute the fallback pages."""
    channel = CASES[name].make()
    outcome = channel.read(_letter(channel), answer)
    assert isinstance(outcome, TryLater)
    assert outcome.retry_after == 60.0
    assert str(answer.status) in outcome.reason


@pytest.mark.parametrize("name", ["pagerduty", "pagerduty_fallback"])
@pytest.mark.parametrize("status", [403, 404, 407, 413])
@pytest.mark.parametrize("body", [b"<html>Forbidden</html>", b'{"message": "Forbidden"}', b""])
def test_a_4xx_of_a_proxy_is_tried_again(name: str, status: int, body: bytes) -> None:
    """Only PagerDuty itself can reject a page permanently."""
    channel = CASES[name].make()
    assert isinstance(channel.read(_letter(channel), Response(status, body)), TryLater)


@every
def test_a_message_can_be_read_as_people_see_it(name: str) -> None:
    """The dry-run shows every section of the page in plain text, without markup and without the vendor's format."""
    channel = CASES[name].make()
    report = a_report(
        title="[P1] plato > 5 % & odyssey", impact="Orders <of> A & B fail.", first_step="Read [the] log."
    )
    shown = channel.shown(channel.render(a_letter(report, channel=name, step=channel.steps[MessageKind.START][0])))
    assert shown.where
    if isinstance(channel, GenericWebhook) or channel.use in {Use.STATUS_PAGE, Use.ROOM}:  # others read it
        return
    texts = [text for _name, text in shown.rows]
    assert report.title in shown.title
    for wanted in (report.impact, report.first_step):
        assert [text for text in texts if text.startswith(wanted)], shown
    for kind in MessageKind:
        for message in messages(channel, a_report(kind=kind)):
            assert channel.shown(channel.render(message)).where
