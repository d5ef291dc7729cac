"""Pictures in the thread of a page in Slack, against a stand-in that checks Slack's three calls."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.message import ClaimedMessage, Response
from responder.model.outcome import Continue, Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.slack_pictures import LAST_WAIT, SlackPictures
from responder.notify.delivery.deliver import Deliverer
from responder.notify.render.chart import Chart
from responder.notify.render.png import HEIGHT, WIDTH, png
from responder.outgoing import Outgoing
from responder.standins.server import healthy, status
from responder.standins.slack import SlackStandIn
from tests.conftest import HandClock
from tests.support.builders import NOW, a_finding, a_letter, a_report

TOKEN = "xoxb-1-picture"
POINTS = tuple((NOW.timestamp() + 60 * each, float(each % 7)) for each in range(60))
RANGE = a_finding(points=POINTS, threshold=5.0, headline="plato: pool is full <!channel>")
THREAD = {"channel": "C0123ABCD", "ts": "1700000000.000100"}


Deliver = Callable[[ClaimedMessage], Outcome]


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """Slack."""
    with SlackStandIn(token=TOKEN) as running:
        yield running


@pytest.fixture
def deliver(slack: SlackStandIn, clock: HandClock) -> Iterator[Deliver]:
    """Make an attempt with a message of a thread."""
    outgoing = Outgoing(clock)
    deliverer = Deliverer(outgoing, clock, print_page=lambda _page: None)
    channel = SlackPictures(Secret(TOKEN), slack.url, name="slack.pictures")
    yield lambda message: deliverer.deliver(channel, message, Deadline(clock.monotonic() + 10))
    outgoing.close()


def a_picture(*findings: Finding, attempt: int = 1, **previous: str) -> ClaimedMessage:
    """Return the message of a picture."""
    report = replace(a_report(), kind=MessageKind.LATE, findings=findings or (RANGE,))
    return a_letter(report, channel="slack.pictures", step="picture", previous=previous or THREAD, attempt=attempt)


def pixels(data: bytes) -> list[bytes]:
    """Return the rows of a PNG of this project, after checking its parts."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, parts = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(name + body),)
        parts[name] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", parts[b"IHDR"]) == (WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    raw = zlib.decompress(parts[b"IDAT"])
    rows = [raw[number * (WIDTH + 1) + 1 : (number + 1) * (WIDTH + 1)] for number in range(HEIGHT)]
    assert len(raw) == HEIGHT * (WIDTH + 1)
    return rows


def test_the_png_has_values_threshold_and_the_moment_of_the_alert() -> None:
    """All three are in the picture, and nothing is drawn beyond its edge."""
    rows = pixels(png(Chart(POINTS, 100.0, (NOW + timedelta(minutes=30)).timestamp())))
    assert set(b"".join(rows)) == {0, 1, 2, 3, 4}
    assert sum(row[366] == 2 for row in rows) > HEIGHT // 2
    (top, *_), low = [at for at, row in enumerate(rows) if 3 in row], [at for at, row in enumerate(rows) if 4 in row]
    assert top < min(low)


def test_a_picture_is_small_and_takes_milliseconds() -> None:
    """A long range costs a page's worth of bytes."""
    assert len(png(Chart(tuple((float(at), float(at % 97)) for at in range(11_000)), 50.0))) < 20_000


def test_the_picture_is_shown_in_the_thread_of_the_page(slack: SlackStandIn, deliver: Deliver) -> None:
    """Slack gets a place, the bytes and the thread, in this order; the title is text, whatever a finding says."""
    assert deliver(a_picture()) == Delivered()
    (found,) = slack.files.files.values()
    assert found.shared == (THREAD["channel"], THREAD["ts"])
    assert found.data is not None
    pixels(found.data)
    assert found.name.endswith(".png")


def test_it_waits_for_the_page_and_gives_up_in_the_end(slack: SlackStandIn, deliver: Deliver) -> None:
    """Without a thread nothing is sent, however often it is due."""
    waits = [deliver(a_picture(attempt=attempt, channel="")) for attempt in range(1, LAST_WAIT + 1)]
    assert all(isinstance(each, Continue) for each in waits[:-1])
    assert isinstance(waits[-1], Refused)
    assert 3600 / 2 < sum(each.after for each in waits if isinstance(each, Continue)) < 2 * 3600
    assert not slack.calls


def test_nothing_is_sent_without_a_range(slack: SlackStandIn, deliver: Deliver) -> None:
    """A finding whose range is gone needs no picture."""
    assert deliver(a_picture(a_finding(Verdict.OK))) == Delivered()
    assert not slack.calls


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_call_may_fail_and_is_tried_again(slack: SlackStandIn, deliver: Deliver, number: int) -> None:
    """A failing call ends the attempt; the next one begins anew and shows one picture."""
    slack.manner = lambda _call: status(503) if len(slack.calls) == number else healthy(_call)
    assert isinstance(deliver(a_picture()), TryLater)
    slack.manner = healthy
    assert deliver(a_picture(attempt=2)) == Delivered()
    assert len([each for each in slack.files.files.values() if each.shared]) == 1


def test_a_missing_scope_is_named(slack: SlackStandIn, deliver: Deliver) -> None:
    """The reason says what to add."""
    slack.scopes = ("chat:write",)
    outcome = deliver(a_picture())
    assert isinstance(outcome, Refused)
    assert "files:write" in outcome.reason
    assert TOKEN not in outcome.reason


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/upload",
        "http://files.slack.com/u",
        "https://files.slack.com@evil.example.com/",
        "//",
        "",
    ],
)
def test_bytes_go_to_slack_only(url: str) -> None:
    """An address for the upload that is not Slack's gets nothing."""
    channel = SlackPictures(Secret(TOKEN), "https://slack.com/api")
    answer = Response(200, f'{{"ok":true,"upload_url":"{url}","file_id":"F1"}}'.encode())
    assert channel.following(a_picture(), [answer]) is None
    assert isinstance(channel.read(a_picture(), answer), Refused)


def test_the_usual_address_is_taken() -> None:
    """Slack's own address gets the bytes."""
    channel = SlackPictures(Secret(TOKEN), "https://slack.com/api")
    answer = Response(200, b'{"ok":true,"upload_url":"https://files.slack.com/upload/v1/x","file_id":"F1"}')
    request = channel.following(a_picture(), [answer])
    assert request is not None
    assert "Authorization" not in request.headers
    pixels(request.body)
