"""doctor's checks of the fallback channels for PagerDuty."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from responder import bootstrap
from responder.bootstrap import SystemClock
from responder.cli.doctor import channels
from responder.cli.doctor.context import DoctorContext
from responder.model.check import Level, Result
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.smtp import Mailer
from responder.settings import Settings
from tests.support.mail import MailStandIn
from tests.unit.diagnose.test_tls import Authority

ROOT = Path(__file__).parents[3]
KEY, SECOND = "k" * 32, "s" * 32
PASSWORD = "hunter2hunter2"


class Wire:
    """Answers every request the same way, and keeps it."""

    def __init__(self, answer: Mapping[str, object] | None = None, status: int = 200) -> None:
        self._response = Response(status, json.dumps(answer or {}).encode())
        self.asked: list[Request] = []

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """The response; status 0 means no response."""
        self.asked.append(request)
        if not self._response.status:
            raise UnreachableError("connection refused")
        return Response(200, b'{"ok":true}') if request.url.endswith("/auth.test") else self._response


def a_patient(wire: object, given: Settings, seconds: float = 5.0) -> DoctorContext:
    """Doctor's context for these settings."""
    return DoctorContext(
        settings=given,
        environment={},
        book=None,
        outgoing=wire,  # type: ignore[arg-type]
        mailer=Mailer(wire, SystemClock()),  # type: ignore[arg-type]
        clock=SystemClock(),
        deadline=Deadline(time.monotonic() + seconds),
        send=False,
    )


def checked(name: str, doctor_context: DoctorContext) -> tuple[Result, ...]:
    """The results of a channel's check."""
    return channels.checks()[name](doctor_context)


def paged(**settings: object) -> Settings:
    """PagerDuty and what else is given."""
    return Settings(of_channels={"pagerduty_routing_key": Secret(KEY), **settings})


MAIL = {"smtp_from": "responder@example.com", "smtp_to": "oncall@example.com"}


@pytest.mark.parametrize(
    ("settings", "level", "said"),
    [
        ({}, Level.WARN, "no fallback channel"),
        ({"slack_bot_token": Secret("xoxb-1")}, Level.WARN, "no fallback channel"),
        ({"pagerduty_fallback_url": "https://eu.example.com"}, Level.OK, "goes to PagerDuty's second key"),
        (
            {"slack_bot_token": Secret("x"), "slack_oncall_group": "S0123ABCD", "smtp_host": "m", **MAIL},
            Level.OK,
            "goes to Slack, then the mail server",
        ),
    ],
)
def test_having_no_other_way_is_told(settings: dict[str, object], level: Level, said: str) -> None:
    """A missing fallback for PagerDuty is reported."""
    [found] = channels.fallbacks(a_patient(Wire(), paged(**settings)))
    assert (found.level, said in found.what) == (level, True), found
    assert bool(found.change) is (level is Level.WARN)


@pytest.mark.parametrize(
    ("key", "status", "levels"),
    [
        (SECOND, 404, [Level.OK]),
        ("short", 404, [Level.WARN]),
        (SECOND, 503, [Level.BAD]),
        (SECOND, 0, [Level.BAD]),
        ("short", 0, [Level.WARN, Level.BAD]),
    ],
)
def test_the_second_region_is_asked(key: str, status: int, levels: list[Level]) -> None:
    """The second key's own URL is checked, and nothing is sent there."""
    wire = Wire(status=status)
    given = paged(pagerduty_fallback_routing_key=Secret(key), pagerduty_fallback_url="https://eu.example.com")
    assert [each.level for each in checked("pagerduty_fallback", a_patient(wire, given))] == levels
    assert [(each.url, each.method, each.body) for each in wire.asked] == [("https://eu.example.com", "GET", b"")]


def test_what_is_not_configured_is_not_looked_at() -> None:
    """Channels that are not configured are not checked."""
    wire = Wire()
    doctor_context = a_patient(wire, paged())
    every = (each for name in ("pagerduty_fallback", "slack", "smtp") for each in checked(name, doctor_context))
    assert {each.level for each in every} == {Level.SKIPPED}
    assert wire.asked == []


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        ({"ok": True, "usergroups": [{"id": "S0123ABCD"}]}, Level.OK, "group S0123ABCD exists"),
        ({"ok": True, "usergroups": [{"id": "S9999ZZZZ"}]}, Level.BAD, "there is no group S0123ABCD"),
        ({"ok": False, "error": "missing_scope"}, Level.OK, "not checked: the bot has no scope usergroups:read"),
        ({}, Level.OK, "not checked: Slack did not list the groups"),
    ],
)
def test_a_group_that_slack_does_not_know_is_bad(answer: dict[str, object], level: Level, said: str) -> None:
    """A mention of a missing group would not page; a group that cannot be read is reported as unchecked."""
    given = paged(slack_bot_token=Secret("xoxb-1"), slack_oncall_group="S0123ABCD")
    wire = Wire(answer)
    [_token, found] = checked("slack", a_patient(wire, given))
    assert (found.level, said in found.what) == (level, True), found
    assert [each.url.rpartition("/")[2] for each in wire.asked] == ["auth.test", "usergroups.list"]


def test_a_webhook_cannot_look_for_the_group() -> None:
    """Without a token nothing is checked, and the output says so."""
    wire = Wire()
    given = paged(slack_webhook_url=Secret("https://hooks.slack.com/x"), slack_oncall_group="S0123ABCD")
    [_host, found] = checked("slack_webhook", a_patient(wire, given))
    assert (found.level, "not checked" in found.what) == (Level.OK, True)
    assert [each.url for each in wire.asked] == ["https://hooks.slack.com/"]


def mails(
    server: MailStandIn, authority: Authority | None = None, seconds: float = 5.0, **more: object
) -> DoctorContext:
    """Doctor's context with this mail server."""
    ca_file = str(authority.root) if authority else ""
    given = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_from": "a@example.com",
        "smtp_to": "b@example.com",
    }
    return a_patient(Outgoing(SystemClock(), ca_file=ca_file), paged(**(given | more)), seconds)


def levels(found: tuple[Result, ...]) -> list[Level]:
    """Levels of the checks."""
    return [each.level for each in found]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """CA file of the client."""
    return Authority(tmp_path)


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    """Of a server with a certificate that is good."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(authority.certificate((-1, 80), "127.0.0.1"))
    return found


def test_a_mail_server_is_proved_without_a_mail(authority: Authority, context: ssl.SSLContext) -> None:
    """Address, certificate and password of the mail server are known to be right before the night they are needed."""
    login: dict[str, Any] = {"smtp_user": "responder", "smtp_password": Secret(PASSWORD)}
    with MailStandIn(tls=context, login=("responder", PASSWORD)) as server:
        [healthy] = checked("smtp", mails(server, authority, **login))
        [stranger] = checked("smtp", mails(server, None, **login))
        [wrong] = checked("smtp", mails(server, authority, **login | {"smtp_password": Secret("another-one")}))
        assert server.mails == []
    assert (healthy.level, "over verified TLS and accepts the login" in healthy.what) == (Level.OK, True), healthy
    assert (stranger.level, "TLS" in stranger.what) == (Level.BAD, True), stranger
    assert (wrong.level, "wrong user or password" in wrong.what) == (Level.BAD, True), wrong
    assert "another-one" not in wrong.what


def test_a_mail_server_that_is_not_there_or_hangs_is_bad() -> None:
    """A wrong port, and a server that drips, are reported in time."""
    with MailStandIn() as server:
        gone = mails(server, smtp_tls="none")
    assert levels(checked("smtp", gone)) == [Level.BAD]
    with MailStandIn(drip=0.5) as server:
        began = time.monotonic()
        assert levels(checked("smtp", mails(server, seconds=0.3, smtp_tls="none"))) == [Level.BAD]
        assert time.monotonic() - began < 3


def test_mail_in_the_clear_is_told() -> None:
    """Mail without encryption is reported, since a page names hosts and customers."""
    with MailStandIn() as server:
        assert levels(checked("smtp", mails(server, smtp_tls="none"))) == [Level.OK, Level.WARN]
        [without] = checked("smtp", mails(server))
    assert (without.level, "STARTTLS" in without.what) == (Level.BAD, True), without


def test_a_test_mail_is_sent_where_it_is_asked_for() -> None:
    """With --send the mail server shows that it takes a page and its end, between which a person can see the page."""
    book = bootstrap.load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    with MailStandIn() as server:
        open_pages = []
        doctor_context = replace(
            mails(server, smtp_tls="none", pagerduty_routing_key=Secret("")),
            book=book,
            send=True,
            hold=lambda: open_pages.append(len(server.mails)),
        )
        [found] = channels.test_messages(doctor_context)
        assert (found.level, found.what) == (Level.OK, "smtp accepted a test page and its resolve")
        assert (open_pages, len(server.mails)) == ([1], 2)
        assert "test by responder doctor" in str(server.mails[0].message["Subject"])
