"""Outcome of a notification under one rule set, and its differences from another outcome."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from responder.model.delivery import Effects
from responder.model.incident import ChangeKind
from responder.model.report import MessageKind
from responder.model.rule import Action


class DifferenceKind(StrEnum):
    """Differences between two outcomes, most severe first."""

    NEW_PAGE = "new page"
    LOST_PAGE = "lost page"
    WORSE = "worse severity"
    MILDER = "milder severity"
    RUNBOOK_GAINED = "runbook gained"
    RUNBOOK_LOST = "runbook lost"
    RUNBOOK_CHANGED = "other runbook"
    CHANNELS = "other channels"
    RULE = "other rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """Visible outcome of a notification.

    ``severity`` is empty and ``priority`` 0 for a rule that sends nothing (a heartbeat). ``notified`` are the channels
    that get a first message, or one that the incident re-fires. ``pages`` is True if one of them pages. ``begins`` is
    True for a new or re-firing incident.
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
        """Part of the outcome that persists in the incident."""
        return self.rule, self.severity, self.runbook


#: Outcome of a notification whose triage failed.
NOTHING = RuleOutcome(rule="", severity="", priority=0, runbook="", notified=(), pages=False, begins=False, reason="")


_BEGINNINGS = frozenset({MessageKind.START, MessageKind.AGAIN})


def outcome(effects: Effects, pagers: Collection[str]) -> RuleOutcome:
    """Return the outcome of a notification; ``pagers`` names the channels that page.

    Only the first message to a channel that pages, and one that the incident re-fires, count as a page; updates do not.
    """
    decision = effects.decision
    if decision is None:
        return NOTHING
    channels = dict.fromkeys(message.channel for message in effects.messages if message.kind in _BEGINNINGS)
    returns = any(message.kind is MessageKind.AGAIN for message in effects.messages)
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
    """Return the differences in pages and channels."""
    found = []
    if before.pages != after.pages:
        found.append(DifferenceKind.NEW_PAGE if after.pages else DifferenceKind.LOST_PAGE)
    if set(before.notified) != set(after.notified):
        found.append(DifferenceKind.CHANNELS)
    return tuple(found)


def lasting_differences(before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
    """Return the differences in severity, runbook and rule."""
    found = []
    if before.priority and after.priority and before.priority != after.priority:
        found.append(DifferenceKind.WORSE if after.priority < before.priority else DifferenceKind.MILDER)
    if before.runbook != after.runbook:
        lost_or_changed = DifferenceKind.RUNBOOK_CHANGED if after.runbook else DifferenceKind.RUNBOOK_LOST
        found.append(lost_or_changed if before.runbook else DifferenceKind.RUNBOOK_GAINED)
    if before.rule != after.rule:
        found.append(DifferenceKind.RULE)
    return tuple(found)
