"""What became of one notification under one set of rules, and how that differs from another's. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from responder.model.delivery import Effects
from responder.model.incident import ChangeKind
from responder.model.report import MessageKind
from responder.model.rule import Action


class DifferenceKind(StrEnum):
    """The ways in which two outcomes differ, the gravest first."""

    NEW_PAGE = "new page"
    LOST_PAGE = "lost page"
    WORSE = "worse severity"
    MILDER = "milder severity"
    RUNBOOK_GAINED = "runbook gained"
    RUNBOOK_LOST = "runbook lost"
    RUNBOOK_CHANGED = "other runbook"
    TOLD = "other channels"
    RULE = "other rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What people would have noticed of a notification.

    ``severity`` is empty and ``priority`` 0 where nobody is told, whatever happens (a heartbeat).
    ``notified`` are the channels that hear of an incident for the first time, or again after its end. ``pages`` says
    whether somebody is woken. ``begins`` marks a new incident and one that returns.
    """

    rule: str
    severity: str
    priority: int
    runbook: str
    notified: tuple[str, ...]
    pages: bool
    begins: bool
    reason: str

    @property
    def lasting(self) -> tuple[str, str, str]:
        """What holds for the incident from now on."""
        return self.rule, self.severity, self.runbook


#: What becomes of a notification on which triage fails.
NOTHING = RuleOutcome(rule="", severity="", priority=0, runbook="", notified=(), pages=False, begins=False, reason="")


_BEGINNINGS = frozenset({MessageKind.START, MessageKind.AGAIN})


def outcome(effects: Effects, pagers: Collection[str]) -> RuleOutcome:
    """The outcome of a delivery; ``pagers`` names the channels that page.

    Somebody is woken when the pager hears of an incident for the first time, or that it fires again after its end. What
    it is told about one that is open wakes nobody.
    """
    decision = effects.decision
    if decision is None:
        return NOTHING
    channels = dict.fromkeys(rule_files.channel for rule_files in effects.messages if rule_files.kind in _BEGINNINGS)
    returns = any(rule_files.kind is MessageKind.AGAIN for rule_files in effects.messages)
    is_notified = decision.rule.action is Action.NOTIFY
    return RuleOutcome(
        rule=decision.rule.id,
        severity=decision.severity.name if is_notified else "",
        priority=decision.severity.priority if is_notified else 0,
        runbook=str(decision.rule.runbook or "") if is_notified else "",
        notified=tuple(channels),
        pages=any(name in pagers for name in channels),
        begins=effects.incident is not None and (returns or decision.change.kind is ChangeKind.NEW),
        reason=decision.reason,
    )


def message_differences(before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
    """How people would have been told differently now."""
    found = []
    if before.pages != after.pages:
        found.append(DifferenceKind.NEW_PAGE if after.pages else DifferenceKind.LOST_PAGE)
    if set(before.notified) != set(after.notified):
        found.append(DifferenceKind.TOLD)
    return tuple(found)


def lasting_differences(before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
    """How the incident would have been judged differently."""
    found = []
    if before.priority and after.priority and before.priority != after.priority:
        found.append(DifferenceKind.WORSE if after.priority < before.priority else DifferenceKind.MILDER)
    if before.runbook != after.runbook:
        lost_or_changed = DifferenceKind.RUNBOOK_CHANGED if after.runbook else DifferenceKind.RUNBOOK_LOST
        found.append(lost_or_changed if before.runbook else DifferenceKind.RUNBOOK_GAINED)
    if before.rule != after.rule:
        found.append(DifferenceKind.RULE)
    return tuple(found)
