"""What can still be read of a body that ``alertmanager.parse`` does not understand. Never raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from responder.model.alert import Alert, AlertGroup

_LONG_AGO = datetime.fromtimestamp(0, UTC)


def salvage(body: bytes, cluster: str = "") -> AlertGroup | None:
    """The group with those of its alerts that have a fingerprint; None where not even the group key is there."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not (group_key := _text(value.get("groupKey"))):
        return None
    alerts = value.get("alerts")
    cut = value.get("truncatedAlerts")
    return AlertGroup(
        group_key=group_key,
        cluster=cluster,
        receiver=_text(value.get("receiver")),
        group_labels=_texts(value.get("groupLabels")),
        common_labels=_texts(value.get("commonLabels")),
        common_annotations={},
        external_url="",
        truncated=cut if isinstance(cut, int) and cut > 0 else 0,
        alerts=tuple(filter(None, map(_alert, alerts if isinstance(alerts, list) else ()))),
    )


def _alert(value: Any) -> Alert | None:
    if not isinstance(value, dict) or not (fingerprint := _text(value.get("fingerprint"))):
        return None
    over = value.get("status") == "resolved"
    return Alert(
        firing=not over,
        labels=_texts(value.get("labels")),
        annotations={},
        starts_at=_time(value.get("startsAt")),
        ends_at=_time(value.get("endsAt")) if over else None,
        generator_url="",
        fingerprint=fingerprint,
    )


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {_text(name): _text(text) for name, text in pairs if isinstance(text, str)}


def _text(value: Any) -> str:
    """The value as text that can be stored, empty where it is none: JSON can write half a character, UTF-8 cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _time(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _LONG_AGO
    return moment if moment.tzinfo else _LONG_AGO
