"""Request a manual resolve of a page when the paging channel rejected its resolve."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import messages_for
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.delivery import Effects, IncidentChanges
from responder.model.incident import Incident
from responder.model.report import MessageKind
from responder.notify.delivery.route import readable, title
from responder.store.incidents import incidents
from responder.store.outbox import undelivered
from responder.store.outbox.undelivered import UnresolvedPage

_log = structlog.get_logger()

EVERY = timedelta(seconds=5)


def resolve_manually_messages(
    refused: Sequence[UnresolvedPage], known: Mapping[str, Incident], context: DecisionContext, now: datetime
) -> IncidentChanges:
    """Return the messages about rejected resolves, for all notified channels that do not page. Pure."""
    return IncidentChanges(
        effects=[_resolve_manually(each, known.get(each.message.incident), context, now) for each in refused]
    )


def _resolve_manually(
    each: UnresolvedPage, incident: Incident | None, context: DecisionContext, now: datetime
) -> Effects:
    message = each.message
    name = title(message.channel, context.channels, message.channel_kind)
    facts = replace(message.facts, update=_to_do(each, name))
    notified = context.configured(incident.channels if incident else ())
    to = [channel for channel in notified if not channel.pages] or context.configured(readable(context.channels)[:1])
    messages = messages_for(
        (message.incident, message.ordering_key), MessageKind.UNCLOSED, facts, to, priority=message.priority, due_at=now
    )
    return Effects(
        outcome=facts.update,
        incident=incident,
        messages=tuple(replace(message, replaces=None if place else each.id) for place, message in enumerate(messages)),
    )


def _to_do(each: UnresolvedPage, name: str) -> str:
    return (
        f"{name} rejected the resolve of this incident ({each.error}) and keeps paging: resolve it there manually, or "
        f"fix the cause and run `responder messages resend {each.id}`"
    )


class UnresolvedPagesJob(IncidentJob):
    """Sends a message about each resolve that a pager refused."""

    def is_due(self, connection: Connection) -> bool:
        """Return True if a pager rejected a resolve and no message reports it yet."""
        return bool(undelivered.rejected_resolves(connection, self.context().pagers))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Return a message about each rejected resolve."""
        refused = undelivered.rejected_resolves(connection, self.context().pagers)
        known = {each.message.incident: incidents.find(connection, each.message.incident) for each in refused}
        found = {name: incident for name, incident in known.items() if incident is not None}
        return resolve_manually_messages(refused, found, self.context(), self.clock.now())

    def log(self, effects: Effects) -> None:
        """Log the rejected resolve."""
        incident, notified = (
            effects.messages[0].incident if effects.messages else "",
            [each.channel for each in effects.messages],
        )
        _log.error("incident.resolve_rejected", incident=incident, notified=notified, why=effects.outcome)
