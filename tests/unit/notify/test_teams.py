"""Microsoft Teams: what its webhook documents, and what a reader sees first."""

from __future__ import annotations

import json

import pytest

from responder.model.message import Response
from responder.model.outcome import Delivered, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.teams import CARD_LIMIT, Teams
from tests.support import teams
from tests.support.builders import a_conclusion, a_finding, a_letter, a_report

CHANNEL = Teams(Secret("https://prod-1.westeurope.example.com/workflows/0a1b?sig=s3cret"))


def test_the_most_important_is_read_first() -> None:
    """The card shows the event, its impact, the likely cause and the first step."""
    likely = a_conclusion(likely="the database refuses connections")
    report = a_report(what="no pod is ready", impact="all users", first_step="undo the rollout", conclusion=likely)
    texts = teams.runs(CHANNEL.render(a_letter(report)).body)
    assert texts[0].startswith("[P1] plato is down")
    wanted = ["no pod is ready", "all users", "the database refuses connections", "undo the rollout"]
    places = [next(number for number, text in enumerate(texts) if text.startswith(each)) for each in wanted]
    assert places == sorted(places)
    assert places[-1] < texts.index("Severity: ")


def test_markdown_in_an_alert_stays_text() -> None:
    """Text of an alert is in text runs only, which have no Markdown, and begins no function."""
    hostile = "[click](https://evil.example.com) **bold** {{{DATE(2026-01-01T00:00:00Z)}}} <at>all</at>"
    body = CHANNEL.render(a_letter(a_report(what=hostile))).body
    assert teams.refusal(body) == ""
    [said] = [text for text in teams.runs(body) if "click" in text]
    assert said == hostile.replace("{{{", "{ { {")


def test_an_oversize_card_keeps_its_first_lines() -> None:
    """Teams shows nothing of a card that is too large: the last lines go, and the card says so."""
    findings = (a_finding(headline="é" * 120),) * 500
    report = a_report(findings=findings, what="w" * 50_000, labels={f"l{n}": "v" * 100 for n in range(500)})
    body = CHANNEL.render(a_letter(report)).body
    assert len(body) <= CARD_LIMIT
    assert teams.refusal(body) == ""
    texts = teams.runs(body)
    assert texts[-1].endswith("more lines left out")
    assert "Impact: " in texts


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (teams.ACCEPTED, Delivered()),
        (teams.DISABLED, Refused("HTTP 400: The workflow trigger is not enabled.")),
        (Response(429, b"", {"Retry-After": "17"}), TryLater("HTTP 429", 17.0, limited=True)),
        (Response(502, b'{"error":"a proxy"}'), TryLater("HTTP 502")),
    ],
)
def test_answers_of_the_vendor_are_understood(response: Response, expected: object) -> None:
    """Accepted is 202; a disabled workflow is refused with the vendor's words; too many requests wait as asked."""
    assert CHANNEL.read(a_letter(step="post"), response) == expected


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "TextBlock", "text": "**bold**"}, "not a rich text block"),
        ({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": 1}]}, "not a text run"),
        ({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "a" * 15_000}]}, "too large"),
    ],
)
def test_the_stand_in_refuses_what_teams_would_not_show(change: dict[str, object], why: str) -> None:
    """The rules that the contract tests judge by can fail."""
    message = json.loads(CHANNEL.render(a_letter(a_report(kind=MessageKind.UPDATE))).body)
    message["attachments"][0]["content"]["body"].append(change)
    assert why in teams.refusal(json.dumps(message).encode())
