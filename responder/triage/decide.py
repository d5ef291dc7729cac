"""The decision: which rule, how bad, about whom, and what changed. Pure: the same input gives the same answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from responder.model.alert import Alert, AlertGroup
from responder.model.decision import Decision, Ruling
from responder.model.incident import Incident
from responder.model.rule import Action, Rule, RuleBook, Severity
from responder.model.text import tidy_line
from responder.triage.lifecycle import compare
from responder.triage.matching import Matching
from responder.triage.subject import subject


def decide(group: AlertGroup, book: RuleBook, matching: Matching, incident: Incident | None, delivery: int) -> Decision:
    """What to do about a delivery of this group.

    The incident's severity is the highest among the alerts that fire (among all where none does), never that of a
    heartbeat while anything else is in the group. ``matching`` is built from ``book.rules``.
    """
    rulings = tuple(_rule_on(alert, book, matching) for alert in group.alerts or (_stand_in(group),))
    weighed = [ruling for ruling in rulings if ruling.alert.firing] or list(rulings)
    told = [ruling for ruling in weighed if ruling.rule.action is Action.NOTIFY] or weighed
    worst = min(told, key=lambda ruling: ruling.severity.rank)
    change = compare(group, incident, delivery)
    name = tidy_line(worst.alert.name, 100) or "an alert without a name"
    why = f"{name} matched rule {worst.rule.id}: {worst.severity.name} {worst.reason}"
    return Decision(
        ruling=worst,
        rulings=rulings,
        subject=subject(worst.alert.labels, book),
        change=change,
        reason=f"{why}; {change.kind.value}: {change.reason}",
    )


def _rule_on(alert: Alert, book: RuleBook, matching: Matching) -> Ruling:
    rule = matching.first(alert.labels)
    severity, reason = severity_of(rule, alert, book)
    return Ruling(alert=alert, rule=rule, severity=severity, reason=reason)


def severity_of(rule: Rule, alert: Alert, book: RuleBook) -> tuple[Severity, str]:
    """The severity a rule gives an alert, and why."""
    wanted = rule.severity
    if isinstance(wanted, str):
        return book.severities[wanted], "fixed by the rule"
    value = alert.labels.get(wanted.label, "")
    shown = _shown(wanted.label, value)
    if value in wanted.mapping:
        name = wanted.mapping[value]
        return book.severities[name], f"because {shown}"
    why = f"{shown} is not in its map" if value else f"it has no label {wanted.label}"
    return book.severities[wanted.otherwise], f"because {why}"


@lru_cache(maxsize=1024)
def _shown(label: str, value: str) -> str:
    return f'{label}="{tidy_line(value, 60)}"'


def _stand_in(group: AlertGroup) -> Alert:
    """A group may come without alerts: what its members would share still finds a rule."""
    return Alert(
        firing=False,
        labels=group.common_labels or group.group_labels,
        annotations=group.common_annotations,
        starts_at=datetime.fromtimestamp(0, UTC),
        ends_at=None,
        generator_url="",
        fingerprint="",
    )
