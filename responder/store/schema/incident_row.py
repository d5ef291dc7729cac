"""An incident as a row of its table, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from responder.model.incident import Found, Incident, Known, Member
from responder.store.schema.serialization import to_bytes, to_noun, to_seconds, to_time


def to_row(incident: Incident) -> dict[str, Any]:
    """The columns of an incident."""
    return {
        "id": incident.id,
        "dedup_key": incident.dedup_key,
        "group_key": incident.group_key,
        "cluster": incident.cluster,
        "open": incident.open,
        "severity": incident.severity,
        "rule": incident.rule,
        "service": incident.service,
        "title": incident.title,
        "runbook": incident.runbook,
        "reason": incident.reason,
        "channels": " ".join(incident.channels),
        "opened_at": to_seconds(incident.opened_at),
        "changed_at": to_seconds(incident.changed_at),
        "resolved_at": _seconds(incident.resolved_at),
        "delivery": incident.delivery,
        "revision": incident.revision,
        "alerts": to_bytes(incident.alerts),
        "flaps": incident.flaps,
        "hold": incident.hold,
        "held_until": _seconds(incident.held_until),
        "review_at": _seconds(incident.review_at),
        "reopened_at": _seconds(incident.reopened_at),
        "silenced": incident.silenced,
        "gone_since": _seconds(incident.gone_since),
        "digest": incident.digest,
        "found": to_bytes(incident.found) if incident.found else None,
        "gathered": to_bytes(incident.gathered) if incident.gathered else None,
    }


def _seconds(when: datetime | None) -> float | None:
    return to_seconds(when) if when else None


def _time(seconds: float | None) -> datetime | None:
    return to_time(seconds) if seconds is not None else None


def from_row(row: Mapping[Any, Any]) -> Incident:
    """The incident that was written so."""
    values = {name: row[name] for name in _PLAIN}
    return Incident(
        **values,
        channels=tuple(row["channels"].split()),
        opened_at=to_time(row["opened_at"]),
        changed_at=to_time(row["changed_at"]),
        resolved_at=_time(row["resolved_at"]),
        held_until=_time(row["held_until"]),
        review_at=_time(row["review_at"]),
        reopened_at=_time(row["reopened_at"]),
        gone_since=_time(row["gone_since"]),
        alerts=to_noun(dict[str, Known], row["alerts"]),
        found=to_noun(Found, row["found"]) if row["found"] else None,
        gathered=to_noun(dict[str, Member], row["gathered"]) if row["gathered"] else {},
    )


_PLAIN = (
    "id",
    "dedup_key",
    "group_key",
    "cluster",
    "open",
    "severity",
    "rule",
    "service",
    "title",
    "runbook",
    "reason",
    "delivery",
    "revision",
    "flaps",
    "hold",
    "silenced",
    "digest",
)
