"""V3 webhooks of PagerDuty: signature, and the action that an event stands for. Pure.

https://developer.pagerduty.com/docs/webhooks-overview: at least once, in order for each incident, retried for 48 hours.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from responder.model.action import ActionKind
from responder.model.secret import Secret
from responder.notify.channels.pagerduty_notes import OWN_NOTE
from responder.notify.report.links import safe_url

_KINDS = {
    "incident.acknowledged": ActionKind.ACKNOWLEDGE,
    "incident.unacknowledged": ActionKind.UNACKNOWLEDGE,
    "incident.resolved": ActionKind.RESOLVE,
    "incident.annotated": ActionKind.NOTE,
    "incident.reassigned": ActionKind.REASSIGN,
    "incident.delegated": ActionKind.REASSIGN,
    "incident.escalated": ActionKind.REASSIGN,
    "incident.priority_updated": ActionKind.PRIORITY,
}
#: Resolves that are no end: the incident continues as another one.
_NO_END = frozenset({"merge_resolve_reason"})
#: Type of an agent that is a person (https://developer.pagerduty.com/docs/webhooks-overview, "agent").
_PERSON = "user_reference"


class BadEventError(ValueError):
    """A body that does not have the documented shape. The reason is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyEvent:
    """An event about an incident of PagerDuty. ``kind`` is None for one that changes nothing here.

    ``incident`` is PagerDuty's id, ``incident_key`` the dedup key where PagerDuty sends one, ``at`` when it happened.
    """

    id: str
    type: str
    kind: ActionKind | None
    at: datetime
    actor: str
    incident: str
    incident_key: str
    url: str
    text: str
    target: str


class _Reference(msgspec.Struct):
    id: str = ""
    type: str = ""
    summary: str | None = ""
    html_url: str | None = ""


class _Reason(msgspec.Struct):
    type: str = ""


class _Data(msgspec.Struct):
    id: str = ""
    html_url: str | None = ""
    incident_key: str | None = ""
    incident: _Reference | None = None
    content: str | None = ""
    priority: _Reference | None = None
    assignees: list[_Reference] = []
    resolve_reason: _Reason | None = None


class _Event(msgspec.Struct):
    id: str
    event_type: str
    occurred_at: datetime
    agent: _Reference | None = None
    data: _Data | None = None


class _Webhook(msgspec.Struct):
    event: _Event


_DECODER = msgspec.json.Decoder(_Webhook)


def read(body: bytes) -> PagerDutyEvent:
    """Return the event of a webhook. Raises BadEventError.

    A note that responder wrote is no action. Only a person resolves: a resolve by an integration is responder's own,
    which comes back, or that of a timer of PagerDuty, which knows nothing of the alerts.
    """
    try:
        event = _decoded(body).event
    except (ValueError, RecursionError) as error:
        raise BadEventError(f"not a V3 webhook of PagerDuty: {str(error)[:200]}") from None
    if event.occurred_at.tzinfo is None:
        raise BadEventError("not a V3 webhook of PagerDuty: occurred_at has no time zone")
    data, kind = event.data or _Data(), _KINDS.get(event.event_type)
    merged = data.resolve_reason is not None and data.resolve_reason.type in _NO_END
    if kind is ActionKind.RESOLVE and (merged or event.agent is None or event.agent.type != _PERSON):
        kind = None
    if kind is ActionKind.NOTE and OWN_NOTE.match(data.content or ""):
        kind = None
    about = data.incident or _Reference(id=data.id, html_url=data.html_url)
    target = ""
    if kind is ActionKind.REASSIGN:
        target = ", ".join(filter(None, (each.summary for each in data.assignees)))
    elif kind is ActionKind.PRIORITY:
        target = (data.priority.summary if data.priority else "") or ""
    return PagerDutyEvent(
        id=event.id,
        type=event.event_type,
        kind=kind,
        at=event.occurred_at,
        actor=(event.agent.summary if event.agent else "") or "",
        incident=about.id if event.event_type.startswith("incident.") else "",
        incident_key=data.incident_key or "",
        url=safe_url(about.html_url or ""),
        text=data.content or "",
        target=target,
    )


def _decoded(body: bytes) -> _Webhook:
    """Return a webhook, also one with half of a character that needs two: PagerDuty cuts long notes."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _DECODER.decode(json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace"))


def signature_problem(secrets: Iterable[Secret], header: str, body: bytes) -> str:
    """Return why ``X-PagerDuty-Signature`` does not sign a body; empty if it does.

    https://developer.pagerduty.com/docs/verifying-webhook-signatures: several signatures, of which one must match. They
    cover no time: a repeated event is recognised by its id.
    """
    given = [each.strip().encode("utf-8", "replace") for each in header.split(",")][:20]
    signed = [b"v1=" + hmac.new(each.reveal().encode(), body, hashlib.sha256).hexdigest().encode() for each in secrets]
    found = [hmac.compare_digest(ours, theirs) for ours in signed for theirs in given]
    return "" if any(found) else "X-PagerDuty-Signature does not match RESPONDER_PAGERDUTY_WEBHOOK_SECRET"
