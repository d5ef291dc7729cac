"""Fixtures of the probe tests: the real transport, a scripted server, and a short way to run a probe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.contract import ProbeContext, ProbeTools
from responder.diagnose.probes import PROBES
from responder.model.clock import Deadline
from responder.model.finding import Finding
from responder.model.problem import Position
from responder.model.rule import ProbeSpec
from responder.outgoing import Outgoing
from tests.support.builders import a_service, a_subject

Look = Callable[[str, object, ProbeContext], tuple[Finding, ...]]


@dataclass
class Canned:
    """A server on loopback that answers with ``status`` and ``body``, and records requests.

    ``bodies`` are answers of their own for paths that contain the key; ``headers`` those of the last request.
    """

    address: str = ""
    status: int = 200
    body: bytes = b""
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def canned() -> Iterator[Canned]:
    """The server, answering 200 and nothing until changed."""
    said = Canned()

    class Handler(BaseHTTPRequestHandler):
        """Says what ``said`` holds."""

        def answer(self) -> None:
            """A response of the server."""
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said.headers = dict(self.headers)
            said.asked.append((self.command, self.path, sent.decode()))
            self.send_response(said.status)
            body = next((each for part, each in said.bodies.items() if part in self.path), said.body)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """Answer."""
            self.answer()

        def do_POST(self) -> None:
            """Answer."""
            self.answer()

        def log_message(self, *_args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        said.address = f"127.0.0.1:{server.server_port}"
        yield said
        server.shutdown()
        thread.join()


@pytest.fixture
def tools() -> Iterator[ProbeTools]:
    """The real wire and the real clock."""
    clock = SystemClock()
    outgoing = Outgoing(clock)
    yield ProbeTools(outgoing=outgoing, clock=clock)
    outgoing.close()


@pytest.fixture
def run(tools: ProbeTools) -> Look:
    """Ask all questions of one spec about a scene and give the findings."""

    def question(kind: str, spec: object, probe_context: ProbeContext) -> tuple[Finding, ...]:
        questions = PROBES[kind].questions(a_probe(kind, spec), probe_context)
        assert not any(each.skip for each in questions), questions
        deadline = Deadline(time.monotonic() + 5)
        return tuple(found for each in questions for found in PROBES[kind].findings(each, deadline, tools))

    return question


def a_probe(kind: str, spec: object) -> ProbeSpec[Any]:
    """A probe of a rule file."""
    return ProbeSpec(name="it", kind=kind, timeout=3.0, spec=spec, position=Position("rules/x.yaml", 1, 1))


def a_scene(address: str = "127.0.0.1:1", **values: Any) -> ProbeContext:
    """plato, depending on capsule and odyssey, all at one address; ``values`` are further labels."""
    services = {
        name: a_service(name, health=f"http://{address}/{name}/health", depends_on=depends_on)
        for name, depends_on in (("plato", ("capsule", "odyssey")), ("capsule", ()), ("odyssey", ()))
    }
    subject = a_subject(values={"service": "plato", "namespace": "butterfly"} | values)
    return ProbeContext(subject=subject, services=services, prometheus_url=f"http://{address}")
