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

    ``severity`` is empty and ``rank`` 0 where nobody is told, whatever happens (a heartbeat).
    ``told`` are the channels that hear of an incident for the first time, or again after its end. ``pages`` says
    whether somebody is woken. ``begins`` marks a new incident and one that returns.
    """

    rule: str
    severity: str
    rank: int
    runbook: str
    told: tuple[str, ...]
    pages: bool
    begins: bool
    reason: str

    @property
    def lasting(self) -> tuple[str, str, str]:
        """What holds for the incident from now on."""
        return self.rule, self.severity, self.runbook


#: What becomes of a notification on which triage fails.
NOTHING = RuleOutcome(rule="", severity="", rank=0, runbook="", told=(), pages=False, begins=False, reason="")


_BEGINNINGS = frozenset({MessageKind.START, MessageKind.AGAIN})


def outcome(effects: Effects, pagers: Collection[str]) -> RuleOutcome:
    """The outcome of a delivery; ``pagers`` names the channels that page.

    Somebody is woken when the pager hears of an incident for the first time, or that it fires again after its end. What
    it is told about one that is open wakes nobody.
    """
    decision = effects.decision
    if decision is None:
        return NOTHING
    told = dict.fromkeys(draft.channel for draft in effects.drafts if draft.moment in _BEGINNINGS)
    returns = any(draft.moment is MessageKind.AGAIN for draft in effects.drafts)
    notified = decision.rule.action is Action.NOTIFY
    return RuleOutcome(
        rule=decision.rule.id,
        severity=decision.severity.name if notified else "",
        rank=decision.severity.rank if notified else 0,
        runbook=str(decision.rule.runbook or "") if notified else "",
        told=tuple(told),
        pages=any(name in pagers for name in told),
        begins=effects.incident is not None and (returns or decision.change.kind is ChangeKind.NEW),
        reason=decision.reason,
    )


def moment_differences(before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
    """How people would have been told differently now."""
    found = []
    if before.pages != after.pages:
        found.append(DifferenceKind.NEW_PAGE if after.pages else DifferenceKind.LOST_PAGE)
    if set(before.told) != set(after.told):
        found.append(DifferenceKind.TOLD)
    return tuple(found)


def lasting_differences(before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
    """How the incident would have been judged differently."""
    found = []
    if before.rank and after.rank and before.rank != after.rank:
        found.append(DifferenceKind.WORSE if after.rank < before.rank else DifferenceKind.MILDER)
    if before.runbook != after.runbook:
        lost_or_changed = DifferenceKind.RUNBOOK_CHANGED if after.runbook else DifferenceKind.RUNBOOK_LOST
        found.append(lost_or_changed if before.runbook else DifferenceKind.RUNBOOK_GAINED)
    if before.rule != after.rule:
        found.append(DifferenceKind.RULE)
    return tuple(found)
