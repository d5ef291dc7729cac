"""Severities that conditions raise or lower: those on labels and on the number of alerts now, those on findings later.

Of each kind the first that holds applies, from the top. Raising never lowers, and lowering never raises.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from responder.model.alert import Labels
from responder.model.decision import Ruling, Turn
from responder.model.incident import Found
from responder.model.rule import Adjustment, Rule, RuleBook, Severity
from responder.triage.matchers import holds
from responder.triage.paging_windows import is_open, opening


def adjusted(rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook) -> tuple[Severity, str]:
    """The severity once labels and the number of firing alerts are considered, and why; empty where it stays."""
    entry = applying(rule, labels, firing)
    if entry is None:
        return severity, ""
    moved = move(entry, severity, book)
    return moved, _said(entry, severity, moved, firing) if moved is not severity else ""


def applying(rule: Rule, labels: Labels, firing: int) -> Adjustment | None:
    """The entry on labels and numbers that applies: the first that holds."""
    return next((each for each in rule.adjust if not each.findings and _holds(each, labels, firing)), None)


def turns(
    rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook, now: datetime
) -> tuple[Turn, ...]:
    """What findings may yet make of the severity, in the order to be tried."""
    moves = [(each, move(each, severity, book)) for each in rule.adjust if each.findings]
    return tuple(
        Turn(findings=each.findings, severity=moved, held=held(rule, moved, now))
        for each, moved in moves
        if _holds(each, labels, firing)
    )


def standing(ruling: Ruling, found: Found | None, book: RuleBook) -> tuple[Ruling, Found | None]:
    """The ruling with the severity that findings gave the incident, and what of it stays in force.

    It stays until the rule gives a worse severity than the one it had given before the findings; even then the worse of
    the two applies, so that news which is bad never makes an incident milder.
    """
    severity = book.severities.get(found.severity) if found else None
    given = book.severities.get(found.given) if found else None
    if found is None or severity is None or given is None:
        return ruling, None
    if ruling.severity.rank < given.rank and ruling.severity.rank <= severity.rank:
        return ruling, None
    return replace(ruling, severity=severity, reason=found.reason), found


def held(rule: Rule, severity: Severity, now: datetime) -> str:
    """Why nobody is woken now, and when somebody would be; empty where there is no reason."""
    window = rule.pages_in.get(severity.name) if severity.pages and rule.pages_in else None
    if window is None or is_open(window, now):
        return ""
    return f"not paged outside of {window.name}, which {opening(window, now)}"


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
