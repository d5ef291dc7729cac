"""In-memory simulation of what ``serve`` would decide about a series of notifications."""

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeVar

from responder.engine import pipeline
from responder.engine.effects.context import NOTHING, DecisionContext, History, history_of
from responder.engine.effects.held_page import opens_for, pagers_of, window_of, windows_of
from responder.engine.effects.page import still_fires
from responder.engine.effects.without_notification import changed, paged
from responder.model.alert import AlertGroup
from responder.model.delivery import Effects, Notification
from responder.model.incident import Incident
from responder.model.problem import Position
from responder.model.rule import Rule, RuleBook
from responder.triage.recheck import review

#: Groups that are remembered; beyond it the least recently notified are dropped, to bound the memory.
REMEMBERED = 10_000

_Value = TypeVar("_Value")


class LruCache(Generic[_Value]):
    """The latest value of each of the most recently written keys."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Value] = OrderedDict()

    def get(self, key: str, otherwise: _Value) -> _Value:
        """Return the value of the key, or ``otherwise``."""
        return self._kept.get(key, otherwise)

    def put(self, key: str, value: _Value) -> None:
        """Store a value, and drop the oldest one beyond REMEMBERED."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


class Simulation:
    """Decides with one set of rules. Incidents open, grow and resolve in memory; nothing is stored or sent.

    No probes run, so there are no findings to repeat and no content is kept.
    """

    def __init__(self, context: DecisionContext) -> None:
        self._context = context
        self._windows, self._pagers = windows_of(context), context.pagers
        self._known: LruCache[History] = LruCache()
        self._homes: LruCache[str] = LruCache()

    def decide(self, group: AlertGroup, notification: Notification) -> Effects:
        """Return the effects of a notification after those decided before, and of the time passed since."""
        history, brought = self._reviewed(self.known(group), notification.received_at)
        effects = pipeline.triage(group, notification, history, self._context)
        if effects.incident is not None or brought:
            self._keep(group, History(effects.incident or history.incident))
        return _with(brought, effects) if brought else effects

    def _keep(self, group: AlertGroup, history: History) -> None:
        incident = history.incident
        self._known.put(incident.dedup_key if incident else group.dedup_key, history)
        if incident is not None and incident.gathered:
            self._homes.put(group.dedup_key, incident.dedup_key)

    def known(self, group: AlertGroup) -> History:
        """Return the history of the group so far."""
        home = self._homes.get(group.dedup_key, "")
        return history_of(group, self._context, lambda key: self._known.get(key, NOTHING), home)

    def share(self, other: "Simulation", group: AlertGroup) -> None:
        """Take over the history of the group from another simulation."""
        self._keep(group, other.known(group))

    def _reviewed(self, history: History, now: datetime) -> tuple[History, list[Effects]]:
        """Return the history at ``now``, and the effects with messages that time alone has led to.

        For example a held resolve, or a page released by the opening of its window.
        """
        incident, sent = history.incident, []
        while incident is not None and (due := self._due(incident)) is not None and due <= now:
            effects = self._timely(incident, due)
            incident = effects.incident
            sent += [effects] if effects.messages else []
        return History(incident), sent

    def _due(self, incident: Incident) -> datetime | None:
        """Return when time alone changes the incident; None if never."""
        return min(filter(None, (incident.review_at, opens_for(incident, self._windows, self._pagers))), default=None)

    def _timely(self, incident: Incident, moment: datetime) -> Effects:
        if incident.review_at is not None and incident.review_at <= moment:
            return changed(incident, review(incident, moment, self._context.timing), None, self._context, moment)
        window = window_of(incident, self._windows, self._pagers)
        why = still_fires(window.name if window else "")
        return paged(incident, None, why, pagers_of(incident, self._context), self._context, moment)


def _with(brought: list[Effects], effects: Effects) -> Effects:
    """Return the effects of a notification, preceded by those of time alone."""
    messages = tuple(message for each in brought for message in each.messages)
    before = f"before it, by time alone: {'; '.join(each.outcome for each in brought)}"
    decision = effects.decision and replace(effects.decision, reason=f"{effects.decision.reason}; {before}")
    return replace(effects, messages=messages + effects.messages, decision=decision)


class Comparison:
    """Decides the same notifications with two sets of rules, once only if both must decide alike.

    That holds if the rules that match the alerts of a group are equal in both sets, everything except the rules is
    equal, and so is the history of the group.
    """

    def __init__(self, before: DecisionContext, after: DecisionContext) -> None:
        self._before = Simulation(before)
        self._after = Simulation(after)
        self._matching = before.matching, after.matching
        self._twins = _unchanged_rules(before.book, after.book)

    def decide(self, group: AlertGroup, notification: Notification) -> tuple[Effects, Effects]:
        """Return the effects of a notification of ``group`` with either set."""
        alike = self._alike(group)
        before = self._before.decide(group, notification)
        if not alike:
            return before, self._after.decide(group, notification)
        self._after.share(self._before, group)
        return before, before

    def _alike(self, group: AlertGroup) -> bool:
        if not group.alerts or self._before.known(group) is not self._after.known(group):
            return False
        before, after = self._matching
        return all(self._twins.get(before.first(each.labels).id) is after.first(each.labels) for each in group.alerts)


def _unchanged_rules(before: RuleBook, after: RuleBook) -> dict[str, Rule]:
    """Return the rules of ``after``, by id, that are equal in ``before``, wherever they stand."""
    if _without_rules(before) != _without_rules(after):
        return {}
    then = {rule.id: rule for rule in before.rules}
    kept = ((rule, then.get(rule.id)) for rule in after.rules)
    return {rule.id: rule for rule, other in kept if other and replace(other, position=rule.position) == rule}


def _without_rules(book: RuleBook) -> RuleBook:
    """Return a rule book without its rules and its position in the files, for comparison."""
    probes = {name: replace(probe, position=_NOWHERE) for name, probe in book.probes.items()}
    return replace(book, rules=(), revision="", probes=probes, heartbeats=())


_NOWHERE = Position("", 1, 1)
