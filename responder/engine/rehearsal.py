"""What ``serve`` would decide about deliveries, one after the other, with what came of them kept in memory only."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Generic, TypeVar

from responder.engine import process
from responder.engine.afterwards import changed
from responder.engine.desk import Desk
from responder.engine.follow import History
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Effects
from responder.triage.review import review

REMEMBERED = 10_000
"""So many groups are remembered. A longer history forgets those that were silent longest: memory stays flat."""

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """What was said last about each of the keys heard of most recently."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._kept: OrderedDict[str, _Value] = OrderedDict()

    def get(self, key: str, otherwise: _Value) -> _Value:
        """What is kept for the key."""
        return self._kept.get(key, otherwise)

    def put(self, key: str, value: _Value) -> None:
        """Keep a value, and forget the oldest where there are too many."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


class Rehearsal:
    """Decides with one set of rules. Incidents open, grow and end as they would have; nothing is stored or sent.

    No probe has run, so there are no findings that a later report would have to repeat: no report is kept.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: Recent[History] = Recent()

    def decide(self, group: AlertGroup, delivery: Delivery) -> Effects:
        """What follows from a delivery of ``group``, after those decided before."""
        history = self._reviewed(self._known.get(group.dedup_key, History()), delivery.received_at)
        effects = process.triage(group, delivery, history, self._desk)
        if effects.incident is not None:
            self._known.put(effects.incident.dedup_key, History(effects.incident))
        return effects

    def _reviewed(self, history: History, now: datetime) -> History:
        """The history with what time has decided until ``now``: an end that was held back, for example."""
        incident = history.incident
        while incident is not None and incident.review_at is not None and incident.review_at <= now:
            moment = incident.review_at
            incident = changed(incident, review(incident, moment), None, self._desk, moment).incident
        return History(incident)
