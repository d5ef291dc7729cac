"""Notes on PagerDuty's incidents: the look-up, the note, and the check of an attempt whose answer was lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from responder.converse.pagerduty.events import read
from responder.model.message import ClaimedMessage, Response
from responder.model.outcome import Continue, Delivered, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.pagerduty_notes import NOTE_LIMIT, PagerDutyNotes, open_incidents_url
from tests.support.builders import a_letter, a_report
from tests.support.pagerduty_webhooks import event

TOKEN = "u+example-token-of-pagerduty"
CHANNEL = PagerDutyNotes(Secret(TOKEN), "ann@example.com", "https://api.example.com")


def letter(known: str = "PGR0VU2", attempt: int = 1, **changes: Any) -> ClaimedMessage:
    """A note by a person."""
    given = {
        "kind": MessageKind.NOTE,
        "update": "note by Ann (Slack): the disk is full",
        "incident": "INC-118",
        **changes,
    }
    return replace(
        a_letter(a_report(**given), channel=CHANNEL.name, step="note", attempt=attempt), vendor_incident=known
    )


def answer(status: int, body: object = None, **headers: str) -> Response:
    """An answer of PagerDuty."""
    return Response(status, json.dumps(body).encode() if body is not None else b"", headers)


def test_an_unknown_incident_is_looked_up_by_its_open_alerts() -> None:
    """The look-up names the dedup key and open states; its answer is learnt, and the note follows."""
    message = letter("")
    request = CHANNEL.render(message)
    assert request.method == "GET"
    assert request.url == open_incidents_url("https://api.example.com", message.report.dedup_key)
    assert "statuses%5B%5D=triggered&statuses%5B%5D=acknowledged" in request.url
    found = {"incidents": [{"id": "P1", "html_url": "https://x.pagerduty.com/incidents/P1"}]}
    outcome = CHANNEL.read(message, answer(200, found))
    assert isinstance(outcome, Continue)
    assert outcome.ref == {"vendor_incident": "P1", "vendor_url": "https://x.pagerduty.com/incidents/P1"}


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_never_looked_up(key: str) -> None:
    """It would find any incident of the account."""
    with pytest.raises(ValueError, match="dedup key"):
        open_incidents_url("https://api.example.com", key)


def test_a_look_up_is_repeated_and_then_given_up() -> None:
    """PagerDuty may list an incident late: three attempts, then a dead letter with the reason."""
    waits = [CHANNEL.read(letter("", attempt), answer(200, {"incidents": []})) for attempt in (1, 2)]
    assert [each.after for each in waits if isinstance(each, Continue)] == [8.0, 50.0]
    last = CHANNEL.read(letter("", 3), answer(200, {"incidents": []}))
    assert isinstance(last, Refused)
    assert "no open incident" in last.reason


def test_a_note_is_accepted_only_if_the_answer_contains_it() -> None:
    """The note names its author in the header From; a 2xx of a proxy counts for nothing."""
    request = CHANNEL.render(letter())
    assert (request.method, request.url) == ("POST", "https://api.example.com/incidents/PGR0VU2/notes")
    assert request.headers["From"] == "ann@example.com"
    assert json.loads(request.body)["note"]["content"] == "responder INC-118/1: note by Ann (Slack): the disk is full"
    assert isinstance(CHANNEL.read(letter(), answer(201, {"note": {"id": "PN"}})), Delivered)
    for strange in (answer(200, {}), Response(200, b"<html>"), answer(201, {"note": {}})):
        assert isinstance(CHANNEL.read(letter(), strange), TryLater)


@pytest.mark.parametrize("before", [None, "timed out after 5.0 s", "HTTP 503"])
def test_an_attempt_that_may_have_arrived_is_looked_for(before: str | None) -> None:
    """A note whose answer was lost is not written twice: PagerDuty does not recognise a repetition."""
    message = replace(letter(attempt=2), before=before)
    assert CHANNEL.render(message).method == "GET"
    there = {"notes": [{"id": "PN", "content": "responder INC-118/1: note by Ann (Slack): the disk is full"}]}
    other = {"notes": [{"id": "PN", "content": "responder INC-118/11: another"}, {"content": None}, 7]}
    assert isinstance(CHANNEL.read(message, answer(200, there)), Delivered)
    absent = CHANNEL.read(message, answer(200, other))
    assert isinstance(absent, Continue)
    assert CHANNEL.render(replace(letter(attempt=3), before=absent.reason)).method == "POST"


@pytest.mark.parametrize(("reset", "seconds"), [("7", 7.0), ("soon", None), ("٣", None), ("", None)])
def test_a_full_key_pauses_until_its_reset(reset: str, seconds: float | None) -> None:
    """PagerDuty's 429 names the seconds in ratelimit-reset, not in Retry-After."""
    outcome = CHANNEL.read(letter(), answer(429, {"error": {"message": "Rate Limit"}}, **{"ratelimit-reset": reset}))
    assert isinstance(outcome, TryLater)
    assert (outcome.limited, outcome.retry_after) == (True, seconds)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_that_may_not_write_gives_up_with_the_reason(status: int) -> None:
    """The dead letter shows PagerDuty's reason, and never the token."""
    outcome = CHANNEL.read(letter(), answer(status, {"error": {"message": f"no {TOKEN}"}}))
    assert isinstance(outcome, Refused)
    assert str(status) in outcome.reason
    assert TOKEN not in outcome.reason + repr(CHANNEL) + repr(CHANNEL.render(letter()))


def test_late_findings_are_a_note_of_bounded_length() -> None:
    """A late diagnosis names its likely cause and the bad findings; the text is cut."""
    text = json.loads(CHANNEL.render(letter(kind=MessageKind.LATE, update="diagnosis finished late")).body)
    assert "Likely cause: plato reports its database as down" in text["note"]["content"]
    long = json.loads(CHANNEL.render(letter(update="x" * 9000)).body)["note"]["content"]
    assert len(long) <= NOTE_LIMIT + 60
    plain = CHANNEL.render(replace(letter(update="naïve\n" * 900), minimal=True)).body
    assert plain.isascii()


def test_an_own_note_that_comes_back_is_no_action() -> None:
    """The webhook about a note that responder wrote must not reach the channels again."""
    body = json.loads(CHANNEL.render(letter()).body)["note"]["content"]
    assert read(event("incident.annotated", content=body)).kind is None
    assert read(event("incident.annotated", content="the responder is on it")).kind is not None
