"""Adds the counts of this process to those of all, every few seconds and once more at its end."""

from __future__ import annotations

from collections.abc import Iterable

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
    for each in effects:
        if each.delivery is not None:
            TALLY.add("responder_deliveries_done", each.state)
        if each.decision is None:
            continue
        for ruling in each.decision.rulings if each.delivery is not None else ():
            TALLY.add("responder_alerts", "firing" if ruling.alert.firing else "resolved")
            TALLY.add("responder_rule_matches", ruling.rule.id)
            if not ruling.rule.matchers:
                TALLY.add("responder_unmatched_alerts")
        kind = each.decision.change.kind
        if each.incident is not None and kind in {ChangeKind.NEW, ChangeKind.RESOLVED}:
            TALLY.add("responder_incidents", each.incident.severity, "opened" if each.incident.open else "resolved")
