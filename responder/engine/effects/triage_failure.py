"""A notification on which triage failed: an incident about the failure, paged once per group. Pure.

The incident has a key of its own. It is resolved when triage next succeeds for the group, when no Alertmanager lists
the group's alerts any more, or HOLD after the last failure. The incident of the group itself is left as it is.
"""

from dataclasses import replace
from datetime import timedelta

from responder.engine.effects.context import SHARED, DecisionContext
from responder.engine.effects.page import group_counts, incident_id, messages_for
from responder.model.alert import AlertGroup
from responder.model.delivery import Effects, Notification
from responder.model.finding import Conclusion
from responder.model.incident import UNJUDGED, AlertState, Incident
from responder.model.report import NO_FACTS, IncidentContent, MessageKind
from responder.model.text import sanitize_line
from responder.notify.report.content import bare, labels

#: Groups that have an incident of their own at a time. All further groups share one.
SINGLE_PAGES = 5
#: How long the incident of a group stays open after the last failure.
HOLD = timedelta(days=1)
#: The same for the shared incident, which is resolved by time only.
HOLD_SHARED = timedelta(hours=1)


def failed(
    notification: Notification,
    group: AlertGroup | None,
    error: Exception,
    context: DecisionContext,
    key: str,
    before: Incident | None,
) -> Effects:
    """Return the effects of a notification on which triage raised ``error``: a page, unless there was one already.

    ``before`` is the open incident with the ``key``.
    """
    now = notification.received_at
    reason = f"triage failed with {type(error).__name__}; the severity of the alerts is not known"
    shared = key == SHARED
    until = now + (HOLD_SHARED if shared else HOLD)
    firing = {each.fingerprint: AlertState(each.starts_at.timestamp()) for each in group.firing} if group else {}
    incident = before or _incident(notification, group, context, key, reason)
    incident = replace(
        incident,
        alerts={} if shared else firing or incident.alerts,
        changed_at=now,
        notification=notification.id,
        resolve_reason=f"triage did not fail again for {'an hour' if shared else 'a day'}",
        resolve_at=until,
        review_at=until,
        gone_since=None,
    )
    effects = Effects(notification=notification.id, outcome=reason, incident=incident)
    if before is not None:
        return effects
    own, counts = (incident.id, key), group_counts(group) if group else NO_FACTS
    page = messages_for(
        own, MessageKind.START, counts, context.all_channels, priority=context.worst.priority, due_at=now
    )
    return replace(effects, content=_content(incident, group, context), messages=page)


def _incident(
    notification: Notification, group: AlertGroup | None, context: DecisionContext, key: str, reason: str
) -> Incident:
    now = notification.received_at
    what = _names(group) or "an unreadable notification"
    if group and key == SHARED:
        what = f"more than {SINGLE_PAGES} groups of alerts, such as {what}"
    return Incident(
        id=incident_id(key, notification.id),
        dedup_key=key,
        group_key=group.group_key if group else "",
        cluster=notification.cluster,
        open=True,
        severity=context.worst.name,
        rule=UNJUDGED,
        service=sanitize_line(group.common_labels.get("service", ""), 60) if group else "",
        title=f"[{context.worst.name}] responder could not triage {what}",
        reason=reason,
        channels=tuple(channel.name for channel in context.all_channels),
        opened_at=now,
        changed_at=now,
        notification=notification.id,
        revision=context.book.revision,
    )


def _content(incident: Incident, group: AlertGroup | None, context: DecisionContext) -> IncidentContent:
    content = bare(incident, context.book)
    return replace(
        content,
        decision=replace(
            content.decision,
            pages=True,
            alertname=_names(group),
            impact="unknown: read the alert in Alertmanager",
            first_step="Look the alerts up in Alertmanager. Then report the error in responder's log (triage.failed), "
            "or go back to the previous rules or version.",
        ),
        alerts=replace(
            content.alerts,
            truncated=group.truncated if group else 0,
            labels=labels(group.common_labels) if group else {},
        ),
        conclusion=Conclusion(unknown="everything: no probe was run"),
    )


def _names(group: AlertGroup | None) -> str:
    return (
        sanitize_line(", ".join(sorted({alert.name for alert in (group.firing or group.alerts)})), 200) if group else ""
    )
