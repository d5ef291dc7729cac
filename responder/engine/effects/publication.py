"""The effects of publishing an incident on its status pages: opened by the first text, updated by the next. Pure."""

from dataclasses import replace
from datetime import datetime

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, messages_for
from responder.model.action import Action
from responder.model.clock import LINE_LIMIT
from responder.model.content import IncidentContent
from responder.model.delivery import Effects
from responder.model.incident import Incident
from responder.model.report import MessageKind
from responder.model.text import clean, sanitize_line
from responder.notify.contract import Use

#: Characters of a text for a status page.
TEXT_LIMIT = 2000


def unpublishable(action: Action, incident: Incident, content: IncidentContent, context: DecisionContext) -> str:
    """Return why an incident cannot be published; empty if it can."""
    pages = context.configured(content.decision.publishable)
    if not pages:
        return "neither its severity nor its service names a status page (status_pages, components)"
    if all(each.name in incident.channels for each in pages) and not action.text.strip():
        return "it is on the status page; give the text of the update"
    return ""


def published(
    action: Action,
    incident: Incident,
    content: IncidentContent,
    outcome: str,
    context: DecisionContext,
    now: datetime,
) -> Effects:
    """Return the messages for the status pages and, as a note, for the notified channels that people read.

    A status page belongs to the incident's channels from then on: its resolution follows that of the incident.
    """
    severity = context.book.severities.get(incident.severity) or context.worst
    pages = context.configured(content.decision.publishable)
    new = [each for each in pages if each.name not in incident.channels]
    known = [each for each in pages if each.name in incident.channels]
    facts = replace(counts(incident), public=clean(action.text).strip()[:TEXT_LIMIT], public_status=action.target)
    outcome_facts = replace(counts(incident), update=sanitize_line(outcome, LINE_LIMIT))
    readers = [
        each for each in context.configured(incident.channels) if not each.pages and each.use is not Use.STATUS_PAGE
    ]
    priority = severity.priority
    messages = messages_for(incident, MessageKind.START, facts, new, priority=priority, due_at=now)
    messages += messages_for(incident, MessageKind.NOTE, facts, known, priority=priority, due_at=now)
    messages += messages_for(incident, MessageKind.NOTE, outcome_facts, readers, priority=priority, due_at=now)
    after = replace(incident, channels=(*incident.channels, *(each.name for each in new)))
    return Effects(outcome=outcome, incident=after, content=content, messages=messages)
