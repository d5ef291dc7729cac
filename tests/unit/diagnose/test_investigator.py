"""An outside investigator gets the alert and the findings, and what it answers is harmless text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.contract import ProbeContext, ProbeTools, Sources
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.investigator import InvestigatorSpec, about, in_words, plain
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.report import IncidentContent
from responder.model.secret import Credentials, Secret
from responder.notify.report.content import content_of, with_findings
from responder.notify.report.links import LinkBuilder
from responder.outgoing import Outgoing
from tests.support.builders import NOW, a_book, a_conclusion, a_decision, a_finding, a_group, an_incident
from tests.support.investigator import Investigator
from tests.unit.diagnose.conftest import Look, a_probe, a_scene

TOKEN = "holmes-8d1f0c7a44e2"


@pytest.fixture
def holmes() -> Iterator[Investigator]:
    """The stand-in, which wants a token."""
    with Investigator(token=TOKEN) as server:
        yield server


def scene(server: Investigator) -> ProbeContext:
    """The usual subject, with an investigator."""
    return dataclasses.replace(a_scene(), sources=Sources(investigator=f"{server.url}/api/chat"))


def an_incident_content() -> IncidentContent:
    """Content of an incident, with a secret in a finding and in a label."""
    content = content_of(
        a_decision(), a_group(), an_incident(), a_book(), LinkBuilder(), now=NOW, probes=("health",), history=""
    )
    labels = {**content.alerts.labels, "dsn": "postgres://plato:hunter2-longer@db/plato"}
    content = dataclasses.replace(content, alerts=dataclasses.replace(content.alerts, labels=labels))
    finding = a_finding(Verdict.BAD, headline="plato: exit 1: password=hunter2-longer")
    return with_findings(content, (finding,), a_conclusion(likely="plato crash-loops"))


def asked(server: Investigator, content: IncidentContent) -> Finding:
    """Ask about an incident, as the engine does."""
    clock = SystemClock()
    key = Credentials(token=Secret(TOKEN))
    tools = ProbeTools(outgoing=Outgoing(clock, credentials={f"{server.url}/api/chat": key}), clock=clock)
    (question,) = PROBES["investigator"].questions(a_probe("investigator", InvestigatorSpec()), scene(server))
    assert question.timeout == 120
    try:
        (found,) = PROBES["investigator"].findings(about(question, content), Deadline(clock.monotonic() + 5), tools)
    finally:
        tools.outgoing.close()
    return found


def test_the_alert_and_the_findings_are_sent_redacted(holmes: Investigator) -> None:
    """The investigator learns what the page says, and no secret that an alert or a finding held."""
    found = asked(holmes, an_incident_content())
    assert found.verdict is Verdict.OK
    assert found.detail == "HolmesGPT (not verified): The database is out of connections."
    (sent,) = holmes.asked
    for part in ("Service: plato", "Likely cause: plato crash-loops", "1 finding", "- bad: plato: exit 1"):
        assert part in sent
    assert "hunter2" not in sent
    assert len(sent) <= 8000


def test_much_is_cut_after_it_is_redacted(holmes: Investigator) -> None:
    """However much an incident holds, what is sent is bounded."""
    content = an_incident_content()
    many = tuple(a_finding(headline=f"plato: {number} " + "x" * 200) for number in range(300))
    asked(holmes, dataclasses.replace(content, findings=many))
    assert len(holmes.asked[0]) <= 8000
    assert len(in_words(content).splitlines()) < 60


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("**Cause**: `OOM`\n\n1. _raise_ the limit", "Cause : OOM 1. raise the limit"),
        ("see [the runbook](https://evil.example/x)", "see the runbook"),
        ("see ![x](javascript:alert(1)), https://evil.example/?a=b, www.evil.example", "see x), (link removed) (link"),
        ("<!channel> <@U123> <https://evil.example|Grafana> @here @all fix", "here all fix"),
        ("a@b.example stays", "a@b.example stays"),
        ("\x1b[31mred\u202e password=hunter2-longer", "red password=[REDACTED"),
        ("# Title\n> quote | a | b |", "Title quote a b"),
        ("pool_size is 5 in max_pool", "pool_size is 5 in max_pool"),
    ],
)
def test_an_answer_becomes_plain_text(said: str, shown: str) -> None:
    """Nothing in an answer links, mentions, formats or moves the cursor; secrets in it are redacted."""
    found = plain(said)
    assert found.startswith(shown)
    assert not any(part in found for part in ("hunter2", "://", "www.", "evil", "<", ">", "`", "*", "\n", "\x1b"))


def test_a_long_answer_is_cut() -> None:
    """A megabyte of text costs a line of the thread."""
    assert len(plain("because " * 200_000)) <= 900


@pytest.mark.parametrize("answer", ["", "  ", "<b></b>"])
def test_an_empty_answer_is_no_opinion(holmes: Investigator, answer: str) -> None:
    """An investigator without words is not quoted."""
    holmes.analysis = answer
    assert asked(holmes, an_incident_content()).verdict is Verdict.UNKNOWN


def test_nothing_is_asked_unless_it_is_switched_on(holmes: Investigator, run: Look) -> None:
    """Without an address there is no question; with one and without the token it is refused, and named."""
    assert PROBES["investigator"].questions(a_probe("investigator", InvestigatorSpec()), a_scene()) == ()
    (finding,) = run("investigator", InvestigatorSpec(), scene(holmes))
    assert finding.headline.startswith("plato: HolmesGPT: HTTP 401 for /api/chat after ")
    assert holmes.asked == []
