"""What follows when triage itself breaks on a delivery: a plain page at once, and an incident like any other.

It has the dedup key that the group has anyway, so that whatever tells of its end closes it: triage once it works again,
reconciliation, or, as long as it is broken, a plain reading of what the notification says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from responder.engine.effects.context import Desk
from responder.engine.effects.failure_page import everybody, failed, failure, key_of, pages, worst
from responder.engine.effects.incident_state import in_digest
from responder.engine.effects.messages import group_counts, messages
from responder.engine.effects.on_notification import History
from responder.engine.effects.without_notification import resolved
from responder.model.alert import AlertGroup
from responder.model.content import NO_FACTS, IncidentContent
from responder.model.delivery import Delivery, Effects
from responder.model.flood import UNTRIAGED, Tide
from responder.model.incident import UNJUDGED, Incident, Known, Member
from responder.model.report import Moment
from responder.model.text import tidy_line
from responder.triage.flood import Arrival, Weighed, admit
from responder.triage.stale_alerts import end

UNREADABLE = timedelta(days=1)
"""How long an incident stays open whose delivery does not even name its group: nothing will ever tell its end."""


def mishap(
    delivery: Delivery,
    group: AlertGroup | None,
    error: Exception,
    desk: Desk,
    known: History,
    tide: Tide | None = None,
) -> Effects:
    """Effects of a delivery on which ``error`` stopped triage: every channel is told, as the worst severity.

    ``group`` is what can be read of it, None for nothing, and ``known`` what was known of the group. People hear of it
    once: while triage stays broken for the group, only of more that fires, and of its end. Where triage breaks for many
    groups a digest tells of them, as of any flood; without a ``tide`` nothing is one.
    """
    before = known.incident if known.incident is not None and known.incident.open else None
    alerts = _read_plainly(before, group)
    fires = group is None or group.truncated > 0 or any(each.ends_at is None for each in alerts.values())
    content = failure(delivery, group, error, desk)
    if before is None:
        if not fires:
            return failed(delivery, None, _reason(content, ""))
        return _begun(delivery, group, alerts, content, desk, tide)
    moved = _moved(before, delivery, group, alerts, content)
    if not fires:
        why = _reason(content, "all that is known of it is resolved")
        over = resolved(moved, known.content, why, desk, delivery.received_at)
        return replace(over, delivery=delivery.id, state="failed")
    content = replace(content, incident=before.id)
    return _told(delivery, group, before, moved, content, desk, tide)


def _begun(
    delivery: Delivery,
    group: AlertGroup | None,
    alerts: Mapping[str, Known],
    content: IncidentContent,
    desk: Desk,
    tide: Tide | None,
) -> Effects:
    to, now = everybody(desk), delivery.received_at
    incident = Incident(
        id=content.incident,
        dedup_key=key_of(delivery, group),
        group_key=group.group_key if group else key_of(delivery, group),
        cluster=delivery.cluster,
        open=True,
        severity=content.decision.severity,
        rule=UNJUDGED,
        service=content.decision.service,
        title=content.decision.title,
        runbook="",
        reason=content.decision.severity_reason,
        channels=tuple(channel.name for channel in to),
        opened_at=now,
        changed_at=now,
        resolved_at=None,
        delivery=delivery.id,
        revision=desk.book.revision,
        alerts=alerts,
    )
    if group is None:
        until = now + UNREADABLE
        hold = "the delivery could not be read, so nothing tells its end; it is closed after a day"
        incident = replace(incident, hold=hold, held_until=until, review_at=until)
    weighed = _weighed(delivery, group, content, incident.channels, desk, tide)
    if weighed is not None and weighed.held:
        return _held(delivery, replace(incident, channels=()), weighed)
    drafts = pages(incident.id, incident.dedup_key, group, to, desk, now)
    return _with(weighed, replace(failed(delivery, incident, incident.reason, drafts), content=content))


def _weighed(
    delivery: Delivery,
    group: AlertGroup | None,
    content: IncidentContent,
    channels: tuple[str, ...],
    desk: Desk,
    tide: Tide | None,
) -> Weighed | None:
    """Whether its page is one too many. What triage broke on is all alike to a flood: the cause is one bug of ours."""
    severity, kind = worst(desk), f"{tidy_line(content.decision.alertname, 63)}, not judged"
    if tide is None or not severity.pages:
        return None  # whom a flood holds of a severity that wakes nobody, nobody pages when it is over
    arrival = Arrival(severity=severity, pages=severity.pages, name=UNTRIAGED, kind=kind)
    return admit(arrival, group.common_labels if group else {}, channels, tide, delivery.id)


def _held(delivery: Delivery, incident: Incident, weighed: Weighed) -> Effects:
    """The digest tells of it, and nothing else does."""
    why = f"{incident.reason}; {weighed.held}"
    quiet = replace(incident, reason=why, digest=weighed.flood.digest)
    return replace(failed(delivery, quiet, why), flood=weighed.flood)


def _with(weighed: Weighed | None, effects: Effects) -> Effects:
    if weighed is None:
        return effects
    return replace(effects, flood=weighed.flood, outcome="; ".join(filter(None, (effects.outcome, weighed.why))))


def _told(
    delivery: Delivery,
    group: AlertGroup | None,
    before: Incident,
    moved: Incident,
    content: IncidentContent,
    desk: Desk,
    tide: Tide | None,
) -> Effects:
    """A page for those who do not know of the incident, and an update for those who do."""
    more = [each for each in moved.alerts if each not in before.alerts]
    if before.rule == UNJUDGED and (not more or in_digest(before, tide)):
        return failed(delivery, moved, _reason(content, "people know"))
    added = [channel for channel in everybody(desk) if channel.name not in before.channels]
    weighed = None
    if added and desk.pagers.isdisjoint(before.channels):
        names = tuple(channel.name for channel in added)
        weighed = _weighed(delivery, group, content, names, desk, tide)
    if weighed is not None and weighed.held:
        return _held(delivery, moved, weighed)
    informed = desk.configured(before.channels)
    if before.rule == UNJUDGED:
        informed = tuple(channel for channel in informed if not channel.pages)
    own, now = (before.id, before.dedup_key), delivery.received_at
    update = f"its newest notification was not judged: {content.alerts.summary}"
    counts = replace(group_counts(group) if group else NO_FACTS, update=update)
    drafts = messages(*own, Moment.UPDATE, counts, informed, rank=worst(desk).rank, due_at=now)
    drafts += pages(*own, group, added, desk, now)
    channels = (*before.channels, *(channel.name for channel in added))
    effects = failed(delivery, replace(moved, channels=channels), moved.reason, drafts)
    return _with(weighed, replace(effects, content=content))


def _moved(
    before: Incident,
    delivery: Delivery,
    group: AlertGroup | None,
    alerts: Mapping[str, Known],
    content: IncidentContent,
) -> Incident:
    """The incident after what a plain reading says; how bad it is, nobody has judged."""
    new = [alert.fingerprint for alert in group.alerts if alert.fingerprint not in before.gathered] if group else []
    joined = (
        {each: Member(group.dedup_key, content.decision.severity) for each in new} if group and before.gathered else {}
    )
    return replace(
        before,
        severity=content.decision.severity,
        rule=UNJUDGED,
        title=content.decision.title,
        reason=content.decision.severity_reason,
        delivery=delivery.id,
        changed_at=delivery.received_at,
        alerts=alerts,
        gathered={**before.gathered, **joined},
        hold="",
        held_until=None,
        review_at=None,
        gone_since=None,
    )


def _read_plainly(before: Incident | None, group: AlertGroup | None) -> dict[str, Known]:
    """What is known of the alerts where each is as the notification says."""
    alerts = dict(before.alerts) if before else {}
    for alert in group.alerts if group else ():
        began = alert.starts_at.timestamp()
        alerts[alert.fingerprint] = Known(began, None if alert.firing else end(alert))
    return alerts


def _reason(content: IncidentContent, more: str) -> str:
    return "; ".join(filter(None, (content.decision.severity_reason, "a plain reading: " + (more or "nothing fires"))))
