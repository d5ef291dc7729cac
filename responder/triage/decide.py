"""The decision: which rule, how bad, about whom, and what changed. Pure: the same input gives the same answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from responder.model.alert import Alert, AlertGroup
from responder.model.decision import Decision, Ruling, Trial
from responder.model.incident import Incident
from responder.model.rule import Action, Rule, RuleBook, Severity
from responder.model.text import tidy_line
from responder.model.timing import USUAL, Patience
from responder.triage.incident_key import Combined, combined, key_of, view
from responder.triage.lifecycle import compare
from responder.triage.rule_index import Matching
from responder.triage.severity_adjustment import adjusted, held, standing, turns
from responder.triage.subject import subject


def decide(
    group: AlertGroup,
    book: RuleBook,
    matching: Matching,
    incident: Incident | None,
    delivery: int,
    now: datetime,
    patience: Patience = USUAL,
) -> Decision:
    """What to do about a delivery of this group, as ``believe`` returned it; ``now`` is when it was received.

    The incident's severity is the highest among the alerts that fire (among all where none does), never that of a
    heartbeat while anything else is in the group. What rules in shadow would have decided is the end of the reason, and
    changes nothing. ``matching`` is built from ``book.rules``.
    """
    firing = len(group.firing) + group.truncated
    rulings = tuple(_rule_on(alert, book, matching, firing, now) for alert in group.alerts or (_stand_in(group),))
    weighed = [ruling for ruling in rulings if ruling.alert.firing] or list(rulings)
    worst = min(weighed, key=_loudness)
    trial = min((ruling.trial for ruling in weighed if ruling.trial is not None), key=_loudness, default=None)
    known = incident.found if incident is not None and incident.open else None
    worst, found = standing(worst, known, book) if known else (worst, None)
    key = key_of(group, matching) if book.gathers else ""
    alone = Combined(compare(group, view(incident, group), delivery, now, patience), worst)
    whole = combined(alone, key, rulings, group, incident, book, now, patience)
    worst, change = whole.ruling, whole.change
    name = tidy_line(worst.alert.name, 100) or "an alert without a name"
    silent = held(worst.rule, worst.severity, now)
    why = f"{name} matched rule {worst.rule.id}: {worst.severity.name} {worst.reason}"
    return Decision(
        ruling=worst,
        rulings=rulings,
        subject=subject(worst.alert.labels, book, worst.rule.subject),
        change=change,
        reason=f"{why}; {change.kind.value}: {change.reason}{silent and '; ' + silent}{f'; {trial}' if trial else ''}",
        turns=turns(worst.rule, worst.alert.labels, worst.severity, firing, book, now) if worst.rule.adjust else (),
        held=silent,
        found=found,
        key=key,
        gathered=whole.members,
        joins=whole.joins,
        trial=trial,
    )


def _rule_on(alert: Alert, book: RuleBook, matching: Matching, firing: int, now: datetime) -> Ruling:
    rule = matching.first(alert.labels)
    severity, reason = severity_of(rule, alert, book, firing)
    tried = matching.trial(alert.labels, rule)
    trial = _trial(tried, alert, book, firing, now) if tried else None
    return Ruling(alert=alert, rule=rule, severity=severity, reason=reason, trial=trial)


def _trial(rule: Rule, alert: Alert, book: RuleBook, firing: int, now: datetime) -> Trial:
    severity, reason = severity_of(rule, alert, book, firing)
    return Trial(rule=rule, severity=severity, reason="; ".join(filter(None, (reason, held(rule, severity, now)))))


def _loudness(each: Ruling | Trial) -> tuple[bool, int]:
    """The smallest for the worst severity; a heartbeat comes after all that people are told."""
    return each.rule.action is Action.HEARTBEAT, each.severity.rank


def severity_of(rule: Rule, alert: Alert, book: RuleBook, firing: int = 1) -> tuple[Severity, str]:
    """The severity a rule gives an alert when ``firing`` alerts of its group fire, and why."""
    severity, reason = _base(rule, alert, book)
    if not rule.adjust:
        return severity, reason
    severity, moved = adjusted(rule, alert.labels, severity, firing, book)
    return severity, f"{reason}, {moved}" if moved else reason


def _base(rule: Rule, alert: Alert, book: RuleBook) -> tuple[Severity, str]:
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
