"""Changes of an incident by notifications: new, resolved, repeated, late or stale ones. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from responder.model.alert import Alert, AlertGroup
from responder.model.incident import AlertState, Change, ChangeKind, Incident
from responder.model.rule import Action, Rule
from responder.model.text import number_of, sanitize_line
from responder.model.timing import USUAL, Timing
from responder.triage.rule_index import RuleIndex


def compare(
    group: AlertGroup, incident: Incident | None, notification: int, now: datetime, timing: Timing = USUAL
) -> Change:
    """Return what a notification changes, with the reason.

    ``group`` is as ``without_outdated`` returned it; ``incident`` is the latest of the group's dedup key, open or
    resolved, or None; ``notification`` is the id of the notification. A notification lists the whole group and not a
    delta, so repetitions and duplicates are normal and change nothing. A group with ``truncated`` alerts is never
    resolved: Alertmanager computes its status from the alerts that it kept.
    """
    if incident is not None and notification <= incident.notification:
        reason = (
            f"notification {notification} is older than notification {incident.notification}, which was already applied"
        )
        seen = diff(group, incident.alerts, now)
        return _change(ChangeKind.STALE, reason, seen, timing, incident)
    if incident is None or not incident.open:
        return _opened(group, incident, now, timing)
    seen = diff(group, incident.alerts, now)
    return _fires(seen, incident, now, timing) if seen.firing else _eased(group, seen, incident, now, timing)


def _opened(group: AlertGroup, incident: Incident | None, now: datetime, timing: Timing) -> Change:
    """Return the change when no incident is open: firing alerts open one, or reopen a recently resolved one."""
    returns = incident is not None and reopens(incident, now, timing)
    doubtful = incident is not None and any(known.doubted_at is not None for known in incident.alerts.values())
    # Alerts that were suppressed when the resolve was announced count as resolved: if they still fire, that is news.
    ended = {each: known for each, known in incident.alerts.items() if known.ends_at is not None} if incident else {}
    seen = diff(group, ended if returns or doubtful or group.outdated else {}, now)
    if seen.firing and incident is not None and returns:
        flaps = count_re_fires(incident, now, timing)
        since = _minutes(now - (incident.resolved_at or now))
        lasting = all(each in incident.alerts and incident.alerts[each].ends_at is None for each in seen.firing)
        word = "still firing" if lasting else "re-fired"  # a person resolved it, or its alerts were suppressed
        reason = f"{_alerts(len(seen.firing))} {word} {since} after {incident.id} resolved{_times(flaps)}"
        return _change(ChangeKind.AGAIN, reason, seen, timing, flaps=flaps)
    if seen.firing:
        again = "" if incident is None else f" again, after {incident.id} resolved"
        return _change(ChangeKind.NEW, f"{_alerts(len(seen.firing))} started firing{again}", seen, timing)
    if incident is not None and (seen.doubts or doubtful):
        reason = _in_doubt(seen, timing) if seen.doubts else "the late notification was retracted"
        return _change(ChangeKind.DOUBTED, reason, seen, timing, flaps=incident.flaps)
    missed = f"{_alerts(len(seen.missed))} fired and resolved between notifications; " if seen.missed else ""
    return _change(ChangeKind.STALE, f"{missed}nothing fires, and no incident is open for this group", seen, timing)


def _fires(seen: "GroupDiff", incident: Incident, now: datetime, timing: Timing) -> Change:
    """Return the change of an open incident of which alerts fire: the same, more or fewer."""
    count, added = len(seen.firing), seen.added
    silent = f"; {_unreported(seen)}" if seen.missing else ""
    if incident.resolve_reason and added:
        flaps = count_re_fires(incident, now, timing)
        reason = f"{_alerts(len(added))} re-fired before the resolve was announced{_times(flaps)}{silent}"
        quiet = not is_notable(flaps)
        return _change(ChangeKind.AGAIN, reason, seen, timing, flaps=flaps, quiet=quiet)
    if added:
        less = f", {len(seen.ended)} resolved" if seen.ended else ""
        reason = f"{number_of(len(added), 'more alert')} started firing{less}; {count} firing now{silent}"
        return _change(ChangeKind.GROWN, reason, seen, timing, flaps=incident.flaps, quiet=seen.is_frequent_flapping)
    if seen.ended:
        reason = f"{_alerts(len(seen.ended))} resolved; {count} still firing{silent}"
        return _change(
            ChangeKind.PARTLY_RESOLVED, reason, seen, timing, flaps=incident.flaps, quiet=seen.is_frequent_flapping
        )
    return _change(
        ChangeKind.REPEATED,
        f"the same {_alerts(count)} still firing{silent}",
        seen,
        timing,
        flaps=incident.flaps,
    )


def _eased(group: AlertGroup, seen: "GroupDiff", incident: Incident, now: datetime, timing: Timing) -> Change:
    """Return the change if no listed alert fires: a resolve only if no other alert is known to fire."""
    ended = f"{_alerts(len(seen.ended))} resolved"
    some = ChangeKind.PARTLY_RESOLVED if seen.ended else ChangeKind.REPEATED
    if group.truncated:
        reason = f"all listed alerts are resolved, but {_alerts(group.truncated)} cut off by max_alerts may still fire"
        return _change(some, reason, seen, timing, flaps=incident.flaps)
    if not seen.ended and (seen.firing_count or incident.resolve_reason or not group.alerts):
        kind, reason = ChangeKind.REPEATED, "nothing new"
        if seen.doubts:
            kind, reason = ChangeKind.DOUBTED, _in_doubt(seen, timing)
        return _change(kind, reason, seen, timing, incident)
    if seen.firing_count > len(seen.missing):
        return _change(some, f"{ended}; {seen.firing_count} still firing", seen, timing, flaps=incident.flaps)
    if seen.firing_count:
        end = now + timing.peer
        reason = f"{ended}; {_unreported(seen)}: resolves at {_at(end)} unless one is reported as firing"
        return _change(
            some, reason, seen, timing, flaps=incident.flaps, resolve_reason=_unreported(seen), resolve_at=end
        )
    if is_flapping(incident, now, timing):
        quiet = quiet_period(incident.flaps, timing)
        end = now + quiet
        reason = f"all alerts resolved; flapping, so the resolve is held until {_at(end)}{_times(incident.flaps)}"
        resolve_reason = f"no alert fired for {_minutes(quiet)} after the last re-fire{_times(incident.flaps)}"
        often = not is_notable(incident.flaps)
        return _change(
            ChangeKind.HELD,
            reason,
            seen,
            timing,
            flaps=incident.flaps,
            resolve_reason=resolve_reason,
            resolve_at=end,
            quiet=often,
        )
    count = len(seen.after)
    which = {1: "the only alert is", 2: "both alerts are"}.get(count, f"all {count} alerts are")
    reason = f"{which} resolved"
    return _change(ChangeKind.RESOLVED, reason, seen, timing, flaps=incident.flaps)


def _change(
    kind: ChangeKind,
    reason: str,
    seen: "GroupDiff",
    timing: Timing,
    kept: Incident | None = None,
    *,
    flaps: int = 0,
    resolve_reason: str = "",
    resolve_at: datetime | None = None,
    quiet: bool = False,
) -> Change:
    """Return a change to the alerts in ``seen``; with ``kept`` the hold of that incident continues."""
    if kept is not None:
        flaps, resolve_reason, resolve_at = kept.flaps, kept.resolve_reason, kept.resolve_at
    return Change(
        kind=kind,
        reason=reason,
        added=seen.added,
        resolved=seen.ended,
        alerts=seen.after,
        flaps=flaps,
        resolve_reason=resolve_reason,
        resolve_at=resolve_at,
        review_at=next_review(seen.after, resolve_at, timing),
        quiet=quiet,
    )


#: Alerts of a notification whose titles are kept (redacting one takes 20 us), and alerts that a reason names.
MOST_TITLES, MOST_NAMED = 10, 5
#: Characters of a title: a reason with the longest ones leaves room in a message's line for why it pages again.
_TITLE_LIMIT = 50


def _unreported(seen: "GroupDiff") -> str:
    titles = [title for each in seen.missing if (title := seen.after[each].title)][:MOST_NAMED]
    more = f" and {len(seen.missing) - len(titles)} more" if titles and len(seen.missing) > len(titles) else ""
    names = f": {', '.join(titles)}{more}" if titles else ""
    return f"{number_of(len(seen.missing), 'firing alert')} no longer notified (silenced or inhibited{names})"


def _in_doubt(seen: "GroupDiff", timing: Timing) -> str:
    late = f"probably a late notification, waiting {_minutes(timing.peer)}"
    return f"{_alerts(seen.doubts)} reported as firing after being resolved: {late}"


def _alerts(count: int) -> str:
    return number_of(count, "alert")


def _times(flaps: int) -> str:
    return f" ({flaps} re-fires)" if flaps > 1 else ""


def _minutes(length: timedelta) -> str:
    count = int(length.total_seconds()) // 60
    return number_of(count, "minute") if count else "less than a minute"


def _at(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


#: Seconds by which another replica's clock may be ahead. A doubt further in the future means a clock set back.
AHEAD = 60.0


def without_dropped(
    group: AlertGroup, incident: Incident | None, matching: RuleIndex, now: datetime
) -> tuple[AlertGroup, tuple[Rule, ...]]:
    """Return the group without the alerts that are dropped, and the rule of each of these.

    An alert that an open incident knows, since it fired before its rule dropped it, counts as resolved ``now``: nothing
    else would ever resolve the incident. A group of which nothing is left is returned as it is.
    """
    if not matching.drops:
        return group, ()
    rules = [matching.first(matching.labels_of(alert)) for alert in group.alerts]
    dropped = tuple(rule for rule in rules if rule.action is Action.DROP)
    if not dropped:
        return group, ()
    known: Mapping[str, AlertState] = incident.alerts if incident is not None and incident.open else {}
    left: list[Alert] = []
    for alert, rule in zip(group.alerts, rules, strict=True):
        if rule.action is not Action.DROP:
            left.append(alert)
        elif alert.fingerprint in known:
            left.append(replace(alert, firing=False, ends_at=now) if alert.firing else alert)
    return (replace(group, alerts=tuple(left)) if left else group), dropped


def without_outdated(group: AlertGroup, incident: Incident | None, now: datetime, timing: Timing = USUAL) -> AlertGroup:
    """Return the group with one entry per alert, and outdated alerts moved to ``outdated``.

    ``incident`` is the latest of the group, open or resolved. A firing alert is outdated if an end not before its start
    has been known for less than ``timing.late``; a resolved one if the alert has started again since.
    """
    newest: dict[str, Alert] = {}
    for alert in group.alerts:
        other = newest.get(alert.fingerprint)
        if other is None or (other.starts_at, other.firing) < (alert.starts_at, alert.firing):
            newest[alert.fingerprint] = alert
    known = incident.alerts if incident is not None else {}
    outdated = tuple(alert for alert in newest.values() if _outdated(known.get(alert.fingerprint), alert, now, timing))
    if not outdated and len(newest) == len(group.alerts):
        return group
    return replace(group, alerts=tuple(each for each in newest.values() if each not in outdated), outdated=outdated)


def end(alert: Alert) -> float:
    """Return when a resolved alert ended, as a Unix time; its start if no end was sent."""
    began = alert.starts_at.timestamp()
    return max(began, alert.ends_at.timestamp()) if alert.ends_at else began


def _outdated(known: AlertState | None, alert: Alert, now: datetime, timing: Timing) -> bool:
    if known is None:
        return False
    if not alert.firing:
        return known.ends_at is None and end(alert) < known.starts_at
    if known.ends_at is None or alert.starts_at.timestamp() > known.ends_at:
        return False
    return now.timestamp() - known.ends_at < timing.late.total_seconds()


def updated_state(known: AlertState | None, alert: Alert) -> AlertState:
    """Return the state of an alert after a notification that is believed."""
    began = alert.starts_at.timestamp()
    if known is None:
        return AlertState(began, None if alert.firing else max(began, end(alert)))
    since = max(began, known.starts_at)
    if not alert.firing:
        last = end(alert) if known.ends_at is None else max(end(alert), known.ends_at)
        return replace(known, starts_at=since, ends_at=max(since, last), doubted_at=None)
    if known.ends_at is None:
        return replace(known, starts_at=since, doubted_at=None)
    return replace(known, starts_at=began, ends_at=None, doubted_at=None, flaps=known.flaps + 1)


def with_doubt(known: AlertState, now: datetime) -> AlertState:
    """Return the state after a notification that reports a resolved alert as firing."""
    return known if known.ends_at is None or known.doubted_at else replace(known, doubted_at=now.timestamp())


def is_confirmed(known: AlertState, now: datetime, timing: Timing = USUAL) -> bool:
    """Return True if an alert was reported as firing after its end and no later notification retracted it.

    A doubt in the future was written before the clock was set back: its age is unknown.
    """
    if known.doubted_at is None:
        return False
    return now >= _settled_at(known.doubted_at, timing) or known.doubted_at > now.timestamp() + AHEAD


def next_review(
    alerts: Mapping[str, AlertState], resolve_at: datetime | None, timing: Timing = USUAL
) -> datetime | None:
    """Return when the incident must be reviewed without a notification; None if nothing waits for a time."""
    doubts = [known.doubted_at for known in alerts.values() if known.doubted_at is not None]
    moments = [_settled_at(min(doubts), timing)] if doubts else []
    return min([*moments, *([resolve_at] if resolve_at else [])], default=None)


def _settled_at(doubted_at: float, timing: Timing) -> datetime:
    return datetime.fromtimestamp(doubted_at, UTC) + timing.peer


#: How long the end of an alert is remembered: pods are replaced while an incident is open.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDiff:
    """Fingerprints: ``firing`` in the notification, in its order; of these, those that ``began`` or began ``again``.

    ``ended`` fired until now, ``missed`` were never known to fire. ``missing`` are known to fire and not listed at all.
    ``after`` is the state after the notification, ``doubts`` the number of resolved alerts that it reports as firing.
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
        """Alerts that fire now and did not before."""
        return self.began + self.again

    @property
    def firing_count(self) -> int:
        """Number of alerts that fire after it, listed or not."""
        return sum(known.ends_at is None for known in self.after.values())

    @property
    def is_frequent_flapping(self) -> bool:
        """True if only flapping alerts changed, and their last change was announced."""
        flaps = [self.after[each].flaps for each in self.again + self.ended]
        return not self.began and all(count and not is_notable(count) for count in flaps)


def diff(group: AlertGroup, before: Mapping[str, AlertState], now: datetime) -> GroupDiff:
    """Compare ``group``, as ``without_outdated`` returned it, with the alerts known before."""
    current = {alert.fingerprint: updated_state(before.get(alert.fingerprint), alert) for alert in group.alerts}
    for alert in group.firing[:MOST_TITLES]:
        if not current[alert.fingerprint].title:
            title = sanitize_line(alert.title, _TITLE_LIMIT)
            current[alert.fingerprint] = replace(current[alert.fingerprint], title=title)
    late = {each.fingerprint: with_doubt(before[each.fingerprint], now) for each in group.outdated if each.firing}
    named = {*current, *(each.fingerprint for each in group.outdated)}
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
        after={**_remembered(before, now), **late, **current},
    )


def _remembered(before: Mapping[str, AlertState], now: datetime) -> Mapping[str, AlertState]:
    oldest = (now - FORGOTTEN).timestamp()
    return {each: known for each, known in before.items() if known.ends_at is None or known.ends_at > oldest}


def _where(fingerprints: Iterable[str], holds: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(filter(holds, fingerprints))


def reopens(incident: Incident, now: datetime, timing: Timing = USUAL) -> bool:
    """Return True if an alert that fires now reopens an incident that was resolved."""
    return incident.resolved_at is not None and now - incident.resolved_at <= timing.same


def is_flapping(incident: Incident, now: datetime, timing: Timing = USUAL) -> bool:
    """Return True if it re-fired recently, so that its next resolve is probably not the last."""
    return incident.reopened_at is not None and now - incident.reopened_at < timing.steady


def count_re_fires(incident: Incident, now: datetime, timing: Timing = USUAL) -> int:
    """Return the number of re-fires including this one."""
    return incident.flaps + 1 if is_flapping(incident, now, timing) else 1


def quiet_period(flaps: int, timing: Timing = USUAL) -> timedelta:
    """Return the time without a firing alert before the resolve is announced: 10, 20, 40, then 60 minutes."""
    return min(timing.quiet_at_most, timing.quiet * (1 << min(flaps - 1, 10)))


def is_notable(flaps: int) -> bool:
    """Return True if channels that do not page are notified of this re-fire: the 1st, 2nd, 4th, 8th and so on."""
    return flaps & (flaps - 1) == 0
