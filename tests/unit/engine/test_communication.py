"""The owner's three communication templates, filled by one incident from its start to its resolve."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.probes.kubernetes import finding_of
from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.model.delivery import Effects, Notification
from responder.model.finding import Origin
from responder.model.report import Handling, IncidentContent, Report
from responder.notify.report.compose import compose
from responder.receive.alertmanager import parse
from tests.support.kubernetes.investigation import clues_of
from tests.support.kubernetes.pages import diagnosed, shipped_context
from tests.support.kubernetes.scenarios import Scenario, load, notification

NOW = datetime(2026, 2, 28, 2, 47, tzinfo=UTC)
QUESTION = ProbeQuestion(probe="cluster", kind="kubernetes", origin=Origin.CLUSTER, target="", query="", timeout=3.0)


def decided(body: dict[str, Any], minutes: float, before: History = History()) -> Effects:  # noqa: B008 - immutable
    """The effects of a notification some minutes after NOW."""
    delivery = Notification(id=1 + int(minutes), received_at=NOW + timedelta(minutes=minutes), body=b"")
    return pipeline.triage(parse(json.dumps(body).encode()), delivery, before, shipped_context())


def investigated(effects: Effects, scenario: Scenario) -> IncidentContent:
    """The content of an incident with what the cluster shows."""
    return diagnosed(effects, tuple(finding_of(QUESTION, clue, 0.0) for clue in clues_of(scenario, NOW)))


def posted(effects: Effects, content: IncidentContent, minutes: float) -> Report:
    """The message that Slack shows of it."""
    message = next(each for each in effects.messages if each.channel == "slack")
    return compose(content, message, NOW + timedelta(minutes=minutes))


def test_the_twelve_fields_have_the_values_that_a_person_would_write() -> None:
    """Start, update and resolution of an incident fill each field, and say so where a value is not known."""
    scenario = load(Path("tests/scenarios/crash-missing-env.yaml"), NOW)
    body = json.loads(notification(scenario))
    start = decided(body, 0)
    content = investigated(start, scenario)
    assert start.content is not None
    unchecked = posted(start, start.content, 0).fields
    assert (unchecked["Status"], unchecked["Impact"]) == ("Investigating", "not known yet")
    first = posted(start, content, 0.1)
    assert (first.heading, dict(first.fields)) == (
        "INCIDENT STARTED",
        {
            "Severity": "P1",
            "Service": "plato",
            "Impact": "Policies and reference knowledge cannot be looked up; actions that need an approval wait or "
            "fail. Depended on by: nexus.",
            "Status": "Identified",
            "Lead": "On-Call Primary (PagerDuty)",
            "Channel": "#incident-2026-02-28-plato",
        },
    )
    taken = replace(content, handling=Handling(acknowledged_by="Ann", acknowledged_at=NOW))
    assert posted(start, taken, 1).fields["Lead"] == "Ann"
    again = json.loads(json.dumps(body["alerts"][0]))
    again["labels"]["pod"] = "plato-wjl7nzv9l-kh6fr"
    body["alerts"].append(again)
    grown = decided(body, 12, History(start.incident, content))
    assert grown.content is not None
    second = posted(grown, grown.content, 12)
    assert "rolled out 14 min ago, 8 min before the alert" in first.conclusion.changed
    assert "rolled out 26 min ago, 8 min before the alert" in second.conclusion.changed
    assert (second.heading, dict(second.fields)) == (
        "INCIDENT UPDATE",
        {
            "Status": "Identified",
            "Duration": "18 minutes",
            "Update": "1 more alert started firing; 2 firing now",
            "Next update in": "30 minutes",
        },
    )
    for each in body["alerts"]:
        each |= {"status": "resolved", "endsAt": (NOW + timedelta(minutes=41)).isoformat()}
    over = decided(body | {"status": "resolved"}, 42, History(grown.incident, grown.content))
    assert over.content is not None
    third = posted(over, over.content, 42)
    cause = third.fields["Root Cause"]
    assert cause.startswith("not yet confirmed; likely: all 3 pods of plato crash-loop: container plato ends with exit")
    assert "Could not resolve placeholder 'DB_URL'" in cause
    assert (third.heading, {name: text for name, text in third.fields.items() if name != "Root Cause"}) == (
        "INCIDENT RESOLVED",
        {
            "Duration": "47 minutes",
            "Resolution": "Both alerts are resolved; the fix is not recorded yet",
            "Post-mortem": "due 2026-03-02 03:28 UTC (within 48 hours)",
        },
    )
