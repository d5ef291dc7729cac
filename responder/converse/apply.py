"""The effect of an action on the handling of an incident. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from responder.model.action import Action, ActionKind
from responder.model.clock import time_of_day
from responder.model.report import OPEN_STATUSES, Handling
from responder.model.silence import Silenced, SilenceResult
from responder.model.text import sanitize_line

#: Characters of a note that messages show.
NOTE_LIMIT = 2000
#: Characters of a name.
NAME_LIMIT = 80
#: Seconds within which a second request for a draft is a double press.
DRAFT_SECONDS = 60
#: The name of an actor that an entry point does not name.
AUTOMATION = "automation"
_TAKING = frozenset({ActionKind.ACKNOWLEDGE, ActionKind.UNACKNOWLEDGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The handling after an action, and one sentence about it for the timeline.

    ``changed`` is False if the action changes nothing, since it was refused or had been done before: no channel is
    notified then. ``resolves`` is True if it resolves the incident, ``warns`` if people believe that something is done
    which is not: the channels are notified of that.
    """

    handling: Handling
    outcome: str
    changed: bool = True
    refused: bool = False
    resolves: bool = False
    warns: bool = False


def apply(
    action: Action,
    *,
    fires_since: datetime | None,
    handling: Handling,
    entry_title: str,
    now: datetime,
    silence: SilenceResult | None = None,
) -> Applied:
    """Return the effect of ``action`` on an incident. ``entry_title`` names its entry point in the sentence.

    ``fires_since`` is when the incident opened or was reopened, None if it is resolved. Only a note, a post-mortem
    and an archive are accepted after the resolve. An action that was done before changes nothing. Neither does one that
    is older than ``fires_since``: a vendor may report late what a person did about an earlier page with the same key.
    ``silence`` is what Alertmanager answered to an action about silences: the incident is as it says, whatever has
    happened since.
    """
    actor = name_of(action)
    by = f"by {actor} ({entry_title})" if entry_title else f"by {actor}"
    if action.kind is ActionKind.NOTE:
        text = sanitize_line(action.text, NOTE_LIMIT)
        if not text:
            return _refused(handling, "the note is empty")
        return Applied(handling=handling, outcome=f"note {by}: {text}")
    if action.kind is ActionKind.ARCHIVE:
        if fires_since is not None:
            return _refused(handling, "the incident is open")
        if handling.archived_by:
            return _unchanged(handling, f"its channel is already archived by {handling.archived_by}")
        archived = replace(handling, archived_by=actor)
        return Applied(handling=archived, outcome=f"channel of the incident archived {by}")
    if action.kind is ActionKind.POSTMORTEM:
        return _drafted(action, handling, by)
    if silence is not None:
        return _silenced(action, handling, by, silence, now)
    if fires_since is None:
        closed = "the incident is resolved"
        return _unchanged(handling, closed) if action.kind is ActionKind.RESOLVE else _refused(handling, closed)
    if action.at < fires_since:
        return _unchanged(handling, "it is about an earlier page")
    if action.kind in _TAKING and handling.taken_at is not None and action.at < handling.taken_at:
        return _unchanged(handling, "a later acknowledgement or release is known")
    match action.kind:
        case ActionKind.ACKNOWLEDGE:
            if handling.acknowledged:
                return _unchanged(handling, f"already acknowledged by {handling.acknowledged_by}")
            taken = replace(handling, acknowledged_by=actor, acknowledged_at=action.at, taken_at=action.at)
            return Applied(handling=taken, outcome=f"acknowledged {by}")
        case ActionKind.UNACKNOWLEDGE:
            if not handling.acknowledged:
                return _unchanged(handling, "it was not acknowledged")
            dropped = replace(
                handling, acknowledged_by="", acknowledged_at=None, snoozed_until=None, taken_at=action.at
            )
            how = f"withdrawn {by}" if action.actor else f"ended in {entry_title}"
            return Applied(handling=dropped, outcome=f"acknowledgement {how}")
        case ActionKind.SNOOZE:
            return _snoozed(action, handling, by, now)
        case ActionKind.REASSIGN:
            target = sanitize_line(action.target, NAME_LIMIT)
            if not target or target == handling.assigned_to:
                return _unchanged(handling, f"already assigned to {target}" if target else "no assignee")
            return Applied(handling=replace(handling, assigned_to=target), outcome=f"assigned to {target} {by}")
        case ActionKind.PRIORITY:
            target = sanitize_line(action.target, NAME_LIMIT)
            if target == handling.priority:
                return _unchanged(handling, "the priority is the same")
            said = f"priority {target} set" if target else "priority removed"
            return Applied(handling=replace(handling, priority=target), outcome=f"{said} {by}")
        case ActionKind.PUBLISH:
            if action.target and action.target not in OPEN_STATUSES:
                return _refused(handling, f"the status is none of {', '.join(OPEN_STATUSES)}")
            what = f"published on the status page{f' as {action.target.lower()}' if action.target else ''}"
            said = sanitize_line(action.text, NOTE_LIMIT)
            if said and handling.published == f"{action.target}: {said}":
                return _unchanged(handling, "the same text was published last")
            shown = replace(handling, published=f"{action.target}: {said}")
            return Applied(handling=shown, outcome=f"{what} {by}{f': {said}' if said else ''}")
        case ActionKind.RESOLVE:
            why = sanitize_line(action.text, NOTE_LIMIT)
            return Applied(handling=handling, outcome=f"resolved {by}{f': {why}' if why else ''}", resolves=True)
        case ActionKind.SILENCE | ActionKind.UNSILENCE:
            return _refused(handling, "no Alertmanager was asked")


def name_of(action: Action) -> str:
    """Return the name of the person who acted, as one line."""
    return sanitize_line(action.actor, NAME_LIMIT) or AUTOMATION


def _snoozed(action: Action, handling: Handling, by: str, now: datetime) -> Applied:
    if action.until is None or action.until <= now:
        return _refused(handling, "the end of the snooze is in the past")
    if handling.snoozed_until == action.until:
        return _unchanged(handling, "already snoozed until then")
    taken = handling.acknowledged_by or name_of(action), handling.acknowledged_at or action.at
    after = replace(handling, acknowledged_by=taken[0], acknowledged_at=taken[1], snoozed_until=action.until)
    return Applied(handling=after, outcome=f"snoozed until {time_of_day(action.until, seen_from=now)} {by}")


def _drafted(action: Action, handling: Handling, by: str) -> Applied:
    last = handling.drafted_at
    if last is not None and abs((action.at - last).total_seconds()) < DRAFT_SECONDS:
        return _unchanged(handling, "a draft of the post-mortem was posted less than a minute before")
    said = f"draft of the post-mortem requested {by}" if action.actor else "draft of the post-mortem posted"
    return Applied(handling=replace(handling, drafted_at=action.at), outcome=said)


def _silenced(action: Action, handling: Handling, by: str, result: SilenceResult, now: datetime) -> Applied:
    """Return the state that Alertmanager has confirmed, or that the incident is NOT silenced and why."""
    ends = action.kind is ActionKind.UNSILENCE
    if result.problem or (action.until is None and not ends):
        failed = "silence NOT expired" if ends else "NOT silenced"
        outcome = f"{failed}, as asked {by}: {result.problem}"
        return Applied(handling=handling, outcome=outcome, changed=False, refused=True, warns=True)
    if ends:
        after = replace(handling, silence=None)
        if not result.ids and handling.silence is None:
            return _unchanged(after, "responder has not silenced it")
        return Applied(handling=after, outcome=f"silence expired {by}{result.note}")
    known = handling.silence
    if known is not None and (known.until, known.ids) == (action.until, result.ids):
        return _unchanged(handling, "already silenced until then")
    after = replace(
        handling, silence=Silenced(by=name_of(action), at=action.at, until=action.until or now, ids=result.ids)
    )
    why = sanitize_line(action.text, NOTE_LIMIT)
    until = time_of_day(action.until or now, seen_from=now)
    return Applied(handling=after, outcome=f"silenced {by} until {until}{f': {why}' if why else ''}{result.note}")


def _unchanged(handling: Handling, why: str) -> Applied:
    return Applied(handling=handling, outcome=f"no change: {why}", changed=False)


def _refused(handling: Handling, why: str) -> Applied:
    return Applied(handling=handling, outcome=f"refused: {why}", changed=False, refused=True)
