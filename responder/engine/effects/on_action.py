"""The effects of an action of a person on an incident. Pure: the incident writer commits them."""

from dataclasses import dataclass, replace
from datetime import datetime

from responder.converse.apply import NOTE_LIMIT, Applied, apply
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, messages_for
from responder.engine.effects.without_notification import resolved
from responder.model.action import SILENCING, Action, ActionKind
from responder.model.clock import LINE_LIMIT
from responder.model.delivery import Effects
from responder.model.incident import Incident
from responder.model.message import OutboxMessage
from responder.model.report import IncidentContent, MessageKind
from responder.model.silence import SilenceResult
from responder.model.text import clean, sanitize_line
from responder.notify.contract import Channel, Use
from responder.notify.delivery.route import is_known
from responder.notify.delivery.route import title as channel_title
from responder.notify.report.content import bare

#: Names of the entry points that are not channels.
ENTRY_TITLES = {"cli": "command line", "api": "API", "console": "console", "responder": "responder"}
_KINDS = {
    ActionKind.ACKNOWLEDGE: MessageKind.ACKNOWLEDGED,
    ActionKind.SNOOZE: MessageKind.ACKNOWLEDGED,
    ActionKind.NOTE: MessageKind.NOTE,
    ActionKind.POSTMORTEM: MessageKind.POSTMORTEM,
    ActionKind.ARCHIVE: MessageKind.ARCHIVE,
}
#: Messages for people only: no pager gets them.
_FOR_READERS = frozenset({MessageKind.UPDATE, MessageKind.POSTMORTEM})
#: Characters of a text for a status page.
TEXT_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft of a post-mortem, and the sentence about it."""

    text: str
    about: str


NO_DRAFT = Draft("", "")


def on_action(
    action: Action,
    incident: Incident | None,
    content: IncidentContent | None,
    context: DecisionContext,
    now: datetime,
    *,
    draft: Draft = NO_DRAFT,
    silence: SilenceResult | None = None,
) -> Effects:
    """Return the effects of an action: the next state of the incident, and one message for each notified channel.

    ``draft`` is what an action of kind POSTMORTEM asks for, ``silence`` what Alertmanager answered to one about
    silences. The channel that the action came from does not get it back: its vendor did the same already.
    """
    if incident is None:
        return Effects(
            outcome=f"refused: no incident {sanitize_line(action.incident, 40)}", action=(action.id, "refused")
        )
    before = content or bare(incident, context.book)
    applied = apply(
        action,
        fires_since=(incident.reopened_at or incident.opened_at) if incident.open else None,
        handling=before.handling,
        entry_title=_entry_title(action.entry, context),
        now=now,
        silence=silence,
    )
    done = (action.id, "applied" if applied.changed else "refused" if applied.refused else "unchanged")
    after = replace(before, handling=applied.handling)
    if action.kind is ActionKind.PUBLISH and applied.changed:
        if why := unpublishable(action, incident, before, context):
            return Effects(outcome=f"refused: {why}", action=(action.id, "refused"))
        return replace(published(action, incident, after, applied.outcome, context, now), action=done)
    if not applied.changed and not applied.warns:
        return Effects(outcome=applied.outcome, action=done)
    if applied.resolves:
        return replace(_resolved(action, incident, after, applied, context, now), action=done)
    messages = _messages(action, incident, applied, draft, context, now)
    return Effects(outcome=applied.outcome, incident=incident, content=after, messages=messages, action=done)


def _messages(
    action: Action, incident: Incident, applied: Applied, draft: Draft, context: DecisionContext, now: datetime
) -> tuple[OutboxMessage, ...]:
    update = sanitize_line(draft.about or applied.outcome, LINE_LIMIT)
    facts = replace(counts(incident), update=update, draft=draft.text)
    priority = context.severity(incident.severity).priority
    silencing = action.kind in SILENCING
    is_note = applied.warns or (silencing and not incident.open)
    messages: tuple[OutboxMessage, ...] = ()
    for channel in context.configured(incident.channels):
        usual = _KINDS.get(action.kind, MessageKind.UPDATE)
        kind = MessageKind.NOTE if is_note or (silencing and channel.pages) else usual
        if _is_notified(channel, action, kind):
            messages += messages_for(incident, kind, facts, [channel], priority=priority, due_at=now)
    if action.kind is not ActionKind.POSTMORTEM:
        messages += _noted(action, incident, applied, context, now)
    return messages


def _resolved(
    action: Action,
    incident: Incident,
    content: IncidentContent,
    applied: Applied,
    context: DecisionContext,
    now: datetime,
) -> Effects:
    """Return the resolve by a person, for all channels.

    The pager that it came from gets it, too: an earlier message that still waits for that pager would open an incident
    there anew. A resolve of what is resolved changes nothing.
    """
    over = resolved(incident, content, applied.outcome, context, now)
    messages = tuple(
        replace(each, facts=replace(each.facts, resolution=applied.outcome, ended_at=now)) for each in over.messages
    )
    messages += _noted(action, incident, applied, context, now)
    return replace(over, content=content, messages=messages)


def _noted(
    action: Action, incident: Incident, applied: Applied, context: DecisionContext, now: datetime
) -> tuple[OutboxMessage, ...]:
    """Return the note of an action at the vendors that page, unless the action came from there."""
    entry = context.companions([action.entry])
    companions = [each for each in context.companions(incident.channels) if each not in entry]
    severity = context.severity(incident.severity)
    facts = replace(counts(incident), update=sanitize_line(applied.outcome, NOTE_LIMIT))
    return messages_for(incident, MessageKind.NOTE, facts, companions, priority=severity.priority, due_at=now)


def _is_notified(channel: Channel, action: Action, kind: MessageKind) -> bool:
    """Return True if a channel is notified of an action.

    A pager is notified of an acknowledgement and of a note, which do not page, unless its own vendor took it.
    """
    if channel.use is Use.STATUS_PAGE or kind is MessageKind.ARCHIVE:
        return kind is MessageKind.ARCHIVE and channel.use is Use.ROOM
    return not channel.pages or (kind not in _FOR_READERS and channel.name != action.entry)


def _entry_title(entry: str, context: DecisionContext) -> str:
    if entry in ENTRY_TITLES:
        return ENTRY_TITLES[entry]
    return channel_title(entry, context.channels) if is_known(entry, context.channels) else entry


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
    severity = context.severity(incident.severity)
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
