"""Clients that send, read or close slowly occupy their own connections only."""

from __future__ import annotations

import contextlib
import json
import resource
import time
from collections.abc import Callable, Iterator

import pytest

from responder.standins import loopback
from responder.standins.stage import Stage, stage
from responder.web.gunicorn_worker import HEAD_BYTES, REQUEST_SECONDS
from tests.real.conftest import ROOT, example
from tests.support.raw_http import Line
from tests.support.slow_clients import HEAD, KINDS, SlowClients

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

#: Connections of each kind, as the requirement has it.
MANY = 2000
#: Seconds in which the webhook must answer beside them, in 99 of 100 requests.
P99_SECONDS = 1.0
#: Measurements that were too slow: a busy machine delays one of them, slow clients that hold a thread delay each.
ATTEMPTS = 3


@pytest.fixture(scope="module", autouse=True)
def _descriptors() -> Iterator[None]:
    """Enough descriptors for this end of the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * MANY:
        pytest.skip(f"needs {2 * MANY} descriptors: ulimit -Hn {2 * MANY}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One `serve` for all tests of this file."""
    folder = tmp_path_factory.mktemp("serve")
    with stage(folder, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as found, found.serve():
        yield found


def p99(count: int, ask: Callable[[], int], expected: int) -> float:
    """The 99th percentile of the seconds that a request takes."""
    took = []
    for _ in range(count):
        started = time.monotonic()
        assert ask() == expected
        took.append(time.monotonic() - started)
    return sorted(took)[int(0.99 * (count - 1))]


def beside(served: Stage) -> dict[str, float]:
    """p99 of webhooks and health checks, in seconds, in the first measurement that is fast enough, or the last."""
    body = example("watchdog")
    for _ in range(ATTEMPTS):
        took = {
            "webhook": p99(100, lambda: served.post(body, timeout=20).status, 202),
            "healthz": p99(20, lambda: loopback.get(f"{served.url}/healthz", 20).status, 200),
            "readyz": p99(20, lambda: loopback.get(f"{served.url}/readyz", 20).status, 200),
        }
        if max(took.values()) < P99_SECONDS:
            break
    return took


@pytest.mark.parametrize(("kind", "addresses"), [*((kind, 200) for kind in KINDS), ("dripping a head", 1)])
def test_slow_clients_do_not_delay_webhooks(served: Stage, kind: str, addresses: int) -> None:
    """Beside 2,000 slow connections without a token, webhooks and health checks are answered within a second."""
    with SlowClients(served.settings["RESPONDER_LISTEN"], *KINDS[kind], MANY, addresses) as slow:
        assert slow.connected.wait(60)
        took = beside(served)
    print(f"{kind} from {addresses}: p99 {took}")
    assert max(took.values()) < P99_SECONDS


def test_an_answer_that_is_not_read_occupies_no_thread(served: Stage) -> None:
    """Clients that ask for the metrics and never read them delay nothing."""
    with SlowClients(
        served.settings["RESPONDER_LISTEN"], b"GET /metrics HTTP/1.1\r\nHost: responder\r\n\r\n", b"", 100, 100
    ) as slow:
        assert slow.connected.wait(60)
        time.sleep(3)  # while the metrics are rendered, which takes the processor
        took = beside(served)
    assert max(took.values()) < P99_SECONDS


def test_connections_are_kept_alive(served: Stage) -> None:
    """A sender uses one connection for many notifications, also when it does not wait for the answers."""
    body = example("watchdog")
    with Line(served) as line:
        for _ in range(3):
            line.post(body)
            assert line.read().startswith(b"HTTP/1.1 202")
        line.post(body)
        line.post(body)
        assert [line.read()[:12] for _ in range(2)] == [b"HTTP/1.1 202"] * 2


def test_a_request_in_pieces_is_put_together(served: Stage) -> None:
    """A head and a body may arrive in any number of packets."""
    body = example("watchdog")
    with Line(served) as line:
        whole = HEAD + f"Authorization: Bearer {served.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for start in range(0, len(whole), 97):
            line.socket.sendall(whole[start : start + 97])
            time.sleep(0.001)
        assert line.read().startswith(b"HTTP/1.1 202")


def test_a_refused_request_is_closed_without_reading_its_body(served: Stage) -> None:
    """The answer to wrong credentials names the end of the connection, and comes before the body does."""
    with Line(served) as line:
        started = time.monotonic()
        line.post(b"{", length=10_000_000, token="wrong")
        answer = line.read()
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"Connection: close" in answer
        assert line.read() == b""
        assert time.monotonic() - started < 1


def test_a_head_has_a_largest_size(served: Stage) -> None:
    """A head without an end fills no memory: it is answered 431."""
    with Line(served) as line:
        line.socket.sendall(HEAD + b"X-Filler: " + b"x" * 2 * HEAD_BYTES)
        assert line.read().startswith(b"HTTP/1.1 431")


def test_a_request_has_a_deadline_with_a_token_too(served: Stage) -> None:
    """Head, body and answer have 10 s together, however the body arrives."""
    started = time.monotonic()
    with Line(served) as line:
        line.post(b"{", length=1_000_000)
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 2 * REQUEST_SECONDS:
                line.socket.sendall(b" ")
                time.sleep(0.2)
    assert REQUEST_SECONDS - 1 < time.monotonic() - started < REQUEST_SECONDS + 3


def test_a_payload_above_the_limit_has_a_minute(served: Stage) -> None:
    """A payload above RESPONDER_MAX_BODY_BYTES may take longer than 10 s, since it pages too."""
    body = json.loads(example("watchdog"))
    body["alerts"][0]["annotations"]["filler"] = "x" * 1024
    body["alerts"] *= 9 * 1024
    data = json.dumps(body).encode()
    with Line(served) as line:
        line.post(data[:-10], length=len(data))
        time.sleep(REQUEST_SECONDS + 2)
        line.socket.sendall(data[-10:])
        assert line.read().startswith(b"HTTP/1.1 202")


def test_open_connections_do_not_delay_the_end(stage: Stage) -> None:
    """SIGTERM ends `serve` within seconds, however many clients hold connections."""
    with stage.serve() as program, contextlib.ExitStack() as held:
        for kind in ("silent", "dripping a head", "answered and kept alive"):
            held.enter_context(SlowClients(stage.settings["RESPONDER_LISTEN"], *KINDS[kind], 20, 1))
        time.sleep(1)
        program.terminate()
        assert program.process.wait(8) == 0
