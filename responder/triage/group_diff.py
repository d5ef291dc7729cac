"""A notification beside what is known: alert by alert, what it tells that is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from responder.model.alert import AlertGroup
from responder.model.incident import Known
from responder.triage import flapping
from responder.triage.stale_alerts import doubted, heard

FORGOTTEN = timedelta(days=1)
"""How long the end of an alert is remembered: pods come and go while an incident is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Fingerprints: ``firing`` of the notification, in its order; of these, those that ``began`` or began ``again``.

    ``ended`` fired until now, ``missed`` were never known to fire. ``missing`` are known to fire and not named at all.
    ``after`` is what is known after it, ``doubts`` how many alerts it says to fire whose end we know.
    """

    firing: tuple[str, ...]
    began: tuple[str, ...]
    again: tuple[str, ...]
    ended: tuple[str, ...]
    missed: tuple[str, ...]
    missing: tuple[str, ...]
    doubts: int
    after: Mapping[str, Known]

    @property
    def added(self) -> tuple[str, ...]:
        """Those that fire and did not."""
        return self.began + self.again

    @property
    def still(self) -> int:
        """How many fire after it, named or not."""
        return sum(known.ends_at is None for known in self.after.values())

    @property
    def told_often(self) -> bool:
        """Whether all that moved are alerts that come and go, and that people have heard of just now."""
        flaps = [self.after[each].flaps for each in self.again + self.ended]
        return not self.began and all(count and not flapping.worth_telling(count) for count in flaps)


def look(group: AlertGroup, before: Mapping[str, Known], now: datetime) -> Seen:
    """What ``group``, as ``truth.believe`` made it, says beside what was known."""
    told = {alert.fingerprint: heard(before.get(alert.fingerprint), alert) for alert in group.alerts}
    late = {each.fingerprint: doubted(before[each.fingerprint], now) for each in group.outdated if each.firing}
    named = {*told, *(each.fingerprint for each in group.outdated)}
    firing = tuple(alert.fingerprint for alert in group.firing)
    over = tuple(alert.fingerprint for alert in group.alerts if not alert.firing)
    return Seen(
        firing=firing,
        began=_where(firing, lambda each: each not in before),
        again=_where(firing, lambda each: each in before and before[each].ends_at is not None),
        ended=_where(over, lambda each: each in before and before[each].ends_at is None),
        missed=_where(over, lambda each: each not in before),
        missing=_where(before, lambda each: before[each].ends_at is None and each not in named),
        doubts=len(late),
        after={**_remembered(before, now), **late, **told},
    )


def _remembered(before: Mapping[str, Known], now: datetime) -> Mapping[str, Known]:
    oldest = (now - FORGOTTEN).timestamp()
    return {each: known for each, known in before.items() if known.ends_at is None or known.ends_at > oldest}


def _where(fingerprints: Iterable[str], holds: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(filter(holds, fingerprints))
