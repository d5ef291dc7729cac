"""Names that resolve, that do not exist, and that cannot be resolved: three different results."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.contract import ProbeTools
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.dns import DnsSpec
from responder.model.clock import Deadline
from responder.model.finding import Verdict
from responder.outgoing import Outgoing
from tests.support.builders import a_service
from tests.unit.diagnose.conftest import Look, a_probe, a_scene


@pytest.fixture
def name_server() -> Iterator[str]:
    """A name server on loopback that answers by the first word of the name."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)

        def serve() -> None:
            """Answer until stopped."""
            while not stop.is_set():
                try:
                    data, asker = server.recvfrom(4096)
                except TimeoutError:
                    continue
                server.sendto(reply(data), asker)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join()


def reply(data: bytes) -> bytes:
    """The name good has four addresses, empty none, gone does not exist, all others make the server fail."""
    query = dns.message.from_wire(data)
    question = query.question[0]
    response = dns.message.make_response(query, recursion_available=True)
    word = question.name.labels[0]
    if word == b"good" and question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", *(f"10.0.0.{at}" for at in range(4))))
    elif word == b"gone":
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif word not in {b"good", b"empty"}:
        response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


@pytest.mark.parametrize(
    ("word", "verdict", "words"),
    [
        ("good", Verdict.OK, "10.0.0.0, 10.0.0.1, 10.0.0.2 and 1 more in"),
        ("gone", Verdict.BAD, "NXDOMAIN"),
        ("empty", Verdict.BAD, "no address"),
        ("broken", Verdict.UNKNOWN, "SERVFAIL"),
    ],
)
def test_each_answer_of_dns_has_its_verdict(
    name_server: str, run: Look, word: str, verdict: Verdict, words: str
) -> None:
    """A name that does not exist is bad; a name server that fails says nothing about the name."""
    (finding,) = run("dns", DnsSpec(name=f"{word}.butterfly.example", server=name_server), a_scene())
    assert finding.verdict is verdict, finding
    assert words in finding.headline
    assert any(sign.isdigit() for sign in finding.headline)


@pytest.mark.parametrize(("name", "words"), [("127.0.0.1", "is an address"), ("localhost", "this machine")])
def test_what_needs_no_lookup_is_skipped(run: Look, name: str, words: str) -> None:
    """Addresses and this machine's own name need no name server, and rule nothing out."""
    (finding,) = run("dns", DnsSpec(name=name), a_scene())
    assert finding.verdict is Verdict.SKIPPED
    assert words in finding.headline


def test_a_host_that_is_mapped_elsewhere_is_not_looked_up() -> None:
    """In a demo or through a port-forward a name leads where the setting says, which rules nothing out."""
    clock = SystemClock()
    tools = ProbeTools(outgoing=Outgoing(clock, {"plato:8080": "127.0.0.1:4711"}), clock=clock)
    probe_context = dataclasses.replace(a_scene(), services={"plato": a_service("plato")})
    (question,) = PROBES["dns"].questions(a_probe("dns", DnsSpec()), probe_context)
    assert question.query == "A and AAAA of plato"
    (finding,) = PROBES["dns"].findings(question, Deadline(clock.monotonic() + 1), tools)
    assert finding.headline == "plato: skipped: RESPONDER_CONNECT_TO leads plato to 127.0.0.1"
