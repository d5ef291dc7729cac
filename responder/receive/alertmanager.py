"""Webhook payloads of Alertmanager (version 4) and of Grafana's alerting (version 1).

Unknown fields are ignored. What other senders write differently without changing its meaning is accepted: what can be
read is never refused, since a refused payload notifies only about itself.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from responder.model.alert import Alert, AlertGroup, Labels
from responder.model.clock import EARLIEST, LATEST
from responder.model.delivery import Notification

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
#: The year of ``endsAt`` while an alert fires: Go's zero time (Alertmanager dispatch.go).
_YEAR_ONE = 1
_ZERO = datetime(_YEAR_ONE, 1, 1, tzinfo=UTC)
_BOM = b"\xef\xbb\xbf"
#: The largest count of truncated alerts that is believed.
_MOST_TRUNCATED = 10**9
#: Epoch times above it are in milliseconds: in seconds it is the year 5138.
_MILLISECONDS_FROM = 10**11


class InvalidPayload(Exception):
    """A body that is no webhook payload. ``path`` is the first bad field as a JSON path, ``$`` for the whole."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class _PayloadAlert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: _Time = _ZERO
    ends_at: _Time = _ZERO
    fingerprint: str = ""
    annotations: dict[str, str] = {}
    generator_url: str = msgspec.field(name="generatorURL", default="")
    dashboard_url: str = msgspec.field(name="dashboardURL", default="")
    panel_url: str = msgspec.field(name="panelURL", default="")
    silence_url: str = msgspec.field(name="silenceURL", default="")


class _Payload(msgspec.Struct, rename="camel"):
    version: Literal["1", "4"]
    group_key: Annotated[str, msgspec.Meta(min_length=1)]
    alerts: list[_PayloadAlert]
    status: object = ""
    receiver: str = ""
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(name="externalURL", default="")
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0, le=_MOST_TRUNCATED)] = 0


_DECODER = msgspec.json.Decoder(_Payload)
_TIME = msgspec.json.Decoder(datetime)


def check(body: bytes) -> None:
    """Raise InvalidPayload unless ``parse`` will understand the body, or if it says that alerts fire and lists none."""
    wire = _decode(body)
    if not wire.alerts and (wire.truncated_alerts or _status(wire.status) == "firing"):
        raise InvalidPayload("$.alerts", "is empty although alerts fire: there is nothing to page for")


def parse(body: bytes, cluster: str = "") -> AlertGroup:
    """The group that a body describes; ``cluster`` is what the webhook's URL names. Raises InvalidPayload."""
    wire = _decode(body)
    prefix = GRAFANA_PREFIX if wire.version == "1" else ""
    return AlertGroup(
        group_key=wire.group_key,
        cluster=cluster,
        receiver=wire.receiver,
        group_labels=wire.group_labels,
        common_labels=wire.common_labels,
        common_annotations=described(wire.common_labels, wire.common_annotations),
        external_url=wire.external_url,
        truncated=wire.truncated_alerts,
        alerts=tuple(_alert(alert, prefix) for alert in wire.alerts),
    )


def read(notification: Notification) -> AlertGroup:
    """The group that a stored notification describes. Raises InvalidPayload for a body that ``check`` would refuse."""
    return parse(notification.body, notification.cluster)


def _alert(wire: _PayloadAlert, prefix: str) -> Alert:
    firing = wire.status == "firing"
    return Alert(
        firing=firing,
        labels=wire.labels,
        annotations=described(wire.labels, wire.annotations),
        starts_at=_reckoned(wire.starts_at),
        ends_at=None if firing or wire.ends_at.year == _YEAR_ONE else _reckoned(wire.ends_at),
        generator_url=wire.generator_url,
        links=_links(wire),
        fingerprint=prefix + (wire.fingerprint or fingerprint(wire.labels)),
    )


def _links(wire: _PayloadAlert) -> Labels:
    """The links that Grafana adds to each alert (its webhook contact point); empty for Prometheus."""
    found = {"dashboardURL": wire.dashboard_url, "panelURL": wire.panel_url, "silenceURL": wire.silence_url}
    return {name: url for name, url in found.items() if url}


def _reckoned(moment: datetime) -> datetime:
    """The same in UTC, and the end of the calendar for what lies beyond it: an absurd date must not break triage."""
    try:
        return min(moment.astimezone(UTC), LATEST)
    except OverflowError:
        return EARLIEST if moment.year == _YEAR_ONE else LATEST


def _decode(body: bytes) -> _Payload:
    body = body.removeprefix(_BOM)
    try:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _DECODER.decode(body)
        # The standard library also reads NaN, unescaped line ends and halves of surrogate pairs.
        return _DECODER.decode(msgspec.json.encode(_amended(json.loads(body.decode("utf-8", "replace"), strict=False))))
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except ValueError as error:
        raise InvalidPayload("$", f"not JSON: {error}") from None
    except RecursionError:
        raise InvalidPayload("$", "nested too deeply") from None


def _amended(payload: Any) -> Any:
    """Write a payload as Alertmanager would. What has no meaning there stays as it is, for the decoder to judge."""
    if not isinstance(payload, dict):
        return payload
    fields = {"version": "4"} | _fields(payload)
    alerts = payload.get("alerts") or []
    if isinstance(alerts, list):
        status = {"status": "resolved" if fields.get("status") == "resolved" else "firing"}
        alerts = [status | _fields(each) if isinstance(each, dict) else each for each in alerts if each is not None]
    if "alerts" in payload:
        fields["alerts"] = alerts
    if "groupKey" not in fields and alerts and isinstance(alerts[0], dict):
        # Common labels will not do: a key must not change while alerts join the group.
        labels = fields.get("groupLabels") or alerts[0].get("labels")
        fields["groupKey"] = f"{{}}:{json.dumps(labels, sort_keys=True)}"
    return fields


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a payload or of an alert in the types that Alertmanager gives them; without empty ones."""
    read = {
        name: _READERS[name](value) if name in _READERS else _text(value)
        for name, value in given.items()
        if name != "alerts"
    }
    return {name: value for name, value in read.items() if value is not None and value != ""}


def _text(value: Any) -> str | None:
    """The text of a label, an annotation or an address: that of a number, a boolean or anything else is its JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def _labels(value: Any) -> Any:
    """A map from text to text; empty for null and an empty list. Anything else is no alert."""
    return _map(value) if isinstance(value, dict) or not value else value


def _map(value: Any) -> dict[Any, str]:
    """A map from text to text; empty for what is no map: an alert can be paged without it."""
    if not isinstance(value, dict):
        return {}
    return {_text(name): text for name, each in value.items() if (text := _text(each)) is not None}


def _status(value: Any) -> str:
    return (_text(value) or "").strip().lower()


def _version(value: Any) -> Any:
    number = _number(value)
    return value if number is None else f"{number:g}"


def truncated_alerts(value: Any) -> int:
    """The count of alerts that were left out; 1 for what is no number, so that the alerts listed do not resolve it."""
    number = _number(value)
    return int(bool(value)) if number is None else math.ceil(min(max(number, 0), _MOST_TRUNCATED))


def _time(value: Any) -> datetime | None:
    """A moment, in UTC if no zone is given, also as epoch seconds or milliseconds; None for what is no moment."""
    try:
        if (number := _number(value)) is not None:
            return datetime.fromtimestamp(number / (1000 if number > _MILLISECONDS_FROM else 1), UTC)
        found = _TIME.decode(json.dumps(_GO_TIME.sub(r"\1\2", str(value).strip())))
    except (msgspec.DecodeError, ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(value: Any) -> float | None:
    """A finite number, also as text; None for anything else."""
    if isinstance(value, bool):
        return None
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if math.isfinite(number := float(value)):
            return number
    return None


#: Go's own text of a time, "2026-11-23 09:33:50.6 +0000 UTC m=+1.2": all but the zone's name and what follows it.
_GO_TIME: Final = re.compile(r"^(\S+ \S+) ([+-]\d{4})( .*)?$")
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("groupLabels", "commonLabels", "commonAnnotations", "annotations"), _map),
    "labels": _labels,
    **dict.fromkeys(("startsAt", "endsAt"), _time),
    "status": _status,
    "truncatedAlerts": truncated_alerts,
    "version": _version,
}


def fingerprint(labels: Labels) -> str:
    """The fingerprint that Alertmanager gives to these labels: FNV-1a of 64 bits (prometheus/common, model)."""
    found = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


def _explained(message: str) -> InvalidPayload:
    """The library ends its message with " - at `$.path`"."""
    reason, _, tail = message.partition(" - at `")
    path = tail.removesuffix("`") or "$"
    if "Object missing required field `" in reason:
        field = reason.split("`")[1]
        return InvalidPayload(f"{path}.{field}", "is missing: this is no webhook payload of Alertmanager or Grafana")
    if path == "$.version":
        return InvalidPayload(path, 'is neither "4" (Alertmanager) nor "1" (Grafana)')
    return InvalidPayload(path, reason[0].lower() + reason[1:])


#: Starts the fingerprints of Grafana's alerts: no Alertmanager lists them, so reconciliation must not look for them.
GRAFANA_PREFIX: Final = "grafana-"
#: What has happened to the query of a rule, by the ``alertname`` that Grafana sends in the place of the rule's name.
_STATES: Final = {"DatasourceNoData": "query returned no data", "DatasourceError": "query failed"}


def described(labels: Labels, given: Labels) -> Labels:
    """The annotations with a summary that names the rule, for an alert about the query of a rule; else ``given``.

    The annotations of the rule are about its condition, which could not be evaluated. Labels are left as they are.
    """
    state, rule = _STATES.get(labels.get("alertname", "")), labels.get("rulename")
    if not state or not rule:
        return given
    about = f" ({given['summary']})" if given.get("summary") else ""
    return {**given, "summary": f"{rule}: {state}{about}"}
