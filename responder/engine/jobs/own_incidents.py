"""The jobs that report invalid rule files and refused requests by incidents about responder itself.

Each is deduplicated by key and resolved by the recheck job. Payloads of authenticated senders (400, 413, 415) page once
per sender and status, since their alerts are unknown here. Requests without valid credentials or with a wrong path may
come from anyone: they lead to one message on a channel that does not page, and to a page only if no valid notification
has arrived for an hour. Rule files that stay invalid lead to one message.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import NOTHING, DecisionContext, History, read_histories
from responder.engine.effects.page import incident_id, messages_for
from responder.engine.effects.without_notification import paged
from responder.engine.jobs.scheduler import IncidentJob
from responder.engine.workers.rule_reloader import RulesStatus
from responder.model.delivery import Effects, IncidentChanges
from responder.model.finding import Conclusion
from responder.model.incident import Incident
from responder.model.report import NO_FACTS, MessageKind
from responder.model.text import number_of, sanitize_line
from responder.notify.delivery.route import last_resort, readable
from responder.notify.report.content import bare
from responder.store.inbox.refusals import OUTSIDE, Refusals, last_valid, refusals

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)
#: How long rule files are invalid, or requests are refused, before that is reported: a slip while editing is fixed
#: within it, and a restart or a rollout may cause a few refusals.
AFTER = timedelta(minutes=1)
#: Time without invalid rule files after which the incident is resolved.
HOLD = timedelta(minutes=5)
_MOVED = timedelta(minutes=1)
#: The rules of these incidents.
INVALID_RULE, REFUSED_RULE = "(invalid rules)", "(refused)"
_INVALID_KEY, _REFUSED_KEY = "responder-rules", "responder-refused"
#: Pairs of sender and status that have an incident of their own at a time. All further ones share one.
SINGLE_PAGES = 5
#: Quiet time after which the incident about requests without credentials is resolved, and time without a valid
#: notification after which it pages.
OUTSIDE_HOLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class InvalidRulesJob(IncidentJob):
    """Reports what the rule reloader of this process found."""

    status: Callable[[], RulesStatus]

    def is_due(self, _connection: Connection) -> bool:
        """Return True if the rule files are invalid."""
        return self.status().refused > 0

    def decide(self, connection: Connection) -> IncidentChanges:
        """Open the incident, or hold it open."""
        known = read_histories(connection, [_INVALID_KEY])
        effects = _invalid(self.status(), known.get(_INVALID_KEY, NOTHING), self.context(), self.clock.now())
        return _changes(known, effects)

    def log(self, effects: Effects) -> None:
        """Log an incident that has messages."""
        if effects.incident is not None and effects.messages:
            _log.error("rules.reported", incident=effects.incident.id, reason=effects.outcome)


class RefusedPayloads(IncidentJob):
    """Compares recent refusals with the open incidents about them."""

    def is_due(self, connection: Connection) -> bool:
        """Return True if a request was refused recently."""
        return bool(self._by_key(connection))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Open, extend and page incidents."""
        found, context, now = self._by_key(connection), self.context(), self.clock.now()
        known, valid_at = read_histories(connection, found), last_valid(connection)
        each_key = ((key, known.get(key, NOTHING), each) for key, each in found.items())
        return _changes(known, [effects for one in each_key for effects in _refused(*one, valid_at, context, now)])

    def log(self, effects: Effects) -> None:
        """Log an incident that has messages."""
        if effects.incident is not None and effects.messages:
            _log.error("webhook.refusals_reported", incident=effects.incident.id, reason=effects.outcome)

    def _by_key(self, connection: Connection) -> dict[str, Refusals]:
        """Return the recent refusals by the key of their incident."""
        now = self.clock.now()
        found: dict[str, Refusals] = {}
        for place, each in enumerate(refusals(connection, now - quiet_period(self.context()))):
            key = f"{_REFUSED_KEY}/{each.remote}/{each.status}" if place < SINGLE_PAGES else f"{_REFUSED_KEY}/more"
            found[key] = _joined(found.get(key), each)
        for each in refusals(connection, now - OUTSIDE_HOLD, OUTSIDE):
            found[f"{_REFUSED_KEY}/outside"] = _joined(found.get(f"{_REFUSED_KEY}/outside"), each)
        return found


def quiet_period(context: DecisionContext) -> timedelta:
    """Return the quiet time that resolves an incident about payloads: Alertmanager repeats every group_interval."""
    return context.timing.late


def _changes(known: Mapping[str, History], effects: Sequence[Effects]) -> IncidentChanges:
    """Return the changes by effects that were decided from the newest incidents."""
    stored = {each.incident.id for each in known.values() if each.incident is not None}
    touched = [each.incident for each in effects if each.incident is not None]
    return IncidentChanges(
        effects=effects,
        added=[each for each in touched if each.id not in stored],
        changed=[each for each in touched if each.id in stored],
    )


def _opened(
    key: str,
    rule: str,
    what: str,
    reason: str,
    hold: str,
    until: datetime,
    context: DecisionContext,
    now: datetime,
    *,
    pages: bool,
    unknown: str,
    **decision: Any,
) -> list[Effects]:
    """Return an incident titled ``responder WHAT`` that is resolved at ``until`` because of ``hold``, and its messages.

    Where it ``pages``, it has the worst severity and goes to every channel, else it has the mildest and goes to the
    first channel that is read. ``decision`` are fields of its decision, ``unknown`` what its conclusion does not know.
    """
    severity, notified = context.worst, context.all_channels
    if not pages:
        severity = max(context.book.severities.values(), key=lambda severity: severity.priority)
        read = context.configured(readable(context.channels)[:1]) or context.configured(last_resort(context.channels))
        notified = list(read)
    incident = Incident(
        id=incident_id(key, int(now.timestamp())),
        dedup_key=key,
        open=True,
        severity=severity.name,
        rule=rule,
        title=f"[{severity.name}] responder {what}",
        reason=reason,
        channels=tuple(channel.name for channel in notified),
        opened_at=now,
        changed_at=now,
        revision=context.book.revision,
        resolve_reason=hold,
        resolve_at=until,
        review_at=until,
    )
    messages = messages_for(
        (incident.id, key), MessageKind.START, NO_FACTS, notified, priority=severity.priority, due_at=now
    )
    content = bare(incident, context.book)
    content = replace(
        content,
        decision=replace(content.decision, pages=pages, **decision),
        conclusion=Conclusion(unknown=f"{unknown}: no probe was run"),
    )
    return [Effects(outcome=reason, incident=incident, content=content, messages=messages)]


def _invalid(status: RulesStatus, history: History, context: DecisionContext, now: datetime) -> list[Effects]:
    """Return the effects of invalid rule files: an incident that opens or stays open. Pure."""
    before, until = history.incident, now + HOLD
    if before is not None and before.open:
        due = before.resolve_at is None or until - before.resolve_at >= _MOVED
        return [Effects(incident=replace(before, resolve_at=until, review_at=until))] if due else []
    if not status.kept and now - (status.refused_at or now) < AFTER:  # rules of the database are reported at once
        return []
    reason = sanitize_line(f"{status.note}; the first problem: {status.problem}", 300)
    return _opened(
        _INVALID_KEY,
        INVALID_RULE,
        "decides by an earlier revision of its rules",
        reason,
        "the rule files are valid again",
        until,
        context,
        now,
        pages=False,
        unknown="nothing",
        impact=reason,
        first_step="Run `responder rules check` and fix the files; responder reads them again when they change.",
    )


def _joined(before: Refusals | None, each: Refusals) -> Refusals:
    if before is None:
        return each
    newest = each if each.last_at >= before.last_at else before
    first = min(before.first_at, each.first_at)
    return replace(newest, count=before.count + each.count, first_at=first, alert=newest.alert or before.alert)


def _refused(
    key: str, history: History, found: Refusals, valid_at: datetime | None, context: DecisionContext, now: datetime
) -> list[Effects]:
    """Return the effects of refusals: an incident that opens, is extended or starts paging. Pure."""
    before, outside = history.incident, found.status in OUTSIDE
    until = found.last_at + (OUTSIDE_HOLD if outside else quiet_period(context))
    if before is None or not before.open:
        seen = before is not None and before.resolved_at is not None and found.last_at <= before.resolved_at
        return [] if seen or now - found.first_at < AFTER else _reported(key, found, until, context, now)
    moved = replace(before, resolve_at=until, review_at=until)
    alone = found.last_at - (valid_at or before.opened_at) >= OUTSIDE_HOLD and found.last_at - found.first_at >= AFTER
    others = [channel for channel in context.all_channels if channel.name not in before.channels]
    if outside and alone and any(channel.pages for channel in others):
        worst = context.worst.name
        why = f"no valid notification has arrived for an hour; {_summary(found)}"
        moved = replace(moved, severity=worst, title=f"[{worst}] responder refuses {_what(found)}")
        return [paged(moved, history.content, why, others, context, now)]
    return [Effects(incident=moved)] if before.resolve_at is None or until > before.resolve_at else []


def _reported(key: str, found: Refusals, until: datetime, context: DecisionContext, now: datetime) -> list[Effects]:
    outside = found.status in OUTSIDE
    step = "Read `responder rejects list` and `responder rejects show N`; look the alerts up in Alertmanager."
    if outside:
        step = "Compare the address and the token in the sender's configuration with responder's."
    return _opened(
        key,
        REFUSED_RULE,
        f"refuses {_what(found)}",
        _summary(found),
        f"nothing was refused for {int((until - found.last_at).total_seconds() // 60)} minutes",
        until,
        context,
        now,
        pages=not outside,
        unknown="which alerts fire",
        alertname=sanitize_line(found.alert, 80),
        impact=f"alerts are not delivered: {_summary(found)}",
        first_step=f"{step} Alertmanager repeats a refused notification every group_interval while its alerts fire.",
    )


def _what(found: Refusals) -> str:
    sender = sanitize_line(found.remote, 60) or "an unknown sender"
    named = f" (such as {sanitize_line(found.alert, 80)})" if found.alert else ""
    what = "requests" if found.status in OUTSIDE else "notifications"
    return f"{what} from {sender} with status {found.status}{named}"


def _summary(found: Refusals) -> str:
    count = number_of(found.count, "request" if found.status in OUTSIDE else "notification")
    error = sanitize_line(found.error, 200)
    return f"{count} refused since {found.first_at:%H:%M} UTC, the last with {found.status}: {error}"
