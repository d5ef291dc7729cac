"""Requests that are no valid HTTP, and what the log says about requests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from responder.standins.processes import Program
from responder.standins.stage import Stage, stage
from tests.real.conftest import ROOT, until
from tests.support.raw_http import Line
from tests.support.slow_clients import HEAD

pytestmark = pytest.mark.real

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no size": b"zzz\r\n{}\r\n0\r\n\r\n",
    "negative size": b"-1\r\n{}\r\n0\r\n\r\n",
    "no end of a chunk": b"2\r\n{}}}\r\n0\r\n\r\n",
    "extension with a control character": b"2;a=\x01\r\n{}\r\n0\r\n\r\n",
    "endless size line": b"1" * 20_000 + b"\r\n",
    "malformed trailer": b"2\r\n{}\r\n0\r\nno colon\r\n\r\n",
    "too many trailers": b"2\r\n{}\r\n0\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n",
}
HEADS = {
    "no method": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "no version": b"POST /webhook/alertmanager\r\n\r\n",
    "line feeds only": b"POST /webhook/alertmanager HTTP/1.1\nHost: a\n\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 1\r\n" + CHUNKED,
    "control character in a path": b"POST /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Program]]:
    """One `serve` for all tests of this file."""
    folder = tmp_path_factory.mktemp("serve")
    with stage(folder, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as found, found.serve() as program:
        yield found, program


def events(log: Path) -> list[dict[str, Any]]:
    """Every line of a log, each of which is an event."""
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_chunked_body_is_400(running: tuple[Stage, Program], name: str) -> None:
    """Broken chunks are the sender's fault: 400 with the reason, and no traceback in the log."""
    served, program = running
    with Line(served) as line:
        line.socket.sendall(
            HEAD + b"Authorization: Bearer " + served.token.encode() + b"\r\n" + CHUNKED + MALFORMED[name]
        )
        answer = line.read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"the chunked body is malformed" in answer
    assert not [each for each in events(program.log) if "exception" in each]


@pytest.mark.parametrize("name", HEADS)
def test_a_malformed_head_is_refused(running: tuple[Stage, Program], name: str) -> None:
    """A malformed HTTP request is refused at once, without a traceback and without control characters in the log."""
    served, program = running
    with Line(served) as line:
        line.socket.sendall(HEADS[name])
        assert line.read()[:10] == b"HTTP/1.1 4"
    assert "\x1b" not in program.log.read_text()
    assert not [each for each in events(program.log) if "exception" in each]


def test_lines_about_requests_of_one_address_are_limited(running: tuple[Stage, Program]) -> None:
    """Requests without credentials, and those that are no HTTP, write one line a minute and address each."""
    served, program = running
    for _ in range(40):
        with Line(served) as line:
            line.post(b"{}", token="wrong")
            assert line.read().startswith(b"HTTP/1.1 401")
        with Line(served) as line:
            line.socket.sendall(HEADS["no version"])
            assert line.read().startswith(b"HTTP/1.1 400")
    until(lambda: [each for each in events(program.log) if each["event"] == "webhook.unauthorized"])
    time.sleep(0.2)
    found = events(program.log)
    unauthorized = [each for each in found if each["event"] == "webhook.unauthorized"]
    invalid = [each for each in found if each["event"] == "library.logged" and "Invalid request" in each["reason"]]
    assert 1 <= len(unauthorized) <= 2  # one of each worker
    assert 1 <= len(invalid) <= 2
    assert invalid[0]["logger"] == "gunicorn.error"
