"""Webhook payloads of Alertmanager (version 4) and of Grafana's alerting (version 1).

Unknown fields are ignored. What other senders write differently without changing its meaning is accepted: null for an
absent value, numbers and booleans as values of labels and annotations, a number as the version, no fingerprint.
"""

import contextlib
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
#: The fields of a payload and of an alert that are maps from text to text.
_MAPS = ("groupLabels", "commonLabels", "commonAnnotations", "labels", "annotations")


class InvalidPayload(Exception):
    """A body that is no webhook payload. ``path`` is the first bad field as a JSON path, ``$`` for the whole."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class _PayloadAlert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: _Time
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
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0)] = 0


_DECODER = msgspec.json.Decoder(_Payload)
_ANY = msgspec.json.Decoder()


def check(body: bytes) -> None:
    """Raise InvalidPayload unless ``parse`` will understand the body, or if it says that alerts fire and lists none."""
    wire = _decode(body)
    if not wire.alerts and (wire.truncated_alerts or wire.status == "firing"):
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
        with contextlib.suppress(msgspec.ValidationError):
            return _DECODER.decode(body)
        return _DECODER.decode(msgspec.json.encode(_amended(_ANY.decode(body))))
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidPayload("$", f"not JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise InvalidPayload("$", f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidPayload("$", "nested too deeply") from None


def _amended(value: Any) -> Any:
    """Rewrite what other senders write differently. The rest stays as it is, for the decoder to judge."""
    if not isinstance(value, dict):
        return value
    amended = _without_nulls(value)
    if type(version := amended.get("version")) in {int, float}:
        amended["version"] = f"{version:g}"
    if isinstance(alerts := value.get("alerts"), list):
        amended["alerts"] = [_without_nulls(each) if isinstance(each, dict) else each for each in alerts]
    return amended


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a payload or of an alert, as Alertmanager would write them."""
    amended = {key: value for key, value in fields.items() if value is not None or key == "alerts"}
    for key in _MAPS:
        if isinstance(values := amended.get(key, {}), dict):
            amended[key] = {name: _text(each) for name, each in values.items() if each is not None}
    if amended.get("endsAt") == "":
        del amended["endsAt"]
    return amended


def _text(value: Any) -> str:
    """The text of a label or an annotation: that of a number, a boolean or anything else is its JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


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
