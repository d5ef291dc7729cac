"""Alertmanager's webhook, version 4: permissive to fields we do not know, strict to the ones we use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from responder.model.alert import Alert, AlertGroup
from responder.model.clock import EARLIEST, LATEST
from responder.model.delivery import Notification

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_YEAR_ONE = 1
"""The year of ``endsAt`` while an alert fires: Go's zero time (Alertmanager dispatch.go)."""


class InvalidPayload(Exception):
    """A body that is not a version 4 webhook. ``path`` is the first bad field as a JSON path, ``$`` for the whole."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class _PayloadAlert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: _Time
    ends_at: _Time
    fingerprint: Annotated[str, msgspec.Meta(min_length=1)]
    annotations: dict[str, str] = {}
    generator_url: str = msgspec.field(name="generatorURL", default="")


class _Payload(msgspec.Struct, rename="camel"):
    version: Literal["4"]
    group_key: Annotated[str, msgspec.Meta(min_length=1)]
    status: Literal["firing", "resolved"]
    receiver: str
    alerts: list[_PayloadAlert]
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(name="externalURL", default="")
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0)] = 0


_DECODER = msgspec.json.Decoder(_Payload)
_ANY = msgspec.json.Decoder()


def check(body: bytes) -> None:
    """Raise InvalidPayload unless ``parse`` will understand the body."""
    _decode(body)


def parse(body: bytes, cluster: str = "") -> AlertGroup:
    """The group that a body describes; ``cluster`` is what the webhook's URL names. Raises InvalidPayload."""
    wire = _decode(body)
    return AlertGroup(
        group_key=wire.group_key,
        cluster=cluster,
        receiver=wire.receiver,
        group_labels=wire.group_labels,
        common_labels=wire.common_labels,
        common_annotations=wire.common_annotations,
        external_url=wire.external_url,
        truncated=wire.truncated_alerts,
        alerts=tuple(_alert(alert) for alert in wire.alerts),
    )


def read(delivery: Notification) -> AlertGroup:
    """The group that a stored notification describes. Raises InvalidPayload for a body that ``check`` would refuse."""
    return parse(delivery.body, delivery.cluster)


def _alert(wire: _PayloadAlert) -> Alert:
    firing = wire.status == "firing"
    return Alert(
        firing=firing,
        labels=wire.labels,
        annotations=wire.annotations,
        starts_at=_reckoned(wire.starts_at),
        ends_at=None if firing or wire.ends_at.year == _YEAR_ONE else _reckoned(wire.ends_at),
        generator_url=wire.generator_url,
        fingerprint=wire.fingerprint,
    )


def _reckoned(told: datetime) -> datetime:
    """The same in UTC, and the end of the calendar for what lies beyond it: an absurd date must not break triage."""
    try:
        return min(told.astimezone(UTC), LATEST)
    except OverflowError:
        return EARLIEST if told.year == _YEAR_ONE else LATEST


def _decode(body: bytes) -> _Payload:
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise _explained(body, str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidPayload("$", f"not JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise InvalidPayload("$", f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidPayload("$", "nested too deeply") from None


def _explained(body: bytes, message: str) -> InvalidPayload:
    """The library ends its message with " - at `$.path`"; it names the container but not the key of a bad label."""
    reason, _, tail = message.partition(" - at `")
    path = tail.removesuffix("`") or "$"
    if "Object missing required field `" in reason:
        field = reason.split("`")[1]
        return InvalidPayload(f"{path}.{field}", "is missing: this is not a webhook of version 4")
    if path == "$.version":
        return InvalidPayload(path, 'is not "4", the webhook version of Alertmanager 0.16 and later')
    if path.endswith("[...]"):
        path = _named(_ANY.decode(body), path)
    return InvalidPayload(path, reason[0].lower() + reason[1:])


def _named(value: Any, path: str) -> str:
    """Replace the elided key in ``$.alerts[3].labels[...]`` by the first one whose value is no string."""
    stem = path.removesuffix("[...]")
    for part in stem.replace("[", ".[").split(".")[1:]:
        value = value[int(part[1:-1])] if part.startswith("[") else value[part]
    bad = next((key for key, item in value.items() if not isinstance(item, str)), "...")
    return f"{stem}.{bad}"
