"""The page that leaves when triage itself breaks on a delivery: plain, at once, and never silent."""

from __future__ import annotations

from datetime import timedelta

from responder.engine.desk import Desk
from responder.engine.follow import incident_id, messages
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Effects
from responder.model.finding import Conclusion
from responder.model.report import Moment, Report, Status
from responder.model.text import tidy_line
from responder.notify import facts
from responder.notify.route import FALLBACK, RESERVES


def mishap(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Effects:
    """Effects of a delivery on which ``error`` stopped triage: every channel is told, as the worst severity."""
    worst = min(desk.book.severities.values(), key=lambda severity: severity.rank)
    report = _report(delivery, group, error, desk, worst.name, worst.pagerduty)
    quiet = {FALLBACK, *RESERVES}
    told = [channel for name, channel in desk.channels.items() if name not in quiet] or list(desk.channels.values())
    return Effects(
        delivery=delivery.id,
        state="failed",
        outcome=report.severity_reason,
        drafts=messages(report, told, rank=worst.rank, due_at=delivery.received_at),
        due_at=delivery.received_at,
    )


def _report(
    delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk, severity: str, pagerduty: str
) -> Report:
    names = sorted({alert.name for alert in group.firing}) if group else []
    what = tidy_line(", ".join(names) or "an unreadable notification", 200)
    key = group.dedup_key if group else f"responder-delivery-{delivery.id}"
    return Report(
        moment=Moment.START,
        status=Status.INVESTIGATING,
        incident=incident_id(key, delivery.id),
        dedup_key=key,
        title=f"[{severity}] responder could not triage {what}",
        severity=severity,
        severity_reason=f"triage stopped with {type(error).__name__}; how bad it really is, nobody has judged",
        pagerduty_severity=pagerduty,
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
        truncated=group.truncated if group else 0,
        labels=facts.labels(group.common_labels) if group else {},
        rule="none",
        made_by=f"responder, delivery {delivery.id}",
        started_at=delivery.received_at,
        written_at=delivery.received_at,
        next_update=delivery.received_at + timedelta(minutes=30),
    )
