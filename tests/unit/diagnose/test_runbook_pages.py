"""Golden pages of the shipped rule that runs the steps of its runbook; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from responder.bootstrap import SystemClock
from responder.bootstrap.runbooks import runbook_set
from responder.diagnose.cluster.reader import TABLE, SharedReads
from responder.diagnose.contract import ProbeTools
from responder.diagnose.probes import PROBES
from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.model.clock import Deadline
from responder.model.delivery import Notification
from responder.model.message import Response
from responder.outgoing import Outgoing
from responder.receive.alertmanager import parse
from responder.settings import Settings
from responder.standins.cluster.running import Scenario
from tests.support.kubernetes.pages import diagnosed, page_of, shipped_context

ROOT = Path(__file__).parents[3]
PAGES = Path(__file__).parent / "pages"
NOW = datetime(2026, 2, 28, 2, 42, tzinfo=UTC)
NAMES = dict.fromkeys(("capsule", "odyssey", "perception", "plato", "nexus"), "butterfly")
ALERT = {
    "status": "firing",
    "labels": {"alertname": "ServiceDown", "service": "plato", "namespace": "butterfly", "severity": "critical"},
    "annotations": {"summary": "No scrape of plato succeeds"},
    "startsAt": "2026-02-28T02:41:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    "scenario",
    [Scenario("healthy", NAMES), Scenario("failing", NAMES, failing=True), Scenario("idle", NAMES, idle=True)],
    ids=lambda scenario: scenario.title,
)
def test_the_page_says_which_step_is_as_expected_and_which_differs(scenario: Scenario) -> None:
    """A page for ServiceDown has the result of each step whose output the runbook compares."""
    context = shipped_context()
    context = replace(context, runbooks=runbook_set(Settings(runbooks=str(ROOT / "runbooks")), context.book))
    body = {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "responder", "alerts": [ALERT]}
    group = parse(json.dumps({**body, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}).encode())
    effects = pipeline.triage(group, Notification(id=1, received_at=NOW, body=b""), History(), context)
    request, clock, cluster = effects.request, SystemClock(), scenario.cluster()
    assert request is not None

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - those of Fetch
        return Response(*cluster.answer(target, as_table=accept == TABLE))

    tools = ProbeTools(outgoing=cast(Outgoing, scenario), clock=clock, cluster=SharedReads(fetch, clock))
    questions = context.questions(("runbook-steps",), request.subject, request.began, (), request.runbook)
    assert [each.skip for each in questions] == ["", "", ""]
    deadline = Deadline(clock.monotonic() + 5)
    findings = [found for each in questions for found in PROBES["runbook-step"].findings(each, deadline, tools)]
    text = page_of(effects, diagnosed(effects, tuple(findings)), NOW)
    path = PAGES / f"runbook-steps-{scenario.title}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
