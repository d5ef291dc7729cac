"""Cases of the channels for the contract: construction, and the vendor's judgement of requests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from slack_sdk.models.blocks import Block

from responder.model.message import ClaimedMessage, Request, Response
from responder.model.report import Report
from responder.model.secret import Secret
from responder.notify.channels.generic_webhook import GenericWebhook
from responder.notify.channels.jsm import Jsm
from responder.notify.channels.log import Log
from responder.notify.channels.mattermost import Mattermost
from responder.notify.channels.pagerduty import PagerDuty, PagerDutyFallback
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_room import SlackRoom
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.channels.smtp import Smtp
from responder.notify.channels.status_webhook import StatusWebhook
from responder.notify.channels.statuspage import Statuspage
from responder.notify.channels.teams import Teams
from responder.notify.contract import Channel
from responder.standins.pagerduty import read_event
from responder.standins.slack import refusal
from tests.support import generic_webhook, jsm, mattermost, statuspage, teams
from tests.support.builders import a_letter, a_mail_server

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "xoxb-111111111111-example-token"
WORKFLOW = "https://prod-1.westeurope.example.com/workflows/0a1b/triggers/manual/paths/invoke?sig=exampleexample"
HOOK = "https://hooks.slack.example.com/services/T000/B000/exampleexample"
MATTERMOST = "https://chat.example.com/hooks/xxxexamplexxxexamplexxx"
RECEIVER = "https://hooks.example.com/responder"
PAGE_KEY = "89a229ce1a8dbcf9ff30430fbe35eb4c0426574bca932061892cefd2138aa4b1"
SIGNING_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def _anything(_request: Request) -> None:
    """No markup: nothing can be forged."""


def _body(request: Request) -> str:
    return request.body.decode("utf-8")


def _readable(request: Request) -> Any:
    text = request.body.decode()
    return json.loads(text) if text.startswith("{") else text.split("\n")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One channel under contract."""

    make: Callable[[], Channel]
    #: The response for accepted.
    accepted: Response
    #: Asserts that the vendor takes a request.
    taken: Callable[[ClaimedMessage, Request], None]
    #: Asserts that hostile text does nothing in the vendor's markup.
    inert: Callable[[Request], None] = _anything
    #: Text visible to the reader.
    shown: Callable[[Request], str] = _body
    #: The request as it is written to a golden file.
    readable: Callable[[Request], Any] = _readable
    secret: str = ""
    #: The body of a 4xx that the vendor itself sends.
    own_error: bytes = b"no"
    #: Steps whose messages are never so long that they are cut.
    never_cut: frozenset[str] = frozenset()
    #: False if the minimal form is too short to say why a page came as a fallback.
    plain_says_why: bool = True
    #: Statuses from 400 to 499 after which the vendor takes the same request later.
    passing: frozenset[int] = frozenset({408, 425, 429})


def _taken_by_pagerduty(_letter: ClaimedMessage, request: Request) -> None:
    assert read_event(request.body)[1] == []


def _inert_in_pagerduty(request: Request) -> None:
    links = json.loads(request.body).get("links", [])
    assert all(link["href"].startswith(("https://a.example.com/", "https://evil")) for link in links)


def _taken_by_slack(message: ClaimedMessage, request: Request) -> None:
    body = json.loads(request.body)
    assert refusal(body) is None
    assert message.minimal is ("blocks" not in body)
    if request.url.endswith("/chat.update"):
        assert len(body["text"].encode()) < 4000
    else:
        assert body["unfurl_links"] is False
    for block in Block.parse_all(body.get("blocks", [])):
        block.validate_json()


def _inert_in_slack(request: Request) -> None:
    body = json.loads(request.body)
    texts = [body["text"]]
    for block in body.get("blocks", []):
        if block["type"] == "actions":
            assert all(each["value"].startswith("INC-") for each in block["elements"])
            continue
        held = [each for each in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())) if each]
        texts += [each["text"] for each in held]
        assert all(each["type"] == "plain_text" or each["verbatim"] for each in held)
    for text in texts:
        assert "<!" not in text
        assert "<@" not in text
        assert "<https://evil.example.com|Grafana>" not in text
        assert "<javascript" not in text
        assert text.count("```") in {0, 2}


def _taken_by_teams(_letter: ClaimedMessage, request: Request) -> None:
    assert teams.refusal(request.body) == ""


def _inert_in_teams(request: Request) -> None:
    """Text runs have no Markdown; what is left are the functions for dates, and the addresses of buttons."""
    assert not [text for text in teams.runs(request.body) if "{{" in text]
    assert all(url.startswith(("https://a.example.com/", "https://evil")) for url in teams.urls(request.body))


def _taken_by_jsm(_letter: ClaimedMessage, request: Request) -> None:
    assert jsm.refusal(request.url, request.body, request.headers) == ""


def _taken_by_mattermost(_letter: ClaimedMessage, request: Request) -> None:
    assert mattermost.refusal(request.body) == ""


def _inert_in_mattermost(request: Request) -> None:
    assert mattermost.markup(request.body) == []
    assert all(url.startswith(("https://a.example.com/", "https://evil")) for url in mattermost.urls(request.body))


def _taken_by_a_receiver(message: ClaimedMessage, request: Request) -> None:
    now = message.report.written_at.timestamp()
    key = b"0123456789abcdef" * 2
    assert generic_webhook.refusal(request.body, request.headers, key, now) == ""
    assert len(request.body) <= 20_000


def _taken_by_statuspage(_message: ClaimedMessage, request: Request) -> None:
    path = request.url.removeprefix("https://api.statuspage.example.com")
    assert statuspage.refusal(request.method, path, request.body, request.headers) == (0, "")


def _signed_for_a_status_page(message: ClaimedMessage, request: Request) -> None:
    now, key = message.report.written_at.timestamp(), b"0123456789abcdef" * 2
    assert generic_webhook.signature_problem(request.body, request.headers, key, now) == ""


def _anything_taken(_message: ClaimedMessage, request: Request) -> None:
    assert isinstance(json.loads(request.body), dict)


def _mail(request: Request) -> EmailMessage:
    return message_from_bytes(request.body, policy=default)


def _taken_as_mail(_letter: ClaimedMessage, request: Request) -> None:
    """Seven bits, short lines, and exactly the expected headers: nothing in a label can add one."""
    assert request.body.isascii()
    assert all(len(line) <= 998 for line in request.body.split(b"\r\n"))
    mail = _mail(request)
    assert not mail.defects
    assert mail["From"] == "responder@example.com"
    assert mail["To"] == "oncall@example.com, lead@example.com"
    assert {name.lower() for name in mail} - {"importance"} == {
        "subject", "from", "to", "date", "message-id", "in-reply-to", "references", "auto-submitted",
        "content-type", "content-transfer-encoding", "mime-version",
    }  # fmt: skip
    assert len(mail.items()) == len({name.lower() for name in mail})
    assert mail.get_content_type() == "text/plain"


def _readable_mail(request: Request) -> list[str]:
    mail = _mail(request)
    return [*(f"{name}: {value}" for name, value in mail.items()), "", *mail.get_content().splitlines()]


def _taken_by_the_log(_letter: ClaimedMessage, request: Request) -> None:
    assert request.url == "stdout:"


_EVENT = Response(202, b'{"status":"success","message":"Event processed","dedup_key":"k"}')

CASES: dict[str, Case] = {
    "pagerduty": Case(
        make=lambda: PagerDuty(Secret(KEY), "https://events.example.com", "https://responder.example.com"),
        accepted=_EVENT,
        own_error=b'{"status":"invalid event","message":"no","errors":[]}',
        taken=_taken_by_pagerduty,
        inert=_inert_in_pagerduty,
        secret=KEY,
        never_cut=frozenset({"resolve", "acknowledge"}),
        plain_says_why=False,
    ),
    "pagerduty_fallback": Case(
        make=lambda: PagerDutyFallback(Secret(KEY), "https://events.eu.example.com", "https://responder.example.com"),
        accepted=_EVENT,
        own_error=b'{"status":"invalid event","message":"no","errors":[]}',
        taken=_taken_by_pagerduty,
        inert=_inert_in_pagerduty,
        secret=KEY,
        never_cut=frozenset({"resolve", "acknowledge"}),
        plain_says_why=False,
    ),
    "slack": Case(
        make=lambda: Slack(Secret(TOKEN), "#incidents", "https://slack.example.com/api", interactive=True),
        accepted=Response(200, b'{"ok":true,"channel":"C1","ts":"1772246460.000100"}'),
        taken=_taken_by_slack,
        inert=_inert_in_slack,
        secret=TOKEN,
    ),
    "slack_webhook": Case(
        make=lambda: SlackWebhook(Secret(HOOK)),
        accepted=Response(200, b"ok"),
        taken=_taken_by_slack,
        inert=_inert_in_slack,
        secret=HOOK,
    ),
    "teams": Case(
        make=lambda: Teams(Secret(WORKFLOW)),
        accepted=teams.ACCEPTED,
        taken=_taken_by_teams,
        inert=_inert_in_teams,
        shown=lambda request: "\n".join(teams.runs(request.body)),
        secret=WORKFLOW,
    ),
    "jsm": Case(
        make=lambda: Jsm(Secret(KEY), "https://api.example.com/jsm"),
        accepted=jsm.ACCEPTED,
        own_error=jsm.UNPROCESSABLE.body,
        taken=_taken_by_jsm,
        secret=KEY,
        never_cut=frozenset({"close", "acknowledge"}),
    ),
    "mattermost": Case(
        make=lambda: Mattermost(Secret(MATTERMOST)),
        accepted=mattermost.ACCEPTED,
        own_error=mattermost.DISABLED.body,
        taken=_taken_by_mattermost,
        inert=_inert_in_mattermost,
        shown=lambda request: str(json.loads(request.body)["text"]).replace("\\", ""),
        secret=MATTERMOST,
    ),
    "generic_webhook": Case(
        make=lambda: GenericWebhook(Secret(RECEIVER), Secret(SIGNING_SECRET)),
        accepted=Response(204, b""),
        taken=_taken_by_a_receiver,
        secret=SIGNING_SECRET,
    ),
    "smtp": Case(
        make=lambda: Smtp("responder@example.com", ("oncall@example.com", "lead@example.com"), a_mail_server()),
        accepted=Response(200, b"accepted"),
        taken=_taken_as_mail,
        shown=lambda request: str(_mail(request).get_content()),
        readable=_readable_mail,
    ),
    "statuspage": Case(
        make=lambda: Statuspage(Secret(PAGE_KEY), "kctbh9vrtdwd", "https://api.statuspage.example.com"),
        accepted=statuspage.ACCEPTED,
        own_error=b'{"error":"no"}',
        taken=_taken_by_statuspage,
        secret=PAGE_KEY,
        passing=frozenset({408, 420, 425, 429}),
    ),
    "status_webhook": Case(
        make=lambda: StatusWebhook(Secret(RECEIVER), Secret(SIGNING_SECRET)),
        accepted=Response(204, b""),
        taken=_signed_for_a_status_page,
        secret=SIGNING_SECRET,
    ),
    "slack_room": Case(
        make=lambda: SlackRoom(
            Secret(TOKEN), "U0ANN,U0BOB", base_url="https://slack.example.com/api", interactive=True
        ),
        accepted=Response(200, b'{"ok":true,"channel":{"id":"C2"}}'),
        taken=_anything_taken,
        secret=TOKEN,
    ),
    "log": Case(
        make=Log,
        accepted=Response(200, b"ok"),
        taken=_taken_by_the_log,
        never_cut=frozenset({"print"}),
    ),
}


def messages(channel: Channel, report: Report, **changes: Any) -> list[ClaimedMessage]:
    """A letter for each step that any moment takes on the channel, with and without a first message, plain and full."""
    previous: list[dict[str, str]] = [{}, {"channel": "C1", "ts": "1.2"}]
    return [
        a_letter(
            replace(report, kind=moment), channel=channel.name, step=step, minimal=plain, previous=known, **changes
        )
        for moment, steps in channel.steps.items()
        for step, plain, known in itertools.product(steps, (False, True), previous)
    ]
