"""Notifications in the log of Alertmanager's event recorder (0.33 and later), as webhook payloads.

The log has one JSON object per line: ``eventrecorder.proto`` in protojson. There are two versions: in the first,
labels are a list of pairs and an alert is wrapped with its hash; in the second, both are plain.
"""

import json
from datetime import datetime
from typing import Any

import msgspec

from responder.cli.samples import completed, webhook


class NoEventError(Exception):
    """Line that is neither a recorder event nor a webhook payload; the text says why."""


class _Pair(msgspec.Struct):
    key: str = ""
    value: str = ""


_Labels = dict[str, str | list[_Pair]]


class _Alert(msgspec.Struct, rename="camel"):
    details: "_Alert | None" = None
    fingerprint: str | int = 0
    labels: _Labels = {}
    annotations: _Labels = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    resolved: bool = False


class _Group(msgspec.Struct, rename="camel"):
    group_key: str = ""
    group_labels: _Labels = {}
    receiver_name: str = ""


class _Notification(msgspec.Struct, rename="camel"):
    alerts: list[_Alert] = []
    group_info: _Group = msgspec.field(default_factory=_Group)


class _Data(msgspec.Struct):
    notification: _Notification | None = None


class _Line(msgspec.Struct, rename="camel"):
    at: datetime | None = msgspec.field(name="@timestamp", default=None)
    data: _Data | None = None
    group_key: str = ""


_DECODER = msgspec.json.Decoder(_Line)


def read_line(line: bytes, receivers: tuple[str, ...] = ()) -> tuple[bytes, datetime | None] | None:
    """Return the webhook payload of a line, and when it was sent if the line has a time.

    None for an event that is not a notification, or one to a receiver not in ``receivers`` (empty: all). Raises
    NoEventError.
    """
    try:
        found = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoEventError(str(error) or "nested too deeply") from None
    if found.group_key:
        return line, None
    if found.at is None or found.data is None:
        raise NoEventError("not an event of Alertmanager's event recorder and not a webhook payload")
    recorded = found.data.notification
    if recorded is None or (receivers and recorded.group_info.receiver_name not in receivers):
        return None
    if not recorded.alerts or not recorded.group_info.group_key:
        raise NoEventError("notification without alerts or without group key")
    alerts = [_alert(each.details or each, found.at) for each in recorded.alerts]
    group = recorded.group_info
    body = webhook(alerts, _plain(group.group_labels), group_key=group.group_key, receiver=group.receiver_name)
    return json.dumps(body).encode(), found.at


def _alert(alert: _Alert, at: datetime) -> dict[str, Any]:
    given = {
        "status": "resolved" if alert.resolved else "firing",
        "labels": _plain(alert.labels),
        "annotations": _plain(alert.annotations),
        "startsAt": (alert.starts_at or at).isoformat(),
        "fingerprint": f"{int(alert.fingerprint):016x}",
    }
    return completed(given, alert.ends_at or at)


def _plain(labels: _Labels) -> dict[str, str]:
    """Return the labels of either version; in the second, a label named "labels" is a string and not a list."""
    pairs = labels.get("labels")
    if isinstance(pairs, list):
        return {pair.key: pair.value for pair in pairs}
    return {name: value for name, value in labels.items() if isinstance(value, str)}
