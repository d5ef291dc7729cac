"""BUTTERFLY's severities, services and rules as small values, for the builders of tests and demos."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from responder.model.problem import Position
from responder.model.rule import (
    Action,
    Link,
    Matcher,
    Op,
    Rule,
    RuleBook,
    RunbookRef,
    Service,
    Severity,
)
from responder.model.team import Contact


def a_severity(name: str = "P1", **changes: Any) -> Severity:
    """One of the four severities as BUTTERFLY defines them."""
    return replace(SEVERITIES[name], **changes)


_MINUTE = 60.0
SEVERITIES = {
    severity.name: severity
    for severity in (
        Severity(
            name="P1",
            priority=1,
            meaning="complete outage, data loss or a security breach",
            response="15 minutes, all hands",
            respond_within=15 * _MINUTE,
            responders="all hands",
            pages=True,
            pagerduty="critical",
            page_budget=8.0,
            next_update=30 * _MINUTE,
        ),
        Severity(
            name="P2",
            priority=2,
            meaning="a major feature is unavailable or much slower",
            response="1 hour, on-call and backup",
            respond_within=60 * _MINUTE,
            responders="on-call and backup",
            pages=True,
            pagerduty="error",
            page_budget=15.0,
            next_update=60 * _MINUTE,
        ),
        Severity(
            name="P3",
            priority=3,
            meaning="a minor feature is unavailable or somewhat slower",
            response="4 hours, on-call",
            respond_within=240 * _MINUTE,
            responders="on-call",
            pages=False,
            pagerduty="warning",
            page_budget=30.0,
            next_update=240 * _MINUTE,
        ),
        Severity(
            name="P4",
            priority=4,
            meaning="a minor issue with a workaround, no user impact",
            response="next business day",
            respond_within=None,
            responders="on-call",
            pages=False,
            pagerduty="info",
            page_budget=30.0,
            next_update=1440 * _MINUTE,
        ),
    )
}


def a_service(name: str = "plato", **changes: Any) -> Service:
    """A service of the catalog."""
    usual = Service(
        name=name,
        namespace="butterfly",
        health=f"http://{name}:8080/actuator/health",
        owner=f"team-{name}",
        impact=f"Whatever needs {name} fails for all users.",
        depends_on=("capsule",) if name == "plato" else (),
        needed_by=("plato",) if name == "capsule" else (),
        dashboards=(Link("Dashboard", f"https://grafana.butterfly.example.com/d/{name}"),),
        selector=f'namespace="butterfly",service="{name}"',
    )
    return replace(usual, **changes)


def a_rule(**changes: Any) -> Rule:
    """The rule that a ServiceDown alert meets."""
    usual = Rule(
        id="service-down",
        matchers=(Matcher("alertname", Op.EQUAL, "ServiceDown"),),
        severity="P1",
        symptom="is down",
        service_impact=True,
        runbook=RunbookRef("common-issues.md", "service-down"),
        first_step="See whether a rollout is under way, and undo it if so.",
        probes=("health", "dns"),
        channels=("pagerduty", "slack"),
        action=Action.NOTIFY,
        position=Position("rules/10-kubernetes.yaml", 3, 5),
    )
    return replace(usual, **changes)


def a_book(*rules: Rule, **changes: Any) -> RuleBook:
    """A rule book with the four severities, the five services and the rules given, a catch-all last."""
    last = a_rule(
        id="unknown",
        matchers=(),
        severity="P3",
        symptom="",
        runbook=RunbookRef("common-issues.md", "unknown-alert"),
        first_step="Read the alert and decide whether users notice.",
        probes=("health",),
        channels=("slack",),
        position=Position("rules/99-unknown.yaml", 2, 5),
    )
    usual = RuleBook(
        severities=SEVERITIES,
        services={name: a_service(name) for name in ("capsule", "odyssey", "perception", "plato", "nexus")},
        contacts=(
            Contact(role="On-Call Primary", contact="PagerDuty", hours="24/7"),
            Contact(role="Engineering Lead", contact="Slack: @eng-lead", hours="Business hours"),
            Contact(role="SRE Team", contact="Slack: #sre-team", hours="24/7"),
        ),
        escalation=(
            Contact(role="On-Call Primary", contact="PagerDuty", hours="24/7"),
            Contact(role="On-Call Secondary", contact="PagerDuty (escalation)", hours="24/7"),
            Contact(role="Engineering Lead", contact="Slack: @eng-lead", hours="Business hours"),
        ),
        urls=(
            Link("Grafana", "https://grafana.butterfly.example.com"),
            Link("Prometheus", "https://prometheus.butterfly.example.com"),
            Link("PagerDuty", "https://butterfly.pagerduty.com"),
            Link("Status Page", "https://status.butterfly.example.com"),
        ),
        probes={},
        rules=(*(rules or (a_rule(),)), last),
        environment="prod",
        namespace="butterfly",
        revision="3f2a9c",
    )
    return replace(usual, **changes)
