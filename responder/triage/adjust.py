"""Severities that conditions raise or lower: those on labels and on the number of alerts now, those on findings later.

Of each kind the first that holds applies, from the top. Raising never lowers, and lowering never raises.
"""

from __future__ import annotations

from responder.model.alert import Labels
from responder.model.decision import Turn
from responder.model.rule import Adjustment, Rule, RuleBook, Severity
from responder.triage.matchers import holds


def adjusted(rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook) -> tuple[Severity, str]:
    """The severity once labels and the number of firing alerts are considered, and why; empty where it stays."""
    for each in rule.adjust:
        if not each.findings and _holds(each, labels, firing):
            moved = move(each, severity, book)
            return moved, _said(each, severity, moved, firing) if moved is not severity else ""
    return severity, ""


def turns(rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook) -> tuple[Turn, ...]:
    """What findings may yet make of the severity, in the order to be tried."""
    return tuple(
        Turn(findings=each.findings, severity=move(each, severity, book))
        for each in rule.adjust
        if each.findings and _holds(each, labels, firing)
    )


def move(adjustment: Adjustment, severity: Severity, book: RuleBook) -> Severity:
    """The severity that one adjustment makes of another one. Severities are ordered worst first."""
    order = list(book.severities.values())
    if adjustment.to:
        to = book.severities[adjustment.to]
        further = to.rank < severity.rank if adjustment.raises else to.rank > severity.rank
        return to if further else severity
    at = order.index(severity) + (-adjustment.steps if adjustment.raises else adjustment.steps)
    return order[min(max(at, 0), len(order) - 1)]


def _holds(adjustment: Adjustment, labels: Labels, firing: int) -> bool:
    return firing >= adjustment.firing and all(holds(matcher, labels) for matcher in adjustment.matchers)


def _said(adjustment: Adjustment, before: Severity, after: Severity, firing: int) -> str:
    why = [str(matcher) for matcher in adjustment.matchers]
    if adjustment.firing:
        why.append(f"{firing} alerts fire ({adjustment.firing} or more do)")
    word = "raised" if adjustment.raises else "lowered"
    return f"{word} from {before.name} to {after.name} because {' and '.join(why)}"
