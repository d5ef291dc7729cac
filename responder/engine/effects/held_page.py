"""The pages that a paging window holds, and their release when it opens. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.on_notification import page_late
from responder.engine.effects.page import UNPAGED, still_fires
from responder.engine.effects.without_notification import paged
from responder.model.delivery import Effects, Notification
from responder.model.incident import Incident
from responder.model.report import IncidentContent
from responder.model.rule import RuleBook
from responder.model.window import Window
from responder.notify.contract import Channel
from responder.receive.alertmanager import read
from responder.triage.decide import decide
from responder.triage.lifecycle import without_dropped, without_outdated
from responder.triage.paging_windows import is_open, opens

_log = structlog.get_logger()

#: The windows of rules that page, by the rule's id and the severity's name. A severity without one always pages.
Windows = Mapping[str, Mapping[str, Window]]


def windows_of(context: DecisionContext) -> Windows:
    """Return the windows of the rules in force. Rules without a pager have none: nothing holds their messages."""
    pagers = context.pagers
    return {rule.id: rule.pages_in for rule in context.book.rules if not pagers.isdisjoint(rule.reaches)}


def window_of(incident: Incident, windows: Windows, pagers: Collection[str]) -> Window | None:
    """Return the window that an incident without a page waits for; None if it waits for none."""
    fires = (
        incident.open
        and not incident.resolve_reason
        and any(known.ends_at is None for known in incident.alerts.values())
    )
    if not fires or incident.silenced or not incident.channels or any(name in pagers for name in incident.channels):
        return None
    return windows.get(incident.rule, {}).get(incident.severity)


def opens_for(incident: Incident, windows: Windows, pagers: Collection[str]) -> datetime | None:
    """Return when that window first opens after the last change of the incident; None if it waits for none."""
    window = window_of(incident, windows, pagers)
    return opens(window, incident.changed_at) if window else None


def due(kinds: Collection[tuple[str, str]], windows: Windows, book: RuleBook, now: datetime) -> list[tuple[str, str]]:
    """Return the rules and severities, of incidents that were not paged, to re-evaluate now, the worst first. Pure.

    A rule or a severity that no longer exists is included: its replacement may page.
    """
    known = {rule.id for rule in book.rules}
    found = [
        (rule, name)
        for rule, name in kinds
        if name not in book.severities
        or (book.severities[name].pages and (rule not in known or _pages_now(windows.get(rule), name, now)))
    ]
    priority = {name: severity.priority for name, severity in book.severities.items()}
    return sorted(found, key=lambda kind: (priority.get(kind[1], 0), kind))


def _pages_now(windows: Mapping[str, Window] | None, severity: str, now: datetime) -> bool:
    """Return True if a rule with these windows pages now; ``windows`` is None for a rule without a pager."""
    if windows is None:
        return False
    window = windows.get(severity)
    return window is None or is_open(window, now)


def page_now(
    incident: Incident,
    notification: Notification | None,
    before: IncidentContent | None,
    context: DecisionContext,
    now: datetime,
) -> Effects | None:
    """Return the page of an incident whose window has opened, made from its last notification.

    If that notification leads to no page (it is no longer stored, lists only resolved alerts, or triage fails on it),
    the page is made from the incident's content; likewise if the rules or settings had no pager when the incident
    opened. None if removed rules held the page and the current rules decide the same. Pure.
    """
    windows = windows_of(context)
    known = incident.severity in context.book.severities and any(
        rule.id == incident.rule for rule in context.book.rules
    )
    if known and incident.rule not in windows:
        return None
    window = window_of(incident, windows, context.pagers)
    why = still_fires(window.name) if window else f"{UNPAGED}; still firing"
    effects = _judged_anew(incident, notification, before, why, context, now)
    if (
        effects is not None
        and effects.incident is not None
        and not context.pagers.isdisjoint(effects.incident.channels)
    ):
        return effects
    if known:
        return paged(incident, before, why, pagers_of(incident, context, before), context, now)
    after = effects.incident if effects is not None else None
    moved = after is not None and (after.rule, after.severity) != (incident.rule, incident.severity)
    return effects if moved else None


def _judged_anew(
    incident: Incident,
    notification: Notification | None,
    before: IncidentContent | None,
    why: str,
    context: DecisionContext,
    now: datetime,
) -> Effects | None:
    if notification is None or incident.gathered:
        return None
    try:
        group = without_outdated(read(notification), incident, now, context.timing)
        group, _dropped = without_dropped(group, incident, context.matching, now)
        decision = decide(group, context.book, context.matching, incident, notification.id, now, context.timing)
        return page_late(
            decision, group, replace(notification, received_at=now), History(incident, before), why, context
        )
    except Exception as error:  # noqa: BLE001 - any failure: the page is made from the content instead
        _log.error("window.decide_failed", incident=incident.id, exc_info=error)
        return None


def pagers_of(incident: Incident, context: DecisionContext, content: IncidentContent | None = None) -> list[Channel]:
    """Return the channels that page, of the incident's teams or else of its rule; those of the default without both."""
    teams = content.decision.teams if content else ()
    named = {name for team in teams if team in context.book.teams for name in context.book.teams[team].channels}
    named = named or {name for rule in context.book.rules if rule.id == incident.rule for name in rule.channels}
    pagers = [channel for channel in context.channels.values() if channel.pages]
    return [each for each in pagers if each.name in named] or [each for each in context.all_channels if each.pages]
