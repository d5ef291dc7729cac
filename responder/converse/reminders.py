"""Reminders of a missed response or update: when they are due, and their text. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from responder.model.clock import short_duration, time_of_day
from responder.model.report import Handling
from responder.model.rule import Severity
from responder.model.window import Window
from responder.triage.paging_windows import next_day_ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An open, firing incident as its reminders see it.

    ``since`` is when it opened or was reopened, ``updated_at`` when its last message was written, ``paged`` is True if
    a pager accepted its page, ``window`` is the paging window of its rule.
    """

    severity: Severity
    since: datetime
    handling: Handling
    updated_at: datetime | None = None
    paged: bool = False
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder that is due: of the response, or else of an update. ``handling`` is the incident's after it."""

    of_response: bool
    due_at: datetime
    text: str
    handling: Handling


def due(found: Standing, now: datetime) -> Reminder | None:
    """Return the reminder that is due at ``now``, at most one; None if there is none.

    Of an incident without acknowledgement only the response is late; its updates are, where its severity sets no time
    for the response. Each is reminded of once, until an acknowledgement or an update starts the time anew. A snooze
    postpones both.
    """
    handling = found.handling
    if handling.snoozed_until is not None and handling.snoozed_until > now:
        return None
    wanted = found.severity.reminders
    if not handling.acknowledged and found.paged and not wanted.paged:
        return None
    by = respond_by(found)
    if not handling.acknowledged and by is not None:
        if not wanted.response or by > now or _reminded(handling.response_reminded_at, since=_waits_since(found)):
            return None
        target = found.severity.response
        text = f"not acknowledged; the response was due at {time_of_day(by, seen_from=now)} ({target})"
        after = replace(handling, response_reminded_at=now)
        return Reminder(of_response=True, due_at=by, text=text, handling=after)
    last = _updated_at(found)
    by = last + timedelta(seconds=found.severity.next_update)
    if not wanted.update or by > now or _reminded(handling.update_reminded_at, since=last):
        return None
    took = f"acknowledged by {handling.acknowledged_by}; " if handling.acknowledged_by else ""
    text = (
        f"{took}no update since {time_of_day(last, seen_from=now)}; "
        f"the next one was due at {time_of_day(by, seen_from=now)}"
    )
    return Reminder(of_response=False, due_at=by, text=text, handling=replace(handling, update_reminded_at=now))


def respond_by(found: Standing) -> datetime | None:
    """Return when an acknowledgement is due; None if nothing sets a time.

    A severity without ``respond_within`` gives until the end of the next business day, by the severity's window or else
    that of the rule.
    """
    since = _waits_since(found)
    if found.severity.respond_within is not None:
        return since + timedelta(seconds=found.severity.respond_within)
    window = found.severity.reminders.window or found.window
    return next_day_ends(window, since) if window else None


def _waits_since(found: Standing) -> datetime:
    """Return when the incident began to wait for a response: it opened, or an acknowledgement was withdrawn."""
    return max(found.since, found.handling.taken_at or found.since)


def _updated_at(found: Standing) -> datetime:
    handling = found.handling
    known = (found.since, found.updated_at, handling.taken_at, handling.acknowledged_at, handling.snoozed_until)
    return max(each for each in known if each is not None)


def _reminded(at: datetime | None, *, since: datetime) -> bool:
    return at is not None and at >= since


def described(severity: Severity, window: Window | None) -> str:
    """Return the times of a severity, as ``rules explain`` shows them; ``window`` is the paging window of the rule."""
    wanted = severity.reminders
    days = wanted.window or window
    if severity.respond_within is not None:
        response = f"acknowledge within {short_duration(severity.respond_within)}"
    elif days is not None:
        response = f"acknowledge by the end of the next business day ({days.name})"
    else:
        response = "no time for the response: neither respond_within nor a window sets one"
    reminders = [name for name, on in (("response", wanted.response), ("update", wanted.update)) if on]
    said = f"reminders of: {', '.join(reminders) or 'nothing'}"
    escalated = ["the fallback channels of the team"] if wanted.next_contact else list(wanted.escalate)
    further = f"; escalates to {', '.join(escalated)}" if escalated else ""
    return f"{response}; update every {short_duration(severity.next_update)}; {said}{further}"
