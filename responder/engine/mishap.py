"""What follows when triage itself breaks on a delivery: a plain page at once, and an incident like any other.

It has the dedup key that the group has anyway, so that whatever tells of its end closes it: triage once it works again,
reconciliation, or, as long as it is broken, a plain reading of what the notification says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from responder.engine.afterwards import resolved
from responder.engine.desk import Desk
from responder.engine.follow import History
from responder.engine.messages import messages
from responder.engine.state import UNJUDGED, incident_id
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Effects
from responder.model.finding import Conclusion
from responder.model.incident import Incident, Known, Member
from responder.model.message import Draft
from responder.model.report import Moment, Report, Status
from responder.model.rule import Severity
from responder.model.text import tidy_line
from responder.notify import facts
from responder.notify.contract import Channel
from responder.notify.route import LOG, PAGERS, RESERVES
from responder.triage.truth import end

UNREADABLE = timedelta(days=1)
"""How long an incident stays open whose delivery does not even name its group: nothing will ever tell its end."""


def bare(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Effects:
    """The least that can follow from a delivery on which ``error`` stopped triage: every channel is paged.

    It is the worst severity, and no incident: for where that could not be written either.
    """
    worst, report = _worst(desk), _report(delivery, group, error, desk)
    drafts = messages(report, _everybody(desk), rank=worst.rank, due_at=delivery.received_at)
    return _effects(delivery, None, report.severity_reason, drafts)


def mishap(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk, known: History) -> Effects:
    """Effects of a delivery on which ``error`` stopped triage: every channel is told, as the worst severity.

    ``group`` is what can be read of it, None for nothing, and ``known`` what was known of the group. People hear of it
    once: while triage stays broken for the group, only of more that fires, and of its end.
    """
    before = known.incident if known.incident is not None and known.incident.open else None
    alerts = _read_plainly(before, group)
    fires = group is None or group.truncated > 0 or any(each.ends_at is None for each in alerts.values())
    report = _report(delivery, group, error, desk)
    if before is None:
        return _begun(delivery, group, alerts, report, desk) if fires else _effects(delivery, None, _reason(report, ""))
    moved = _moved(before, delivery, group, alerts, report)
    if not fires:
        why = _reason(report, "all that is known of it is resolved")
        over = resolved(moved, known.report, why, desk, delivery.received_at)
        return replace(over, delivery=delivery.id, state="failed")
    return _told(delivery, before, moved, replace(report, incident=before.id, dedup_key=before.dedup_key), desk)


def _begun(
    delivery: Delivery, group: AlertGroup | None, alerts: Mapping[str, Known], report: Report, desk: Desk
) -> Effects:
    to, now = _everybody(desk), delivery.received_at
    incident = Incident(
        id=report.incident,
        dedup_key=report.dedup_key,
        group_key=group.group_key if group else report.dedup_key,
        cluster=delivery.cluster,
        open=True,
        severity=report.severity,
        rule=UNJUDGED,
        service=report.service,
        title=report.title,
        runbook="",
        reason=report.severity_reason,
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
    drafts = messages(report, to, rank=_worst(desk).rank, due_at=now)
    return _effects(delivery, incident, incident.reason, drafts)


def _told(delivery: Delivery, before: Incident, moved: Incident, report: Report, desk: Desk) -> Effects:
    """A page for those who do not know of the incident, and an update for those who do."""
    more = [each for each in moved.alerts if each not in before.alerts]
    if before.rule == UNJUDGED and not more:
        return _effects(delivery, moved, _reason(report, "people know"))
    added = [channel for channel in _everybody(desk) if channel.name not in before.channels]
    informed = desk.configured(before.channels)
    if before.rule == UNJUDGED:
        informed = tuple(channel for channel in informed if channel.name not in PAGERS)
    update = replace(report, moment=Moment.UPDATE, update=f"its newest notification was not judged: {report.what}")
    rank, now = _worst(desk).rank, delivery.received_at
    drafts = messages(update, informed, rank=rank, due_at=now) + messages(report, added, rank=rank, due_at=now)
    channels = (*before.channels, *(channel.name for channel in added))
    return _effects(delivery, replace(moved, channels=channels), moved.reason, drafts)


def _moved(
    before: Incident, delivery: Delivery, group: AlertGroup | None, alerts: Mapping[str, Known], report: Report
) -> Incident:
    """The incident after what a plain reading says; how bad it is, nobody has judged."""
    new = [alert.fingerprint for alert in group.alerts if alert.fingerprint not in before.gathered] if group else []
    joined = {each: Member(group.dedup_key, report.severity) for each in new} if group and before.gathered else {}
    return replace(
        before,
        severity=report.severity,
        rule=UNJUDGED,
        title=report.title,
        reason=report.severity_reason,
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


def _reason(report: Report, more: str) -> str:
    return "; ".join(filter(None, (report.severity_reason, "a plain reading: " + (more or "nothing fires"))))


def _worst(desk: Desk) -> Severity:
    return min(desk.book.severities.values(), key=lambda severity: severity.rank)


def _everybody(desk: Desk) -> list[Channel]:
    quiet = {LOG, *RESERVES}
    return [channel for name, channel in desk.channels.items() if name not in quiet] or list(desk.channels.values())


def _effects(delivery: Delivery, incident: Incident | None, outcome: str, drafts: tuple[Draft, ...] = ()) -> Effects:
    return Effects(
        delivery=delivery.id,
        state="failed",
        outcome=outcome,
        incident=incident,
        drafts=drafts,
        due_at=delivery.received_at,
    )


def _report(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Report:
    severity = _worst(desk)
    names = sorted({alert.name for alert in group.firing}) if group else []
    what = tidy_line(", ".join(names) or "an unreadable notification", 200)
    key = group.dedup_key if group else f"responder-delivery-{delivery.id}"
    return Report(
        moment=Moment.START,
        status=Status.INVESTIGATING,
        incident=incident_id(key, delivery.id),
        dedup_key=key,
        title=f"[{severity.name}] responder could not triage {what}",
        severity=severity.name,
        severity_reason=f"triage stopped with {type(error).__name__}; how bad it really is, nobody has judged",
        pagerduty_severity=severity.pagerduty,
        pages=True,
        service=tidy_line(group.common_labels.get("service", ""), 60) if group else "unknown",
        environment=desk.book.environment,
        namespace=desk.book.namespace,
        alertname=what,
        what=f"Delivery {delivery.id} was kept but could not be triaged. It reports: {what}",
        impact="unknown: read the alert in Alertmanager",
        conclusion=Conclusion(unknown="everything: no probe was run"),
        first_step="Look the alert up in Alertmanager, then report the error in responder's log to its owners.",
        firing=len(group.firing) if group else 0,
        resolved=len(group.alerts) - len(group.firing) if group else 0,
        truncated=group.truncated if group else 0,
        labels=facts.labels(group.common_labels) if group else {},
        rule=UNJUDGED,
        made_by=f"responder, delivery {delivery.id}",
        started_at=delivery.received_at,
        written_at=delivery.received_at,
        next_update=delivery.received_at + timedelta(minutes=30),
    )
