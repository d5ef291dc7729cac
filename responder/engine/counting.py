"""Adds the counts of this process to those of all, every few seconds and once more at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from responder.model.delivery import Effects
from responder.model.incident import ChangeKind
from responder.store import tallies
from responder.store.database import CannotStore, Database
from responder.tally import TALLY, Tally

EVERY_SECONDS = 5.0
"""How old a number at ``/metrics`` may be; a process that is killed takes the counts of so many seconds with it."""


class Counting:
    """Empties a tally into the database. What cannot be kept now is kept for the next time."""

    def __init__(self, database: Database, tally: Tally) -> None:
        self._database = database
        self._tally = tally

    def step(self) -> float:
        """Write what was counted. Returns the seconds to rest. Raises CannotStore."""
        counts = self._tally.take()
        if not counts:
            return EVERY_SECONDS
        try:
            with self._database.work() as connection:
                tallies.add(connection, counts)
        except CannotStore:
            self._tally.give_back(counts)
            raise
        return EVERY_SECONDS


def count(effects: Iterable[Effects]) -> None:
    """Add what was committed to the counts of this process."""
    found = Counter[tuple[str, ...]]()
    for each in effects:
        found.update(_counts(each))
    for (name, *labels), number in found.items():
        TALLY.add(name, *labels, by=number)


def _counts(effects: Effects) -> Iterator[tuple[str, ...]]:
    """The metrics that count these effects, with their labels."""
    if effects.delivery is not None:
        yield "responder_deliveries_done", effects.state
    if effects.decision is None:
        return
    for ruling in effects.decision.rulings if effects.delivery is not None else ():
        yield "responder_alerts", "firing" if ruling.alert.firing else "resolved"
        yield "responder_rule_matches", ruling.rule.id
        if not ruling.rule.matchers:
            yield ("responder_unmatched_alerts",)
    kind = effects.decision.change.kind
    if effects.incident is not None and kind in {ChangeKind.NEW, ChangeKind.RESOLVED}:
        yield "responder_incidents", effects.incident.severity, "opened" if effects.incident.open else "resolved"
