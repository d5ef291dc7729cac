"""The log of the subject becomes one sentence: how many errors, against yesterday, and which."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from responder.diagnose.contract import ProbeContext, Sources
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.loki import LokiSpec
from responder.model.finding import Verdict
from tests.unit.diagnose.conftest import Canned, Look, a_probe, a_scene

LINES = [
    ["1764000000000000002", "Caused by: Could not resolve placeholder 'DB_URL' password=hunter2"],
    ["1764000000000000001", "2026-11-30T02:00:00Z ERROR refresh failed"],
]


def scene(canned: Canned, now: int, before: int) -> ProbeContext:
    """The usual subject, whose log has this many errors now and had so many a day ago."""
    counts = [{"metric": {}, "value": [1764000000.1, str(count)]} for count in (before, now)]
    streams = {"result": [{"stream": {"pod": "plato-0"}, "values": LINES}]}
    canned.bodies = {
        "offset": json.dumps({"status": "success", "data": {"result": counts[:1] if before else []}}).encode(),
        "query?": json.dumps({"status": "success", "data": {"result": counts[1:] if now else []}}).encode(),
        "query_range": json.dumps({"status": "success", "data": streams}).encode(),
    }
    sources = Sources(loki=f"http://{canned.address}/", loki_tenant="a|b", grafana="https://grafana.example")
    return dataclasses.replace(a_scene(), sources=sources)


@pytest.mark.parametrize(
    ("now", "before", "verdict", "words"),
    [
        (142, 3, Verdict.BAD, "142 error lines in 10m (3 a day ago): Could not resolve placeholder 'DB_URL'"),
        (142, 0, Verdict.BAD, "142 error lines in 10m (0 a day ago): Could not"),
        (142, 100, Verdict.OK, "142 error lines in 10m (100 a day ago): Could not"),
        (4, 0, Verdict.OK, "4 error lines in 10m (0 a day ago): Could not"),
        (0, 7, Verdict.OK, "0 error lines in 10m (7 a day ago)"),
    ],
)
def test_errors_are_compared_with_those_of_a_day_ago(
    canned: Canned, run: Look, now: int, before: int, verdict: Verdict, words: str
) -> None:
    """Errors that are always there are a fact; many more than a day ago are a warning, with the line that says why."""
    (finding,) = run("loki", LokiSpec(), scene(canned, now, before))
    assert (finding.verdict, finding.judged) == (verdict, verdict is Verdict.BAD)
    assert finding.headline.startswith(f"plato: {words}")
    assert "hunter2" not in finding.headline + finding.detail
    assert canned.headers["X-Scope-OrgID"] == "a|b"
    assert len(canned.asked) == (3 if now else 2)


def test_the_query_is_built_from_escaped_values(canned: Canned) -> None:
    """A label of an alert stays in its string, and the link leads to the query in Grafana."""
    probe_context = scene(canned, 1, 1)
    subject = dataclasses.replace(probe_context.subject, namespace='a"} or {b="c', values={"workload": "pla.to"})
    (question,) = PROBES["loki"].questions(
        a_probe("loki", LokiSpec()), dataclasses.replace(probe_context, subject=subject)
    )
    assert question.query == (r'{namespace="a\"} or {b=\"c",pod=~"pla\\.to-.*"} |~ "(?i)error|exception|fatal|panic"')
    pane = json.loads(parse_qs(urlsplit(question.link).query)["left"][0])
    assert pane["queries"][0]["expr"] == question.query


def test_an_answer_of_another_server_is_unknown(canned: Canned, run: Look) -> None:
    """A response of something else than Loki says nothing about errors; without a Loki nothing is asked."""
    canned.body = b"<html>"
    probe_context = dataclasses.replace(a_scene(), sources=Sources(loki=f"http://{canned.address}"))
    (finding,) = run("loki", LokiSpec(), probe_context)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.headline.startswith("plato: Loki: not a valid response for /loki/api/v1/query")
    assert PROBES["loki"].questions(a_probe("loki", LokiSpec()), a_scene()) == ()
