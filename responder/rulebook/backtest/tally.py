"""Counts of the differences over the recorded notifications: in total, per rule and per day, with examples."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime

from responder.rulebook.backtest.outcome import DifferenceKind, RuleOutcome

#: Losses are counted for the old rule, other differences for the new one.
_OF_THE_OLD = frozenset({DifferenceKind.LOST_PAGE, DifferenceKind.RUNBOOK_LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChange:
    """Notification with different outcomes. ``what`` is its alert and subject; ``number`` gives the order."""

    number: int
    at: datetime
    source: str
    what: str
    before: RuleOutcome
    after: RuleOutcome


@dataclass(slots=True)
class SampledChanges:
    """Number of notifications with the same differences under one rule, and the first ones."""

    total: int = 0
    kept: list[DecisionChange] = field(default_factory=list)


@dataclass(slots=True)
class Day:
    """Pages of one day (UTC) before and after, and its differences."""

    before: int = 0
    after: int = 0
    counts: Counter[DifferenceKind] = field(default_factory=Counter)


@dataclass(slots=True)
class Totals:
    """Totals, with the first ``most`` examples of each kind, which bounds the memory.

    ``cut_off`` counts notifications with truncated alerts, ``missing`` the alerts that were left out.
    """

    most: int = 20
    notifications: int = 0
    unread: int = 0
    cut_off: int = 0
    missing: int = 0
    problems: list[str] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    before: int = 0
    after: int = 0
    totals: Counter[DifferenceKind] = field(default_factory=Counter)
    rules: dict[str, Counter[DifferenceKind]] = field(default_factory=dict)
    days: dict[date, Day] = field(default_factory=dict)
    piles: dict[tuple[tuple[DifferenceKind, ...], str], SampledChanges] = field(default_factory=dict)

    def could_not_read(self, problem: str) -> None:
        """Count an unreadable payload; the first ones are kept."""
        self.unread += 1
        if len(self.problems) < self.most:
            self.problems.append(problem)

    def was_cut_off(self, missing: int) -> None:
        """Count a notification with truncated alerts, whose outcome is unknown."""
        self.cut_off += missing > 0
        self.missing += missing

    def add(self, case: DecisionChange, kinds: tuple[DifferenceKind, ...]) -> None:
        """Count a notification and its differences."""
        self.notifications += 1
        self.first = min(self.first or case.at, case.at)
        self.last = max(self.last or case.at, case.at)
        self.before += case.before.pages
        self.after += case.after.pages
        day = self.days.setdefault(case.at.date(), Day())
        day.before += case.before.pages
        day.after += case.after.pages
        for kind in kinds:
            self.totals[kind] += 1
            self.rules.setdefault(_rule(case, kind), Counter())[kind] += 1
            day.counts[kind] += 1
        if kinds:
            pile = self.piles.setdefault((kinds, _rule(case, kinds[0])), SampledChanges())
            pile.total += 1
            if len(pile.kept) < self.most:
                pile.kept.append(case)

    def include(self, other: "Totals") -> None:
        """Add the totals of other groups."""
        self.notifications += other.notifications
        self.unread += other.unread
        self.cut_off += other.cut_off
        self.missing += other.missing
        self.problems = (self.problems + other.problems)[: self.most]
        self.first = min(filter(None, (self.first, other.first)), default=None)
        self.last = max(filter(None, (self.last, other.last)), default=None)
        self.before += other.before
        self.after += other.after
        self.totals.update(other.totals)
        for rule, counts in other.rules.items():
            self.rules.setdefault(rule, Counter()).update(counts)
        for name, theirs in other.days.items():
            day = self.days.setdefault(name, Day())
            day.before += theirs.before
            day.after += theirs.after
            day.counts.update(theirs.counts)
        for key, pile in other.piles.items():
            ours = self.piles.setdefault(key, SampledChanges())
            ours.total += pile.total
            ours.kept = sorted(ours.kept + pile.kept, key=lambda case: case.number)[: self.most]


def _rule(case: DecisionChange, kind: DifferenceKind) -> str:
    return (case.before if kind in _OF_THE_OLD else case.after).rule
