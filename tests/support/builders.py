"""Small true-to-life values to build tests and demos from; every part can be replaced by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from responder.model.alert import Alert, AlertGroup
from responder.model.delivery import Effects
from responder.model.finding import Conclusion, Finding, Origin, Verdict
from responder.model.incident import AlertState, Change, ChangeKind, Decision, Incident, RuleMatch, Subject
from responder.model.message import ClaimedMessage, MailServer, OutboxMessage
from responder.model.report import (
    AlertExtract,
    DecisionRecord,
    IncidentContent,
    MessageFacts,
    MessageKind,
    Report,
    Status,
)
from responder.model.rule import Link
from responder.model.secret import Secret
from responder.notify.report.compose import compose
from tests.support.platform import SEVERITIES, a_book, a_rule, a_service, a_severity

__all__ = [
    "GROUP_KEY",
    "NOW",
    "SEVERITIES",
    "STARTED",
    "a_book",
    "a_change",
    "a_conclusion",
    "a_decision",
    "a_finding",
    "a_group",
    "a_letter",
    "a_report",
    "a_resolved_alert",
    "a_rule",
    "a_ruling",
    "a_service",
    "a_severity",
    "a_subject",
    "an_alert",
    "an_incident",
    "some_findings",
]

STARTED = datetime(2026, 2, 28, 2, 41, tzinfo=UTC)
NOW = STARTED + timedelta(seconds=30)
GROUP_KEY = '{}:{alertname="ServiceDown", service="plato"}'


def an_alert(**changes: Any) -> Alert:
    """A firing ServiceDown of plato; ``labels`` given are laid over the usual ones."""
    labels = {
        "alertname": "ServiceDown",
        "cluster": "prod-eu",
        "instance": "10.1.2.3:8080",
        "job": "plato",
        "namespace": "butterfly",
        "service": "plato",
        "severity": "critical",
    } | changes.pop("labels", {})
    usual = Alert(
        firing=True,
        labels=labels,
        annotations={"summary": "plato is down", "description": "No pod of plato is ready."},
        starts_at=STARTED,
        generator_url="https://prometheus.butterfly.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        fingerprint=sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16],
    )
    return replace(usual, **changes)


def a_resolved_alert(**changes: Any) -> Alert:
    """The same alert, over after seventeen minutes."""
    return an_alert(**{"firing": False, "ends_at": STARTED + timedelta(minutes=17)} | changes)


def a_group(*alerts: Alert, **changes: Any) -> AlertGroup:
    """A group of the alerts given (one firing alert where none is), with the labels they share as common labels."""
    members = alerts or (an_alert(),)
    usual = AlertGroup(
        group_key=GROUP_KEY,
        cluster="",
        receiver="responder",
        group_labels={"alertname": members[0].name, "service": members[0].labels.get("service", "")},
        common_labels=dict(_common([dict(each.labels) for each in members])),
        common_annotations=dict(_common([dict(each.annotations) for each in members])),
        external_url="https://alertmanager.butterfly.example.com",
        truncated=0,
        alerts=members,
    )
    return replace(usual, **changes)


def _common(maps: list[dict[str, str]]) -> list[tuple[str, str]]:
    first, *others = [set(each.items()) for each in maps]
    return sorted(first.intersection(*others))


def a_subject(**changes: Any) -> Subject:
    """plato, as the service label names it."""
    usual = Subject(
        service="plato",
        namespace="butterfly",
        name="plato",
        values={"service": "plato", "namespace": "butterfly"},
        why="label service names plato",
    )
    return replace(usual, **changes)


def a_change(kind: ChangeKind = ChangeKind.NEW, **changes: Any) -> Change:
    """A change of the kind given, with one alert known."""
    over = kind is ChangeKind.RESOLVED
    known = AlertState(STARTED.timestamp(), (STARTED + timedelta(minutes=17)).timestamp() if over else None)
    fingerprint = an_alert().fingerprint
    usual = Change(
        kind=kind,
        reason={ChangeKind.NEW: "first notification of this group", ChangeKind.RESOLVED: "all alerts are resolved"}.get(
            kind, f"the group is {kind.value}"
        ),
        added=(fingerprint,) if kind in {ChangeKind.NEW, ChangeKind.GROWN} else (),
        resolved=(fingerprint,) if over else (),
        alerts={fingerprint: known},
    )
    return replace(usual, **changes)


def a_ruling(alert: Alert | None = None, **changes: Any) -> RuleMatch:
    """The usual rule deciding the usual alert."""
    usual = RuleMatch(
        alert=alert or an_alert(),
        rule=a_rule(),
        severity=a_severity("P1"),
        reason="rule service-down says P1",
    )
    return replace(usual, **changes)


def a_decision(kind: ChangeKind = ChangeKind.NEW, severity: str = "P1", **changes: Any) -> Decision:
    """Triage's decision for the usual group after a change of ``kind``."""
    match = changes.get("match") or a_ruling(severity=a_severity(severity), reason=f"rule service-down says {severity}")
    usual = Decision(
        match=match,
        matches=(match,),
        subject=a_subject(),
        change=a_change(kind),
        reason=f"rule service-down matched, {severity}",
    )
    return replace(usual, **changes)


def an_incident(**changes: Any) -> Incident:
    """The open incident of the usual group."""
    usual = Incident(
        id="INC-118",
        dedup_key=sha256(GROUP_KEY.encode()).hexdigest(),
        group_key=GROUP_KEY,
        open=True,
        severity="P1",
        rule="service-down",
        service="plato",
        title="[P1] plato is down (prod)",
        runbook="common-issues.md#service-down",
        reason="rule service-down matched, P1",
        channels=("pagerduty", "slack"),
        opened_at=STARTED,
        changed_at=STARTED,
        notification=1,
        revision="3f2a9c",
        alerts={an_alert().fingerprint: AlertState(STARTED.timestamp())},
    )
    return replace(usual, **changes)


_ORIGINS = {
    "http": Origin.SERVICE,
    "tcp": Origin.SERVICE,
    "kubernetes": Origin.CLUSTER,
    "promql": Origin.METRICS,
}


def a_finding(verdict: Verdict = Verdict.BAD, **changes: Any) -> Finding:
    """The health probe's answer about plato."""
    headline = {
        Verdict.BAD: "plato: 503 DOWN in 41 ms, db DOWN",
        Verdict.OK: "plato: 200 UP in 12 ms",
        Verdict.UNKNOWN: "plato: no answer within 3.0 s",
        Verdict.SKIPPED: "plato: skipped: 0 addresses known",
    }[verdict]
    usual = Finding(
        probe="health",
        kind="http",
        target="plato",
        verdict=verdict,
        headline=headline,
        query="GET http://plato:8080/actuator/health",
        detail="db: DOWN, Connection refused",
        duration=0.041,
        link="http://plato:8080/actuator/health",
    )
    found = replace(usual, **changes)
    return replace(found, names_target=found.kind == usual.kind, origin=_ORIGINS.get(found.kind, Origin.OTHER))


def some_findings() -> tuple[Finding, ...]:
    """One finding of each verdict, the worst first, and a figure that nothing judged."""
    return (
        a_finding(),
        a_finding(
            Verdict.UNKNOWN, probe="certificate", kind="tls", headline="plato: no handshake within 3.0 s", detail=""
        ),
        a_finding(Verdict.SKIPPED, probe="kafka-lag", kind="promql", headline="0 of 1 labels known: no consumergroup"),
        a_finding(Verdict.OK, probe="dns", kind="dns", headline="plato: 1 address in 2 ms", query="A plato", detail=""),
        a_finding(
            Verdict.OK, probe="exit-code", kind="promql", judged=False, headline="plato: last exit code 137", detail=""
        ),
    )


def a_conclusion(**changes: Any) -> Conclusion:
    """Conclusion of the usual findings."""
    usual = Conclusion(
        likely="plato reports its database as down: Connection refused",
        changed="",
        ruled_out="dns ok",
        unknown="certificate: no handshake within 3.0 s",
        seen="plato: last exit code 137 (exit-code)",
    )
    return replace(usual, **changes)


def a_report(severity: str = "P1", **changes: Any) -> Report:
    """The page of the usual incident, enriched."""
    priority = a_severity(severity)
    usual = Report(
        kind=MessageKind.START,
        status=Status.INVESTIGATING,
        incident="INC-118",
        dedup_key=sha256(GROUP_KEY.encode()).hexdigest(),
        title=f"[{severity}] plato is down — 503 DOWN in 41 ms (prod)",
        severity=severity,
        severity_reason=f"rule service-down says {severity}",
        pagerduty_severity=priority.pagerduty,
        pages=priority.pages,
        service="plato",
        environment="prod",
        namespace="butterfly",
        alertname="ServiceDown",
        what="plato is down, for 30 s, 1 alert",
        impact="Whatever needs plato fails for all users.",
        conclusion=a_conclusion(),
        first_step="See whether a rollout is under way, and undo it if so.",
        clock=f"{severity}: {priority.response}",
        owner="team-plato",
        escalation="On-Call Primary (PagerDuty), then On-Call Secondary (PagerDuty (escalation))",
        runbook=Link(
            "Runbook: common-issues.md#service-down",
            "https://runbooks.butterfly.example.com/common-issues.md#service-down",
        ),
        links=(
            Link("Dashboard", "https://grafana.butterfly.example.com/d/plato?var-service=plato"),
            Link("Status page", "https://status.butterfly.example.com"),
        ),
        findings=some_findings(),
        firing=1,
        labels=an_alert().labels,
        rule="service-down",
        made_by="responder 0.1.0, rules 3f2a9c",
        started_at=STARTED,
        written_at=NOW,
    )
    return replace(usual, **changes)


def a_content(severity: str = "P1", **changes: Any) -> IncidentContent:
    """The content of the usual incident, diagnosed; ``changes`` are those of its decision."""
    priority, report = a_severity(severity), a_report(severity)
    record = DecisionRecord(
        title=f"[{severity}] plato is down",
        severity=severity,
        severity_reason=report.severity_reason,
        pagerduty_severity=priority.pagerduty,
        pages=priority.pages,
        service=report.service,
        environment=report.environment,
        namespace=report.namespace,
        alertname=report.alertname,
        impact=report.impact,
        first_step=report.first_step,
        response=priority.response,
        responders=priority.responders,
        respond_within=priority.respond_within,
        respond_from=NOW,
        next_update=priority.next_update,
        owner=report.owner,
        lead="@eng-lead",
        escalation=report.escalation,
        runbook=report.runbook,
        links=report.links,
        rule=report.rule,
        made_by=report.made_by,
    )
    return IncidentContent(
        incident="INC-118",
        decision=replace(record, **changes),
        alerts=AlertExtract(summary="plato is down", started_at=STARTED, labels=report.labels),
        findings=some_findings(),
        conclusion=a_conclusion(),
    )


def a_draft(**changes: Any) -> OutboxMessage:
    """The first message of the usual incident to PagerDuty."""
    usual = OutboxMessage(
        incident="INC-118",
        ordering_key=sha256(GROUP_KEY.encode()).hexdigest(),
        channel="pagerduty",
        step="trigger",
        kind=MessageKind.START,
        priority=1,
        due_at=NOW,
        facts=MessageFacts(firing=1),
    )
    return replace(usual, **changes)


def composed(effects: Effects, now: datetime | None = None) -> list[Report]:
    """The reports of a notification's messages, as they would be sent ``now``, else when they are due."""
    assert effects.content is not None or not effects.messages
    return [compose(effects.content, message, now or message.due_at) for message in effects.messages if effects.content]


def a_letter(report: Report | None = None, **changes: Any) -> ClaimedMessage:
    """A claimed message holding the report."""
    usual = ClaimedMessage(
        id=1,
        channel="pagerduty",
        step="trigger",
        priority=1,
        report=report or a_report(),
        due_at=NOW,
        attempt=1,
        minimal=False,
    )
    return replace(usual, **changes)


def a_mail_server(port: int = 587, tls: str = "starttls", user: str = "", password: str = "") -> MailServer:
    """A mail server on this machine."""
    return MailServer(host="127.0.0.1", port=port, tls=tls, user=user, password=Secret(password))
