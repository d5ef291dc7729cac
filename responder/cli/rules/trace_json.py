"""Trace of a decision as JSON."""

from collections.abc import Mapping
from typing import Any

from responder.cli.preview import label_of, redacted
from responder.cli.rules import stored as then
from responder.cli.rules.trace import Trace
from responder.model.redaction import redact_value
from responder.triage.rule_index import EvaluatedRule


def as_json(found: Trace) -> dict[str, Any]:
    """Return an element of ``rules explain --output json``. Scripts rely on its keys: add, never rename."""
    decision = found.decision
    if decision is None:
        return {"source": found.shown.source, "problems": redacted(list(found.shown.problems))}
    rule, subject, alert = decision.rule, decision.subject, decision.match.alert
    element: dict[str, Any] = {
        "source": found.shown.source,
        "problems": list(found.shown.problems),
        "alert": {"labels": _labels(alert.labels), "firing": alert.firing, "starts_at": alert.starts_at.isoformat()},
        "alerts": len(decision.matches),
        "truncated": found.truncated,
        "subject": {
            "service": subject.service,
            "name": subject.name,
            "namespace": subject.namespace,
            "why": subject.why,
            "rejected": list(subject.rejected),
        },
        "rules": [_step(step, found) for step in found.shown.steps],
        "rule": rule.id,
        "place": str(rule.position),
        "action": rule.action.value,
        "severity": decision.severity.name,
        "severity_reason": decision.match.reason,
        "findings": _turned(found),
        "held": found.suppressed_by or None,
        "shadow": str(decision.shadow) if decision.shadow else None,
        "dropped": list(decision.dropped_by),
        "owner": rule.owner or None,
        "note": rule.note or None,
        "runbook": {
            "target": str(rule.runbook) if rule.runbook else None,
            "found": found.runbook,
            "by_conclusion": {code: str(ref) for code, ref in rule.runbooks.items()},
        },
        "probes": [
            {
                "name": question.probe,
                "kind": question.kind,
                "target": question.target,
                "question": question.query,
                "skip": question.skip,
            }
            for question in found.questions
        ],
        "page_budget": found.budget,
        "route": list(found.route),
        "teams": list(decision.route.teams),
        "routed_by": decision.route.reason,
        "page": found.page,
        "times": found.times or None,
        "dedup": {
            "group_key": found.group_key,
            "key": found.dedup,
            "cluster": found.cluster,
            "gathered": _labels(found.gathered),
        },
        "title": found.title,
        "reason": decision.reason,
        **({"stored": then.as_json(found.stored)} if found.stored else {}),
    }
    return {name: redacted(each) for name, each in element.items()}


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: redact_value(name, value) for name, value in labels.items()}


def _turned(found: Trace) -> dict[str, str] | None:
    adjusted = found.shown.adjusted
    return {"severity": adjusted.adjustment.severity.name, "reason": adjusted.reason} if adjusted else None


def _step(step: EvaluatedRule, found: Trace) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "place": str(step.rule.position),
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": label_of(step),
        "would_match": step.rule.id in found.also if step.matched is None else step.matched or step.shadow,
        "shadow": step.shadow,
    }
