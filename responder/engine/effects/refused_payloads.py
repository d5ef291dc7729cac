"""Refused requests: an incident about responder itself, deduplicated by key and resolved automatically. Pure.

Payloads of authenticated senders (400, 413, 415) page once per sender and status, since their alerts are unknown here.
Requests without valid credentials or with a wrong path may come from anyone: they lead to one message on a channel that
does not page, and to a page only if no valid notification has arrived for an hour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.own_incident import mildest, one_reader, opened
from responder.engine.effects.without_notification import paged
from responder.model.delivery import Effects
from responder.model.finding import Conclusion
from responder.model.report import IncidentContent
from responder.model.text import number_of, sanitize_line
from responder.store.inbox.refusals import OUTSIDE, Refusals

#: The rule of these incidents.
RULE = "(refused)"
_KEY = "responder-refused"
#: How long refusals last before they are reported: a restart or a rollout may cause a few.
AFTER = timedelta(minutes=1)
#: Pairs of sender and status that have an incident of their own at a time. All further ones share one.
SINGLE_PAGES = 5
#: Quiet time after which the incident about requests without credentials is resolved, and time without a valid
#: notification after which it pages.
OUTSIDE_HOLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Recent refusals: payloads by sender, and requests from outside; ``valid_at`` is the last valid one."""

    payloads: Sequence[Refusals]
    outside: Sequence[Refusals]
    valid_at: datetime | None


def quiet_period(context: DecisionContext) -> timedelta:
    """Return the quiet time that resolves an incident about payloads: Alertmanager repeats every group_interval."""
    return context.timing.late


def keys(refused: Refused) -> dict[str, Refusals]:
    """Return the refusals by the key of their incident."""
    found: dict[str, Refusals] = {}
    for place, each in enumerate(refused.payloads):
        key = f"{_KEY}/{each.remote}/{each.status}" if place < SINGLE_PAGES else f"{_KEY}/more"
        found[key] = _joined(found.get(key), each)
    for each in refused.outside:
        found[f"{_KEY}/outside"] = _joined(found.get(f"{_KEY}/outside"), each)
    return found


def effects_of(
    refused: Refused, of: Callable[[str], History], context: DecisionContext, now: datetime
) -> list[Effects]:
    """Return the effects of refusals: incidents that open, are extended or start paging."""
    found = [_follow(key, each, of(key), refused.valid_at, context, now) for key, each in keys(refused).items()]
    return [each for each in found if each is not None]


def _joined(before: Refusals | None, each: Refusals) -> Refusals:
    if before is None:
        return each
    newest = each if each.last_at >= before.last_at else before
    first = min(before.first_at, each.first_at)
    return replace(newest, count=before.count + each.count, first_at=first, alert=newest.alert or before.alert)


def _follow(
    key: str, found: Refusals, history: History, valid_at: datetime | None, context: DecisionContext, now: datetime
) -> Effects | None:
    before, outside = history.incident, found.status in OUTSIDE
    until = found.last_at + (OUTSIDE_HOLD if outside else quiet_period(context))
    if before is None or not before.open:
        seen = before is not None and before.resolved_at is not None and found.last_at <= before.resolved_at
        return None if seen or now - found.first_at < AFTER else _opened(key, found, until, context, now)
    moved = replace(before, resolve_at=until, review_at=until)
    alone = found.last_at - (valid_at or before.opened_at) >= OUTSIDE_HOLD and found.last_at - found.first_at >= AFTER
    others = [channel for channel in context.all_channels if channel.name not in before.channels]
    if outside and alone and any(channel.pages for channel in others):
        worst = context.worst.name
        why = f"no valid notification has arrived for an hour; {_summary(found)}"
        moved = replace(moved, severity=worst, title=f"[{worst}] responder refuses {_what(found)}")
        return paged(moved, history.content, why, others, context, now)
    return Effects(incident=moved) if before.resolve_at is None or until > before.resolve_at else None


def _opened(key: str, found: Refusals, until: datetime, context: DecisionContext, now: datetime) -> Effects:
    outside = found.status in OUTSIDE
    severity, to = (mildest(context), one_reader(context)) if outside else (context.worst, tuple(context.all_channels))
    quiet_period = f"nothing was refused for {int((until - found.last_at).total_seconds() // 60)} minutes"
    effects = opened(
        key, RULE, f"refuses {_what(found)}", _summary(found), quiet_period, until, severity, to, context, now
    )
    return replace(effects, content=_content(effects.content, found)) if effects.content else effects


def _content(content: IncidentContent, found: Refusals) -> IncidentContent:
    outside = found.status in OUTSIDE
    step = "Read `responder rejects list` and `responder rejects show N`; look the alerts up in Alertmanager."
    if outside:
        step = "Compare the address and the token in the sender's configuration with responder's."
    decision = replace(
        content.decision,
        pages=not outside,
        alertname=sanitize_line(found.alert, 80),
        impact=f"alerts are not delivered: {_summary(found)}",
        first_step=f"{step} Alertmanager repeats a refused notification every group_interval while its alerts fire.",
    )
    return replace(content, decision=decision, conclusion=Conclusion(unknown="which alerts fire: no probe was run"))


def _what(found: Refusals) -> str:
    sender = sanitize_line(found.remote, 60) or "an unknown sender"
    named = f" (such as {sanitize_line(found.alert, 80)})" if found.alert else ""
    what = "requests" if found.status in OUTSIDE else "notifications"
    return f"{what} from {sender} with status {found.status}{named}"


def _summary(found: Refusals) -> str:
    count = number_of(found.count, "request" if found.status in OUTSIDE else "notification")
    error = sanitize_line(found.error, 200)
    return f"{count} refused since {found.first_at:%H:%M} UTC, the last with {found.status}: {error}"
