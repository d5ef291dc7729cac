"""Replay of a history with two sets of rules, counting the differences."""

from collections.abc import Iterable, Iterator

from responder.cli.backtest.history import RecordedNotification
from responder.engine.effects.context import DecisionContext
from responder.engine.simulation import Comparison, LruCache
from responder.model.alert import AlertGroup
from responder.model.delivery import Notification
from responder.model.text import sanitize_line
from responder.receive.alertmanager import InvalidPayload, read
from responder.rulebook.backtest.outcome import (
    DifferenceKind,
    RuleOutcome,
    lasting_differences,
    message_differences,
    outcome,
)
from responder.rulebook.backtest.tally import DecisionChange, Totals

_Judged = tuple[tuple[str, str, str], tuple[str, str, str]]


class BacktestRun:
    """Comparison of two sets of rules. ``tally`` is the result so far."""

    def __init__(self, before: DecisionContext, after: DecisionContext, most: int) -> None:
        self._comparison = Comparison(before, after)
        self._pagers = before.pagers | after.pagers
        self._judged: LruCache[_Judged | None] = LruCache()
        self.tally = Totals(most=most)

    def run(self, events: Iterable[RecordedNotification]) -> Iterator[None]:
        """Decide the events in order; yields after each, to report progress."""
        for event in events:
            if event.notification is None:
                self.tally.could_not_read(f"{event.source}: {event.problem}")
            else:
                self._decide(event.source, event.notification)
            yield

    def _decide(self, source: str, notification: Notification) -> None:
        try:
            group = read(notification)
        except InvalidPayload as error:
            self.tally.could_not_read(f"{source}: {error}")
            return
        self.tally.was_cut_off(group.truncated)
        before, after = (outcome(each, self._pagers) for each in self._comparison.decide(group, notification))
        kinds = {*message_differences(before, after), *self._lasting(group, before, after)}
        self.tally.add(
            _case(source, notification, group, before, after), tuple(kind for kind in DifferenceKind if kind in kinds)
        )

    def _lasting(self, group: AlertGroup, before: RuleOutcome, after: RuleOutcome) -> tuple[DifferenceKind, ...]:
        """Return lasting differences, counted once per incident and again only if they change."""
        if not group.firing:
            return ()
        judged = (before.lasting, after.lasting)
        known = None if before.begins or after.begins else self._judged.get(group.dedup_key, None)
        self._judged.put(group.dedup_key, judged)
        return lasting_differences(before, after) if judged != known else ()


def _case(
    source: str, notification: Notification, group: AlertGroup, before: RuleOutcome, after: RuleOutcome
) -> DecisionChange:
    return DecisionChange(
        number=notification.id,
        at=notification.received_at,
        source=source,
        what=_what(group),
        before=before,
        after=after,
    )


def _what(group: AlertGroup) -> str:
    """Return the alert's name and the group's other labels."""
    alert = (group.firing or group.alerts)[:1]
    name = alert[0].name if alert else group.group_labels.get("alertname", "")
    rest = " ".join(f"{key}={value}" for key, value in group.group_labels.items() if key != "alertname")
    return sanitize_line(f"{name or 'alert without a name'} {rest}".strip(), 120)
