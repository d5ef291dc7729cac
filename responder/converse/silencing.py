"""Silences that people ask for: which matchers, until when, with which comment. Pure.

A payload names only the incident and a time. The matchers are the labels of the incident's groups, as Alertmanager
sent them, each an equality.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from responder.converse.apply import name_of
from responder.model.action import Action
from responder.model.alert import FINGERPRINT
from responder.model.clock import duration_in_minutes
from responder.model.incident import Incident
from responder.model.report import IncidentContent
from responder.model.rule import RuleBook
from responder.model.silence import Matchers, SilenceOrder, marker
from responder.model.text import number_of, sanitize_line, seconds_of
from responder.model.window import TimeRange, Window
from responder.triage.paging_windows import opens

#: Shortest and longest silence, in seconds.
SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 30 * 86400.0
#: Groups of an incident that are silenced together; more are probably not what the person meant.
MOST_GROUPS = 20
_BUSINESS_HOURS = Window(
    name="business hours", zone=ZoneInfo("UTC"), days=frozenset(range(5)), spans=(TimeRange(time(9), time(17)),)
)
#: Characters of a person's reason in a silence's comment.
_REASON_LIMIT = 500


class CannotSilenceError(ValueError):
    """The incident cannot be silenced; the text is the reason, one line."""


def groups_of(incident: Incident, content: IncidentContent | None) -> tuple[Matchers, ...]:
    """Return the matchers of an incident's silences, one set for each group with firing alerts.

    Raises CannotSilenceError.
    """
    firing = [name for name, known in incident.alerts.items() if known.ends_at is None]
    if not any(FINGERPRINT.fullmatch(name) for name in firing or incident.alerts):
        raise CannotSilenceError("its alerts are not in Alertmanager")
    own = {incident.gathered[name].group for name in firing if name in incident.gathered} or {incident.dedup_key}
    labels = content.alerts.groups if content is not None else {}
    if len(own) > MOST_GROUPS:
        raise CannotSilenceError(
            f"it has {number_of(len(own), 'group')}, and at most {MOST_GROUPS} are silenced together"
        )
    if unknown := own - labels.keys():
        raise CannotSilenceError(
            f"the labels of {number_of(len(unknown), 'group')} are not stored (an earlier version opened it);"
            " silence it in Alertmanager"
        )
    found = [{name: value for name, value in labels[key].items() if name and value} for key in sorted(own)]
    if not all(found):
        raise CannotSilenceError("a group of it has no labels (group_by is empty): a silence would mute everything")
    return tuple(sorted(found, key=lambda each: sorted(each.items())))


def order(action: Action, incident: Incident, content: IncidentContent | None, link: str) -> SilenceOrder:
    """Return the silence that an action asks for. ``link`` is an address of the incident. Raises CannotSilenceError."""
    if action.until is None:
        raise CannotSilenceError("it has no end")
    return SilenceOrder(
        cluster=incident.cluster,
        groups=groups_of(incident, content),
        own=frozenset(incident.alerts),
        confirmed=int(action.target) if action.target.isdecimal() and len(action.target) < 10 else 0,
        by=name_of(action),
        comment=comment(incident, action.text, link),
        marker=marker(incident.id),
        until=action.until,
    )


def comment(incident: Incident, reason: str, link: str) -> str:
    """Return the comment of a silence: the reason, the title and link of the incident, the marker."""
    parts = (sanitize_line(reason, _REASON_LIMIT), sanitize_line(incident.title, 200), link)
    return f"{' · '.join(filter(None, parts))} {marker(incident.id)}"


def time_problem(until: datetime | None, now: datetime) -> str:
    """Return why a silence cannot last until then; empty if it can."""
    seconds = (until - now).total_seconds() if until else 0.0
    if seconds < SHORTEST_SECONDS:
        return f"a silence lasts at least {duration_in_minutes(SHORTEST_SECONDS)}"
    if seconds > LONGEST_SECONDS:
        return f"a silence lasts at most {LONGEST_SECONDS / 86400:.0f} days"
    return ""


def end_of(duration: str, now: datetime) -> datetime:
    """Return the end of a silence of a duration such as ``2h30m``. Raises ValueError with what to write."""
    seconds = seconds_of("".join(duration.split()).lower())
    end = now + timedelta(seconds=min(seconds, 2 * LONGEST_SECONDS))
    if problem := time_problem(end, now):
        raise ValueError(problem)
    return end


def next_morning(book: RuleBook, now: datetime) -> datetime:
    """Return when business hours begin next: those of the rules' paging window, else Monday to Friday at 09:00 UTC."""
    windows = {window.name: window for rule in book.rules for window in rule.pages_in.values()}
    window = windows[min(windows)] if windows else _BUSINESS_HOURS
    return opens(window, now) or now + timedelta(days=1)
