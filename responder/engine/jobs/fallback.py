"""The fallback job: sends pages that their channel does not accept to the next fallback channel, until one accepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, messages_for
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.clock import duration_in_minutes
from responder.model.delivery import Effects, IncidentChanges
from responder.model.incident import Incident
from responder.model.report import MessageKind
from responder.model.text import sanitize_line
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel
from responder.notify.delivery.route import in_order, is_known, last_resort, title
from responder.store.incidents import incidents
from responder.store.outbox import undelivered
from responder.store.outbox.undelivered import UndeliveredMessage

#: Factor of the wait for pages that are not of the worst severity.
LESSER = 5.0
#: Characters of the reason of a fallback.
REASON_LIMIT = 500


_log = structlog.get_logger()

EVERY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class FallbackStep:
    """Send a page through ``channel`` as well, because of ``reason``; the first message stays in the outbox."""

    page: UndeliveredMessage
    channel: str
    reason: str


def trouble(page: UndeliveredMessage, name: str, limit: float, now: datetime) -> str:
    """Return why a page on the channel titled ``name`` takes a fallback; empty if it does not yet. Pure.

    ``limit`` is the wait in seconds for the worst severity. For a channel that is known to be down the first failed
    attempt is enough. A page that only waits behind others, on a channel that accepts them, stays where it is.
    """
    limit = limit if page.message.priority <= 1 else limit * LESSER
    said = sanitize_line(page.error, 200) or "no response"
    waited = (now - page.written_at).total_seconds()
    down = (now - page.failing_since).total_seconds() if page.failing_since else 0.0
    if page.dead:
        return f"{name} rejected this page: {said}"
    if waited >= limit and page.error:
        return f"{name} has not accepted this page for {duration_in_minutes(waited)}: {said}"
    return f"{name} has accepted nothing for {duration_in_minutes(down)}: {said}" if down >= limit else ""


def after(channel: str, usable: Sequence[str], order: Sequence[str]) -> str:
    """Return the channel of ``usable``, which are in their order, that follows ``channel``; empty for none.

    A channel that is not configured any more is followed by what would follow it in the whole ``order``.
    """
    if channel in usable:
        left = usable[usable.index(channel) + 1 :]
    else:
        passed = order[: order.index(channel)] if channel in order else ()
        left = [name for name in usable if name not in passed]
    return next(iter(left), "")


def fallback_history(before: str, reason: str) -> str:
    """Return the reasons of all fallback steps so far, in order."""
    return sanitize_line("; then ".join(filter(None, (before, reason))), REASON_LIMIT)


def planned_fallbacks(
    pages: Sequence[UndeliveredMessage], context: DecisionContext, limit: float, now: datetime
) -> list[FallbackStep]:
    """Return those pages for which a fallback is due. Pure."""
    steps = []
    for page in pages:
        channel = context.channels.get(page.message.channel) or CHANNELS.get(page.message.channel_kind)
        if channel is not None and channel.is_additional():
            continue
        reason = trouble(page, title(page.message.channel, context.channels, page.message.channel_kind), limit, now)
        usable, order = _chain(page, context)
        if reason and (following := after(page.message.channel, _ways_of(page, usable, context), order)):
            steps.append(FallbackStep(page, following, reason))
    return steps


def _chain(page: UndeliveredMessage, context: DecisionContext) -> tuple[Sequence[str], Sequence[str]]:
    """Return the channels that a page may fall back to, and all in their order: those of its teams go first.

    They are the fallbacks of the teams whose channel it is on, or of all its teams.
    """
    known = [
        context.book.teams[name]
        for name in (page.decision.teams if page.decision else ())
        if name in context.book.teams
    ]
    here = [team for team in known if page.message.channel in (*team.channels, *team.fallback)] or known
    own = [name for team in here for name in team.fallback]
    usable = dict.fromkeys((*(each.name for each in context.configured(own)), *every_way(context.channels)))
    return tuple(usable), tuple(dict.fromkeys((*own, *in_order(context.channels))))


def _ways_of(page: UndeliveredMessage, usable: Sequence[str], context: DecisionContext) -> Sequence[str]:
    """Return the channels that a page may fall back to. A message that no pager was to send falls back to no pager.

    Nor does the page of a resolved incident: it is to be read, and must not page. A first message that has no fallback
    yet may go to any channel but the one that rejected it, whatever their order.
    """
    if page.message.channel not in context.pagers and page.message.kind is not MessageKind.FALLBACK:
        usable = [name for name in usable if name != page.message.channel]
    if page.resolved:
        return [each.name for each in context.configured(usable) if not each.pages]
    if _reaches_on_call(page, context):
        return usable
    return [each.name for each in context.configured(usable) if not each.pages and not each.is_fallback_only]


def _reaches_on_call(page: UndeliveredMessage, context: DecisionContext) -> bool:
    """Return True if on-call is to be paged by it. Without a pager, that is what its rule would have done."""
    if page.resolved:
        return False
    pagers, kind = context.pagers, page.message.channel_kind
    if page.message.channel in pagers or kind in pagers:
        return True
    if page.decision and page.decision.pages and not kind and not is_known(page.message.channel, context.channels):
        return True  # written by an earlier version, of a removed channel: it may have been a pager
    decision = page.decision
    if decision is None or page.message.kind is MessageKind.FALLBACK or not decision.pages:
        return page.message.facts.reaches_on_call and (decision is None or decision.pages)
    quiet = any(rule.id == decision.rule and pagers.isdisjoint(rule.reaches) for rule in context.book.rules)
    return pagers.isdisjoint(context.channels) and not quiet


def effects_of(
    taken: Sequence[FallbackStep],
    known: Mapping[str, Incident],
    context: DecisionContext,
    now: datetime,
) -> IncidentChanges:
    """Return the fallback messages, and the incidents with the channels that are now notified of them. Pure.

    An incident records its notified channels, so that its resolve reaches all of them.
    """
    moved: dict[str, Incident] = {}
    effects = []
    for each in taken:
        page, channel = each.page, context.channels[each.channel]
        message = page.message
        incident = moved.get(message.incident, known.get(message.incident))
        if incident is not None and channel.name not in incident.channels:
            incident = replace(incident, channels=(*incident.channels, channel.name))
            moved[message.incident] = incident
        facts = replace(
            counts(incident) if incident else message.facts,
            fallback_reason=fallback_history(message.facts.fallback_reason, each.reason),
            reaches_on_call=_reaches_on_call(page, context),
        )
        if page.resolved:
            facts = replace(facts, update="resolved before any channel accepted its page")
        own = (message.incident, message.ordering_key)
        messages = messages_for(own, MessageKind.FALLBACK, facts, [channel], priority=message.priority, due_at=now)
        effects.append(
            Effects(
                outcome=each.reason,
                incident=incident,
                messages=tuple(replace(each, replaces=page.id) for each in messages),
            )
        )
    return IncidentChanges(effects=effects, changed=list(moved.values()))


@dataclass(frozen=True, slots=True)
class FallbackJob(IncidentJob):
    """Sends stuck pages to fallback channels; ``limit`` is how long the worst severity may be stuck, in seconds."""

    limit: float

    def is_due(self, connection: Connection) -> bool:
        """Return True if a fallback is due."""
        return bool(self._taken(connection))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Return the fallback messages."""
        taken = self._taken(connection)
        named = {each.page.message.incident for each in taken}
        known = {name: found for name in named if (found := incidents.find(connection, name))}
        return effects_of(taken, known, self.context(), self.clock.now())

    def log(self, effects: Effects) -> None:
        """Log each fallback message."""
        for message in effects.messages:
            _log.error(
                "page.fallback",
                incident=message.incident,
                channel=message.channel,
                stands_in_for=message.replaces,
                reason=effects.outcome,
            )

    def _taken(self, connection: Connection) -> list[FallbackStep]:
        context = self.context()
        usable, order = every_way(context.channels), in_order(context.channels)
        # A page on the last channel has no further fallback and must not block others.
        fallbacks = {name for name in order if after(name, usable, order)}
        fallbacks |= {name for team in context.book.teams.values() for name in team.fallback}
        last = last_resort(context.channels)
        return planned_fallbacks(
            undelivered.pages(connection, context.pagers, fallbacks, last), context, self.limit, self.clock.now()
        )


def ways(channels: Mapping[str, Channel]) -> tuple[str, ...]:
    """Return the channels that call on-call, in the fallback order."""
    return tuple(name for name in in_order(channels) if name in channels and channels[name].reaches_on_call)


def every_way(channels: Mapping[str, Channel]) -> tuple[str, ...]:
    """Return the channels that call on-call, then those where a page is at least visible."""
    waking = ways(channels)
    return (*waking, *(name for name in in_order(channels) if name in channels and name not in waking))
