"""Pages of a scenario as text: what PagerDuty and Slack show, with the shipped rules and the cluster only."""

import json
from datetime import datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from responder.bootstrap.rulebook import load_rules
from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.kubernetes import finding_of
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext, History
from responder.model.delivery import Effects, Notification
from responder.model.finding import Finding, Origin
from responder.model.message import ClaimedMessage
from responder.model.report import IncidentContent
from responder.model.secret import Secret
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.report.compose import compose
from responder.notify.report.content import with_findings
from responder.notify.report.links import LinkBuilder
from responder.receive.alertmanager import parse
from responder.standins.slack import SlackMessage
from responder.triage.rule_index import RuleIndex
from tests.support.kubernetes.investigation import clues_of
from tests.support.kubernetes.scenarios import Scenario, notification

#: The number of the first section of an event that the pages leave out.
LAST = "11"
ROOT = Path(__file__).parents[3]
_QUESTION = ProbeQuestion(probe="cluster", kind="kubernetes", origin=Origin.CLUSTER, target="", query="", timeout=3.0)


@cache
def shipped_context() -> DecisionContext:
    """Return the shipped rules with PagerDuty, Slack and access to a cluster."""
    book = load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    return DecisionContext(
        book=book,
        matching=RuleIndex(book.rules),
        probe_kinds=PROBES,
        channels={"pagerduty": PagerDuty(Secret("k" * 32)), "slack": Slack(Secret("token"), "#incidents")},
        links=LinkBuilder(runbook_base_url="https://runbooks.example.com"),
        prometheus_url="",
        cluster=True,
    )


def diagnosed(effects: Effects, findings: tuple[Finding, ...]) -> IncidentContent:
    """Return the content of an incident with what its probes found."""
    assert effects.content is not None
    assert effects.request is not None
    return with_findings(
        effects.content, findings, pipeline.diagnose(effects.request, findings, shipped_context()).conclusion
    )


def pages_of(scenario: Scenario, now: datetime) -> str:
    """Return the PagerDuty event and the Slack message of a scenario, one line for each that is read."""
    group = parse(notification(scenario))
    effects = pipeline.triage(group, Notification(id=1, received_at=now, body=b""), History(), shipped_context())
    findings = tuple(finding_of(_QUESTION, clue, 0.0) for clue in clues_of(scenario, now))
    return page_of(effects, diagnosed(effects, findings), now)


def page_of(effects: Effects, content: IncidentContent, now: datetime) -> str:
    """Return the PagerDuty event and the Slack message of a new incident, one line for each that is read."""
    lines: list[str] = []
    for message in effects.messages:
        if message.step not in {"trigger", "post"}:
            continue
        channel = shipped_context().channels[message.channel]
        claimed = ClaimedMessage(
            id=1,
            channel=message.channel,
            step=message.step,
            priority=1,
            report=compose(content, message, now),
            due_at=now,
            attempt=1,
            minimal=False,
            previous={},
            written_at=now,
        )
        body = json.loads(channel.render(claimed).body)
        lines += [f"# {message.channel}", *(_event(body) if message.step == "trigger" else _chat(body)), ""]
    return "\n".join(lines)


def _event(body: dict[str, Any]) -> list[str]:
    """Return the summary and the page of a PagerDuty event, without metadata and single findings."""
    details = {key: text for key, text in body["payload"]["custom_details"].items() if key[:2] < LAST}
    return [body["payload"]["summary"], *(f"{key[3:]}: {text}" for key, text in details.items())]


def _chat(body: dict[str, Any]) -> list[str]:
    """Return the lines of a Slack message before its links."""
    shown = SlackMessage("", "", "", body["text"], body["blocks"], 0.0)
    lines = [line for text in shown.lines for line in text.split("\n")]
    return list(takewhile(lambda line: not line.startswith(("<", "*Severity")), lines))
