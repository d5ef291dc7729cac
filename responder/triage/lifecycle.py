"""How a notification changes an incident: what is new, resolved, repeated, late or stale. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from responder.model.alert import Alert, AlertGroup
from responder.model.incident import AlertState, Change, ChangeKind, Incident
from responder.model.text import number_of
from responder.model.timing import USUAL, Timing
from responder.triage import flapping


def compare(
    group: AlertGroup, incident: Incident | None, delivery: int, now: datetime, patience: Timing = USUAL
) -> Change:
    """What a notification changes, with the reason.

    ``group`` is what ``truth.believe`` made of it, ``incident`` the latest of the group's dedup key, open or resolved,
    or None; ``delivery`` the id of this one. A notification is the whole group and not a delta, so repeated and doubled
    ones are normal and change nothing. With ``truncated`` alerts a group is never resolved: Alertmanager computes its
    status from the alerts it kept.
    """
    if incident is not None and delivery <= incident.delivery:
        reason = f"delivery {delivery} is older than delivery {incident.delivery}, which was applied already"
        seen = look(group, incident.alerts, now)
        return _change(ChangeKind.STALE, reason, seen, patience, incident)
    if incident is None or not incident.open:
        return _opened(group, incident, now, patience)
    seen = look(group, incident.alerts, now)
    return _fires(seen, incident, now, patience) if seen.firing else _eased(group, seen, incident, now, patience)


def _opened(group: AlertGroup, incident: Incident | None, now: datetime, patience: Timing) -> Change:
    """No incident is open: whatever fires opens one, or the one that was resolved a moment ago."""
    returns = incident is not None and flapping.returns(incident, now, patience)
    doubtful = incident is not None and any(known.doubted_at is not None for known in incident.alerts.values())
    # What was hidden when people heard the end is over for them: should it still fire, that is news.
    ended = {each: known for each, known in incident.alerts.items() if known.ends_at is not None} if incident else {}
    seen = look(group, ended if returns or doubtful or group.outdated else {}, now)
    if seen.firing and incident is not None and returns:
        flaps = flapping.counted(incident, now, patience)
        since = _minutes(now - (incident.resolved_at or now))
        reason = f"{_alerts_fire(len(seen.firing))} again, {since} after {incident.id} was resolved{_times(flaps)}"
        return _change(ChangeKind.AGAIN, reason, seen, patience, flaps=flaps)
    if seen.firing:
        again = "" if incident is None else f" again, after {incident.id} was resolved"
        return _change(ChangeKind.NEW, f"{_alerts(len(seen.firing))} began to fire{again}", seen, patience)
    if incident is not None and (seen.doubts or doubtful):
        reason = _in_doubt(seen) if seen.doubts else "what was said to fire after its end is said to be over"
        return _change(ChangeKind.DOUBTED, reason, seen, patience, flaps=incident.flaps)
    missed = f"{_alerts(len(seen.missed))} began and ended before we heard of it; " if seen.missed else ""
    return _change(ChangeKind.STALE, f"{missed}nothing fires, and no incident is open for this group", seen, patience)


def _fires(seen: GroupDiff, incident: Incident, now: datetime, patience: Timing) -> Change:
    """Something fires of an open incident: the same, more of it, or less."""
    count, added = len(seen.firing), seen.added
    silent = f"; {_untold(seen)}" if seen.missing else ""
    if incident.hold and added:
        flaps = flapping.counted(incident, now, patience)
        reason = f"{_alerts_fire(len(added))} again before the end was told{_times(flaps)}{silent}"
        quiet = not flapping.worth_telling(flaps)
        return _change(ChangeKind.AGAIN, reason, seen, patience, flaps=flaps, quiet=quiet)
    if added:
        less = f", {len(seen.ended)} resolved" if seen.ended else ""
        reason = f"{_alerts(len(added))} more began to fire{less}; {count} {_fire(count)} now{silent}"
        return _change(ChangeKind.GROWN, reason, seen, patience, flaps=incident.flaps, quiet=seen.told_often)
    if seen.ended:
        reason = f"{_alerts(len(seen.ended))} resolved; {count} still {_fire(count)}{silent}"
        return _change(ChangeKind.PARTLY_RESOLVED, reason, seen, patience, flaps=incident.flaps, quiet=seen.told_often)
    return _change(
        ChangeKind.REPEATED,
        f"the same {_alerts(count)} still {_fire(count)}{silent}",
        seen,
        patience,
        flaps=incident.flaps,
    )


def _eased(group: AlertGroup, seen: GroupDiff, incident: Incident, now: datetime, patience: Timing) -> Change:
    """Nothing of the notification fires: that is the end only where nothing else is known to fire."""
    ended = f"{_alerts(len(seen.ended))} resolved"
    some = ChangeKind.PARTLY_RESOLVED if seen.ended else ChangeKind.REPEATED
    if group.truncated:
        reason = f"all shown are resolved, but {_alerts(group.truncated)} cut off by max_alerts may still fire"
        return _change(some, reason, seen, patience, flaps=incident.flaps)
    if not seen.ended and (seen.still or incident.hold or not group.alerts):
        kind, reason = ChangeKind.REPEATED, "nothing that was not known"
        if seen.doubts:
            kind, reason = ChangeKind.DOUBTED, _in_doubt(seen)
        return _change(kind, reason, seen, patience, incident)
    if seen.still > len(seen.missing):
        return _change(some, f"{ended}; {seen.still} still {_fire(seen.still)}", seen, patience, flaps=incident.flaps)
    if seen.still:
        end = now + patience.peer
        reason = f"{ended}; {_untold(seen)}: resolved at {_at(end)} unless one is said to fire"
        return _change(some, reason, seen, patience, flaps=incident.flaps, hold=_untold(seen), held_until=end)
    if flapping.flapping(incident, now, patience):
        quiet = flapping.quiet_period(incident.flaps, patience)
        end = now + quiet
        reason = f"all is resolved, and told at {_at(end)} if it stays so: it flaps{_times(incident.flaps)}"
        hold = f"it stayed quiet for {_minutes(quiet)} after it had fired again{_times(incident.flaps)}"
        often = not flapping.worth_telling(incident.flaps)
        return _change(
            ChangeKind.HELD, reason, seen, patience, flaps=incident.flaps, hold=hold, held_until=end, quiet=often
        )
    count = len(seen.after)
    reason = "the only alert is resolved" if count == 1 else f"all {count} alerts are resolved"
    return _change(ChangeKind.RESOLVED, reason, seen, patience, flaps=incident.flaps)


def _change(
    kind: ChangeKind,
    reason: str,
    seen: GroupDiff,
    patience: Timing,
    kept: Incident | None = None,
    *,
    flaps: int = 0,
    hold: str = "",
    held_until: datetime | None = None,
    quiet: bool = False,
) -> Change:
    """A change to what was seen; with ``kept`` the incident's hold goes on."""
    if kept is not None:
        flaps, hold, held_until = kept.flaps, kept.hold, kept.held_until
    return Change(
        kind=kind,
        reason=reason,
        added=seen.added,
        resolved=seen.ended,
        alerts=seen.after,
        flaps=flaps,
        hold=hold,
        held_until=held_until,
        review_at=next_look(seen.after, held_until, patience),
        quiet=quiet,
    )


def _untold(seen: GroupDiff) -> str:
    return f"{_alerts(len(seen.missing))} known to fire not notified any more (silenced or inhibited)"


def _in_doubt(seen: GroupDiff) -> str:
    return f"{_alerts(seen.doubts)} said to fire whose end we know: most likely an older truth, so we wait and see"


def _alerts(count: int) -> str:
    return number_of(count, "alert")


def _fire(count: int) -> str:
    return "fires" if count == 1 else "fire"


def _alerts_fire(count: int) -> str:
    return f"{_alerts(count)} {_fire(count)}"


def _times(flaps: int) -> str:
    return f" ({flaps} times by now)" if flaps > 1 else ""


def _minutes(length: timedelta) -> str:
    count = int(length.total_seconds()) // 60
    return f"{count} minute" if count == 1 else f"{count} minutes"


def _at(moment: datetime) -> str:
    return f"{moment:%H:%M}Z"


AHEAD = 60.0
"""Seconds by which a doubt may be ahead of us for the clocks of two replicas; more, and the clock was put back."""


def believe(group: AlertGroup, incident: Incident | None, now: datetime, patience: Timing = USUAL) -> AlertGroup:
    """The group with one entry an alert, and those that tell an older truth than we know moved to ``outdated``.

    ``incident`` is the latest of the group, open or resolved. A firing alert is outdated where we know an end of it
    that is not before its start, and have known it for less than ``patience.late``; a resolved one where it has begun
    anew since.
    """
    newest: dict[str, Alert] = {}
    for alert in group.alerts:
        other = newest.get(alert.fingerprint)
        if other is None or (other.starts_at, other.firing) < (alert.starts_at, alert.firing):
            newest[alert.fingerprint] = alert
    known = incident.alerts if incident is not None else {}
    outdated = tuple(
        alert for alert in newest.values() if _outdated(known.get(alert.fingerprint), alert, now, patience)
    )
    if not outdated and len(newest) == len(group.alerts):
        return group
    return replace(group, alerts=tuple(each for each in newest.values() if each not in outdated), outdated=outdated)


def end(alert: Alert) -> float:
    """When a resolved alert ended; one whose end was not sent counts as ended when it began."""
    began = alert.starts_at.timestamp()
    return max(began, alert.ends_at.timestamp()) if alert.ends_at else began


def _outdated(known: AlertState | None, alert: Alert, now: datetime, patience: Timing) -> bool:
    if known is None:
        return False
    if not alert.firing:
        return known.ends_at is None and end(alert) < known.starts_at
    if known.ends_at is None or alert.starts_at.timestamp() > known.ends_at:
        return False
    return now.timestamp() - known.ends_at < patience.late.total_seconds()


def heard(known: AlertState | None, alert: Alert) -> AlertState:
    """What is known of an alert after a notification that is believed."""
    began = alert.starts_at.timestamp()
    flaps = known.flaps if known else 0
    if not alert.firing:
        since = max(began, known.starts_at) if known else began
        last = max(end(alert), known.ends_at) if known and known.ends_at is not None else end(alert)
        return AlertState(since, max(since, last), flaps=flaps)
    if known is None or known.ends_at is None:
        return AlertState(max(began, known.starts_at) if known else began, flaps=flaps)
    return AlertState(began, flaps=flaps + 1)


def doubted(known: AlertState, now: datetime) -> AlertState:
    """The same, after a notification that says it fires although we know its end."""
    return known if known.ends_at is None or known.doubted_at else replace(known, doubted_at=now.timestamp())


def believed_after_all(known: AlertState, now: datetime, patience: Timing = USUAL) -> bool:
    """Whether an alert was said to fire after its end, and nobody has taken that back in time.

    A doubt from the future was written before the clock was put back: nobody can tell how long it has lasted.
    """
    if known.doubted_at is None:
        return False
    return now >= _settled_at(known.doubted_at, patience) or known.doubted_at > now.timestamp() + AHEAD


def next_look(
    alerts: Mapping[str, AlertState], held_until: datetime | None, patience: Timing = USUAL
) -> datetime | None:
    """When the incident must be looked at again without a notification; None where nothing waits for a time."""
    doubts = [known.doubted_at for known in alerts.values() if known.doubted_at is not None]
    moments = [_settled_at(min(doubts), patience)] if doubts else []
    return min([*moments, *([held_until] if held_until else [])], default=None)


def _settled_at(doubted_at: float, patience: Timing) -> datetime:
    return datetime.fromtimestamp(doubted_at, UTC) + patience.peer


FORGOTTEN = timedelta(days=1)
"""How long the end of an alert is remembered: pods come and go while an incident is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDiff:
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
    after: Mapping[str, AlertState]

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


def look(group: AlertGroup, before: Mapping[str, AlertState], now: datetime) -> GroupDiff:
    """What ``group``, as ``truth.believe`` made it, says beside what was known."""
    told = {alert.fingerprint: heard(before.get(alert.fingerprint), alert) for alert in group.alerts}
    late = {each.fingerprint: doubted(before[each.fingerprint], now) for each in group.outdated if each.firing}
    named = {*told, *(each.fingerprint for each in group.outdated)}
    firing = tuple(alert.fingerprint for alert in group.firing)
    over = tuple(alert.fingerprint for alert in group.alerts if not alert.firing)
    return GroupDiff(
        firing=firing,
        began=_where(firing, lambda each: each not in before),
        again=_where(firing, lambda each: each in before and before[each].ends_at is not None),
        ended=_where(over, lambda each: each in before and before[each].ends_at is None),
        missed=_where(over, lambda each: each not in before),
        missing=_where(before, lambda each: before[each].ends_at is None and each not in named),
        doubts=len(late),
        after={**_remembered(before, now), **late, **told},
    )


def _remembered(before: Mapping[str, AlertState], now: datetime) -> Mapping[str, AlertState]:
    oldest = (now - FORGOTTEN).timestamp()
    return {each: known for each, known in before.items() if known.ends_at is None or known.ends_at > oldest}


def _where(fingerprints: Iterable[str], holds: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(filter(holds, fingerprints))
