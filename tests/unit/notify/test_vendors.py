"""Channels of Jira Service Management, Mattermost, mail and other systems, beyond the contract of every channel."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from responder.model.message import Response
from responder.model.outcome import Delivered, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.generic_webhook import GenericWebhook
from responder.notify.channels.jsm import Jsm
from responder.notify.channels.mattermost import Mattermost
from responder.notify.channels.smtp import Smtp
from tests.support import generic_webhook, jsm, mattermost
from tests.support.builders import a_letter, a_mail_server, a_report

ALERT = Jsm(Secret("k" * 36))
KEY = "0123456789abcdef0123456789abcdef"


def test_an_incident_is_one_alert_from_its_create_to_its_close() -> None:
    """The alias of the create is that of the notes and of the close, so that the vendor keeps one alert."""
    key = a_report().dedup_key
    urls = {
        step: ALERT.render(a_letter(a_report(), channel="jsm", step=step)).url for step in ("create", "note", "close")
    }
    about = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"
    assert urls == {
        "create": about,
        "note": f"{about}/{key}/notes?identifierType=alias",
        "close": f"{about}/{key}/close?identifierType=alias",
    }
    assert json.loads(ALERT.render(a_letter(a_report(), channel="jsm", step="create")).body)["alias"] == key


@pytest.mark.parametrize(
    ("severity", "pagerduty", "priority"),
    [("P2", "critical", "P2"), ("page", "critical", "P1"), ("ticket", "warning", "P3"), ("note", "info", "P5")],
)
def test_the_priority_follows_the_severity(severity: str, pagerduty: str, priority: str) -> None:
    """Severities of other names than P1 to P5 get the priority of their PagerDuty severity."""
    report = replace(a_report(), severity=severity, pagerduty_severity=pagerduty)
    assert json.loads(ALERT.render(a_letter(report, channel="jsm", step="create")).body)["priority"] == priority


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (jsm.ACCEPTED, Delivered),
        (Response(202, b"<html>Sign in</html>"), TryLater),
        (Response(200, b"{}"), TryLater),
        (jsm.UNPROCESSABLE, Refused),
        (Response(403, b"<html>Forbidden</html>"), TryLater),
        (Response(429, jsm.UNPROCESSABLE.body), TryLater),
    ],
)
def test_only_the_vendors_own_answer_counts(response: Response, expected: type) -> None:
    """The login page of a proxy is no page, and its 403 does not give up a page."""
    assert isinstance(ALERT.read(a_letter(channel="jsm", step="create"), response), expected)


def test_mattermost_accepts_with_ok_alone() -> None:
    """A 200 of anything but Mattermost is sent again, and an error has the server's words."""
    channel = Mattermost(Secret("https://chat.example.com/hooks/x"))
    message = a_letter(channel="mattermost", step="post")
    assert isinstance(channel.read(message, Response(200, b"<html>")), TryLater)
    refused = channel.read(message, mattermost.DISABLED)
    assert isinstance(refused, Refused)
    assert "Incoming webhooks have been disabled." in refused.reason


@pytest.mark.parametrize(
    ("secret", "key"), [("whsec_MDEyMzQ1Njc4OWFiY2RlZg==", b"0123456789abcdef"), (KEY, KEY.encode())]
)
def test_a_retry_has_the_same_id_and_a_valid_signature(secret: str, key: bytes) -> None:
    """A receiver verifies each attempt, and knows a retry by its id; another body or key is refused."""
    channel = GenericWebhook(Secret("https://hooks.example.com"), Secret(secret))
    first = a_letter(a_report(), channel="generic_webhook", step="post")
    later = replace(first, attempt=2, report=replace(first.report, written_at=first.report.started_at))
    requests = [channel.render(each) for each in (first, later)]
    assert requests[0].headers["webhook-id"] == requests[1].headers["webhook-id"]
    now = first.report.written_at.timestamp()
    request = requests[0]
    assert generic_webhook.refusal(request.body, request.headers, key, now) == ""
    assert "signature" in generic_webhook.refusal(request.body + b" ", request.headers, key, now)
    assert "signature" in generic_webhook.refusal(request.body, request.headers, b"other", now)
    assert "time" in generic_webhook.refusal(request.body, request.headers, key, now + 301)


def test_the_key_of_the_webhook_is_checked() -> None:
    """A key that no receiver would accept is a problem of the settings, and an address needs a key."""
    [setting] = [each for each in GenericWebhook.settings if each.name.endswith("signing_secret")]
    assert setting.check("whsec_not base64")
    assert setting.check("short")
    assert not setting.check(KEY)
    given = {"generic_webhook_url": Secret("https://x"), "generic_webhook_signing_secret": Secret("")}
    assert len(list(GenericWebhook.problems(given))) == 1


def test_mails_of_an_incident_are_one_thread_with_the_title_as_subject() -> None:
    """Clients thread the mails of an incident: each refers to the same message, and each has an id of its own."""
    channel = Smtp("responder@example.com", ("a@example.com",), a_mail_server(), name="payments-mail")
    kinds = (MessageKind.START, MessageKind.UPDATE, MessageKind.RESOLUTION)
    letters = [replace(a_letter(a_report(kind=kind), step="mail"), id=number) for number, kind in enumerate(kinds)]
    mails = [message_from_bytes(channel.render(each).body, policy=default) for each in letters]
    assert len({mail["Message-ID"] for mail in mails}) == 3
    assert len({(mail["In-Reply-To"], mail["References"]) for mail in mails}) == 1
    assert all(a_report().title in mail["Subject"] for mail in mails)


def test_dry_run_shows_a_mail_as_it_is_read() -> None:
    """The subject and the text are decoded, not shown as they are sent."""
    channel = Smtp("responder@example.com", ("a@example.com",), a_mail_server())
    report = replace(a_report(), title="[P1] plato — down")
    _summary, shown = channel.dry_run([channel.render(a_letter(report, channel="smtp", step="mail"))])
    assert "[P1] plato — down" in shown.decode()
    assert "=3D" not in shown.decode()
