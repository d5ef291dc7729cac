"""Sends one reminder of each missed response and update: a deadline missed while no process ran is reminded of late."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

import structlog
from sqlalchemy import Connection

from responder.converse.reminders import Reminder, Standing, due
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, marked_as_paged, messages_for
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.clock import LINE_LIMIT
from responder.model.delivery import Effects, IncidentChanges
from responder.model.incident import Incident
from responder.model.report import IncidentContent, MessageKind
from responder.model.rule import Severity
from responder.model.text import sanitize_line
from responder.notify.contract import Channel
from responder.notify.delivery.route import title
from responder.notify.report.content import bare, next_contact
from responder.store.incidents import incidents, pending

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)
#: Reminders per run: many incidents that are late at once do not fill the rate limits of their channels.
BATCH = 20


class ReminderJob(IncidentJob):
    """Reminds of incidents without a response or an update in time."""

    def is_due(self, connection: Connection) -> bool:
        """Return True if a reminder is due."""
        return bool(self._due(connection, self.context(), self.clock.now()))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Remind of a batch of incidents, the oldest first."""
        context, now = self.context(), self.clock.now()
        found = dict(islice(self._due(connection, context, now).items(), BATCH))
        contents = incidents.contents_of(connection, found)
        known = {name: incidents.find(connection, name) for name in found}
        effects = [
            reminded(incident, contents.get(name), found[name], context, now)
            for name, incident in known.items()
            if incident is not None
        ]
        return IncidentChanges.of(effects)

    def log(self, effects: Effects) -> None:
        """Log a reminder."""
        if effects.incident is not None:
            notified = sorted({each.channel for each in effects.messages})
            _log.info("incident.reminded", incident=effects.incident.id, notified=notified, why=effects.outcome)

    def _due(self, connection: Connection, context: DecisionContext, now: datetime) -> Mapping[str, Reminder]:
        """Return the reminders that are due, by incident, the oldest incident first."""
        severities = context.book.severities
        late = pending.candidates(connection, {name: now - _first(each) for name, each in severities.items()})
        windows = {rule.id: rule.pages_in for rule in context.book.rules}
        standing = {
            each.incident: Standing(
                severity=severities[each.severity],
                since=each.since,
                handling=each.handling,
                window=windows.get(each.rule, {}).get(each.severity),
            )
            for each in late
        }
        # Most candidates were reminded already, or are acknowledged: their messages need not be read.
        possible = {name: each for name, each in standing.items() if due(each, now) is not None}
        updated = pending.last_messages(connection, possible) if possible else {}
        paged = pending.paged(connection, possible, context.pagers) if possible else {}
        found = {
            name: due(replace(each, updated_at=updated.get(name), paged=_since(paged.get(name), each)), now)
            for name, each in possible.items()
        }
        return {name: reminder for name, reminder in found.items() if reminder is not None}


def _since(paged: datetime | None, standing: Standing) -> bool:
    """Return True if a pager accepted a page of the incident since it opened or was reopened."""
    return paged is not None and paged >= standing.since


def _first(severity: Severity) -> timedelta:
    """Return how long after its start an incident may be late at the earliest."""
    return timedelta(seconds=min(filter(None, (severity.respond_within, severity.next_update)), default=0.0))


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
