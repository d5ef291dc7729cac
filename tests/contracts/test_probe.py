"""Contract of every probe kind."""

from __future__ import annotations

import dataclasses
import math
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.bootstrap.kubernetes import reads_of
from responder.diagnose.contract import ProbeQuestion, ProbeTools
from responder.diagnose.probes import PROBES
from responder.model.clock import Deadline
from responder.model.clue import Role
from responder.model.finding import DETAIL_LIMIT, HEADLINE_LIMIT, Finding, Verdict
from responder.model.problem import Position
from responder.model.rule import ProbeSpec
from responder.model.secret import Secret
from responder.outgoing import Outgoing
from responder.outgoing.kubernetes import ApiServer, ClusterAccess
from responder.standins.server import Call, Reply, StandIn
from tests.contracts.probe_cases import CASES, a_scene
from tests.support.faulty import Fault, faulty, refused_address

BUDGET = 0.4
#: Seconds after the deadline, less than the default timeouts (5 s) of dnspython and httpx.
SLACK = 3.0
#: Runs of a probe that was late: a busy machine delays one of them, a missing deadline delays each.
ATTEMPTS = 3
HOSTILE = (
    "<!channel>",
    "$(id)",
    '"} or vector(1) #',
    "../../",
    "169.254.169.254",
    "javascript:",
    "a\u202eb\x1b[31m\n",
    "x" * 5000,
)

kinds = pytest.mark.parametrize("kind", sorted(PROBES))


@pytest.fixture
def tools() -> Iterator[ProbeTools]:
    """The real wire and the real clock."""
    clock = SystemClock()
    outgoing = Outgoing(clock)
    yield ProbeTools(outgoing=outgoing, clock=clock)
    outgoing.close()


def a_probe(kind: str, spec: Any) -> ProbeSpec[Any]:
    """A probe of a rule file, under a name."""
    return ProbeSpec(
        name=f"{kind}-probe", kind=kind, timeout=BUDGET, spec=spec, position=Position("rules/x.yaml", 1, 1)
    )


def at(address: str, tools: ProbeTools) -> ProbeTools:
    """The tools with a Kubernetes API server at an address."""
    access = ClusterAccess(f"https://{address}", "a test", ssl.create_default_context, lambda _anew: Secret("token"))
    return dataclasses.replace(tools, cluster=reads_of(ApiServer(access, tools.clock), tools.clock))


def run(question: ProbeQuestion, tools: ProbeTools) -> tuple[Finding, float]:
    """The finding, and the seconds that it took, the shortest of at most ATTEMPTS runs."""
    fastest = math.inf
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        finding = PROBES[question.kind].findings(question, Deadline(began + BUDGET), tools)[0]
        fastest = min(fastest, time.monotonic() - began)
        if fastest < BUDGET + SLACK:
            break
    return finding, fastest


def holds(finding: Finding) -> None:
    """Invariants of every finding."""
    assert len(finding.headline) <= HEADLINE_LIMIT
    # What was not read of a cluster is named once for all reads, without the time of each.
    unseen = finding.clue is not None and finding.clue.role is Role.UNSEEN
    assert unseen or any(sign.isdigit() for sign in finding.headline), finding.headline
    assert len(finding.detail) <= DETAIL_LIMIT
    shown = f"{finding.headline}\n{finding.detail}\n{finding.query}\n{finding.target}"
    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    assert "\n" not in finding.headline
    shown.encode()


def test_every_kind_has_a_case_and_documented_keys() -> None:
    """No kind of probe escapes these tests, and each key that a rule file may give says what it is for."""
    assert set(CASES) == set(PROBES)
    for name, kind in PROBES.items():
        assert kind.name == name
        assert all(field.metadata.get("help") for field in dataclasses.fields(kind.spec))


@kinds
@pytest.mark.parametrize("fault", list(Fault))
def test_a_probe_answers_in_time_whatever_the_other_side_does(kind: str, fault: Fault, tools: ProbeTools) -> None:
    """A probe is back by its deadline and says unknown where it could not look: never down, never fine."""
    case = CASES[kind]
    with faulty(fault) as address:
        spec = case.at(address)
        assert PROBES[kind].check(spec) == ()
        for question in PROBES[kind].questions(a_probe(kind, spec), a_scene(address)):
            assert question.skip == ""
            finding, took = run(question, at(address, tools))
            assert took < BUDGET + SLACK
            assert finding.verdict is case.answered.get(fault, Verdict.UNKNOWN), finding
            assert (finding.probe, finding.kind) == (f"{kind}-probe", kind)
            holds(finding)


#: Answers that say nothing about what was asked. Of Kubernetes, which speaks TLS, see test_kubernetes.py.
ANSWERS = {
    "redirect": Reply(302, b"", {"Location": "/elsewhere"}),
    **{str(code): Reply(code, b"{}", {"Retry-After": "60"}) for code in (401, 403, 404, 410, 429, 500)},
    "html": Reply(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"}),
    "40 MB": Reply(200, b'{"status": "UP", "data": "' + b" " * 40_000_000 + b'"}'),
}
#: Kinds that speak HTTP without TLS.
OVER_HTTP = sorted(name for name, kind in PROBES.items() if kind.opening.isupper())
#: Bytes that an answer may cost, however long it is: the largest cap is 2 MiB.
MOST_MEMORY = 10 * 1024 * 1024


class Same(StandIn):
    """A server with one answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def answer(self, _call: Call) -> Reply:
        """Return it."""
        return self.reply


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_something_else_is_never_good_news(kind: str, name: str, tools: ProbeTools) -> None:
    """A refusal, a login page, a redirect (not followed) or 40 MB is no evidence that all is well, and costs little."""
    with Same(ANSWERS[name]) as server:
        address = f"127.0.0.1:{server.port}"
        (question,) = PROBES[kind].questions(a_probe(kind, CASES[kind].at(address)), a_scene(address))
        tracemalloc.start()
        try:
            finding, took = run(question, tools)
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        finally:
            tracemalloc.stop()
        assert took < BUDGET + SLACK
        # The target of an http probe is the server itself, and a refusal its answer.
        assert finding.verdict in ({Verdict.BAD, Verdict.UNKNOWN} if kind == "http" else {Verdict.UNKNOWN}), finding
        holds(finding)
        assert not any("elsewhere" in call.path for call in server.calls)


@kinds
@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_chooses_nothing(kind: str, label: str, tools: ProbeTools) -> None:
    """Label values never change the probed address, and never leave the string they are in."""
    address = refused_address()
    probe_context, plain = a_scene(address, pod=label, name=label), a_scene(address)
    probe = a_probe(kind, CASES[kind].hostile)
    for question, usual in zip(
        PROBES[kind].questions(probe, probe_context), PROBES[kind].questions(probe, plain), strict=True
    ):
        assert all(sign.isprintable() for sign in question.query + question.link + question.target)
        assert question.link.split("?")[0] == usual.link.split("?")[0] or question.skip
        if not CASES[kind].asks_with_labels:
            assert (question.query, question.wire, question.link) == (usual.query, usual.wire, usual.link)
        if not question.skip:
            finding, took = run(question, at(address, tools))
            assert took < BUDGET + SLACK
            holds(finding)


@kinds
def test_a_service_nobody_knows_is_skipped_with_a_reason(kind: str) -> None:
    """An alert about something outside the catalog causes no network traffic, except to investigate a cluster."""
    if CASES[kind].any_subject:
        return
    probe_context = dataclasses.replace(a_scene("127.0.0.1:1"), services={}, prometheus_url="")
    questions = PROBES[kind].questions(a_probe(kind, CASES[kind].hostile), probe_context)
    assert questions
    assert all(question.skip for question in questions)


@kinds
def test_what_is_wrong_with_a_probe_is_said_in_sentences(kind: str) -> None:
    """A mistake in a rule file is refused before it ships, with words that lead to it."""
    for spec, word in CASES[kind].wrong:
        problems = PROBES[kind].check(spec)
        assert problems, spec
        assert any(word in problem for problem in problems), problems


@kinds
def test_a_probe_only_reads(kind: str, tools: ProbeTools) -> None:
    """Nothing a probe sends can change anything: it opens as its kind declares, and only a question has a body."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)

        def listen() -> None:
            """Keep what arrives until the probe has hung up."""
            try:
                connection, _ = server.accept()
            except TimeoutError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    heard.append(connection.recv(65536))
                except OSError:
                    heard.append(b"")

        thread = threading.Thread(target=listen)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        for question in PROBES[kind].questions(a_probe(kind, CASES[kind].at(address)), a_scene(address)):
            run(question, at(address, tools))
        thread.join()
    opening = PROBES[kind].opening
    assert all(sent.startswith(opening) if opening else sent == b"" for sent in heard), heard
    if PROBES[kind].about is None:
        assert not any(b"\r\n\r\n" in sent and sent.partition(b"\r\n\r\n")[2] for sent in heard)
