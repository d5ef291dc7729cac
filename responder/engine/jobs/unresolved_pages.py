"""Request a manual resolve of a page when the paging channel rejected its resolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import messages
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


def tell(
    refused: Sequence[UnresolvedPage], known: Mapping[str, Incident], desk: DecisionContext, now: datetime
) -> IncidentChanges:
    """Return the messages about rejected resolves, for all notified channels that do not page. Pure."""
    return IncidentChanges(effects=[_told(each, known.get(each.draft.incident), desk, now) for each in refused])


def _told(each: UnresolvedPage, incident: Incident | None, desk: DecisionContext, now: datetime) -> Effects:
    draft = each.draft
    facts = replace(draft.facts, update=_to_do(each, title(draft.channel, desk.channels)))
    notified = desk.configured(incident.channels if incident else ())
    to = [channel for channel in notified if not channel.pages] or desk.configured(readable(desk.channels)[:1])
    drafts = messages(draft.incident, draft.stream, MessageKind.UNCLOSED, facts, to, rank=draft.rank, due_at=now)
    return Effects(
        outcome=facts.update,
        incident=incident,
        drafts=tuple(replace(draft, origin=None if place else each.id) for place, draft in enumerate(drafts)),
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
        return bool(undelivered.unclosed(connection, self.desk().pagers))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Return a message about each rejected resolve."""
        refused = undelivered.unclosed(connection, self.desk().pagers)
        known = {each.draft.incident: incidents.find(connection, each.draft.incident) for each in refused}
        found = {name: incident for name, incident in known.items() if incident is not None}
        return tell(refused, found, self.desk(), self.clock.now())

    def log(self, effects: Effects) -> None:
        """Log the rejected resolve."""
        incident, told = effects.drafts[0].incident if effects.drafts else "", [each.channel for each in effects.drafts]
        _log.error("incident.unclosed", incident=incident, told=told, why=effects.outcome)
