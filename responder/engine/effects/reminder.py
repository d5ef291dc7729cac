"""The effects of a reminder: one message in the incident's channels, and its page to further channels. Pure."""

from dataclasses import replace
from datetime import datetime

from responder.converse.reminders import Reminder
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, marked_as_paged, messages_for
from responder.model.clock import LINE_LIMIT
from responder.model.delivery import Effects
from responder.model.incident import Incident
from responder.model.report import IncidentContent, MessageKind
from responder.model.text import sanitize_line
from responder.notify.contract import Channel
from responder.notify.delivery.route import title
from responder.notify.report.content import bare, next_contact


def reminded(
    incident: Incident, before: IncidentContent | None, reminder: Reminder, context: DecisionContext, now: datetime
) -> Effects:
    """Return the reminder for the channels that do not page, and the page for those that it is escalated to."""
    content = before or bare(incident, context.book)
    severity = context.severity(incident.severity)
    teams = content.decision.teams
    further = _further(incident, teams, context) if reminder.of_response else []
    contact = next_contact(context.book, teams) if reminder.of_response and severity.reminders.next_contact else ""
    parts = (
        reminder.text,
        f"escalated to {' and '.join(title(each.name, context.channels) for each in further)}" if further else "",
        f"next contact: {contact}" if contact else "",
    )
    update = sanitize_line("; ".join(filter(None, parts)), LINE_LIMIT)
    facts = replace(counts(incident), update=update)
    known = [each for each in context.configured(incident.channels) if not each.pages]
    messages = messages_for(incident, MessageKind.REMINDER, facts, known, priority=severity.priority, due_at=now)
    messages += messages_for(incident, MessageKind.START, facts, further, priority=severity.priority, due_at=now)
    names = tuple(each.name for each in further)
    after = marked_as_paged(replace(incident, channels=(*incident.channels, *names)), names, context)
    decision = content.decision
    decision = replace(decision, pages=decision.pages or any(each.pages for each in further))
    handled = replace(content, decision=decision, handling=reminder.handling)
    return Effects(outcome=f"reminder: {update}", incident=after, content=handled, messages=messages)


def _further(incident: Incident, teams: tuple[str, ...], context: DecisionContext) -> list[Channel]:
    """Return the channels that an incident without a response is escalated to, except those that know it."""
    severity = context.severity(incident.severity)
    named = severity.reminders.escalate
    if severity.reminders.next_contact:
        fallback = (name for team in teams if team in context.book.teams for name in context.book.teams[team].fallback)
        named = (*named, *fallback)
    return [each for each in context.configured(dict.fromkeys(named)) if each.name not in incident.channels]
