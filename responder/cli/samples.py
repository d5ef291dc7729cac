"""Webhook payloads from files; bare alerts are wrapped into the group that Alertmanager would send."""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

#: ``endsAt`` of a firing alert.
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Sample:
    """Payload and its source; ``problem`` says why there is none. ``cluster`` is that of the webhook URL."""

    source: str
    body: bytes
    problem: str = ""
    cluster: str = ""


def samples(
    names: Iterable[str], stdin: BinaryIO, now: datetime, read: Callable[[Path], bytes] = Path.read_bytes
) -> Iterator[Sample]:
    """Yield the payloads of files, of every ``.json`` in folders, and of standard input for ``-``.

    A file may hold a webhook payload, a list of them, a list of alerts or a single alert; missing fields of an alert
    are filled in as if it started firing ``now``. ``read`` returns what a file holds, and raises OSError.
    """
    for name in names:
        if name == "-":
            yield from _of(name, stdin.read(), now)
        elif Path(name).is_dir():
            found = sorted(Path(name).glob("*.json"))
            if not found:
                yield Sample(name, b"", "no .json file in this folder")
            for path in found:
                yield from _of_file(str(path), now, read)
        else:
            yield from _of_file(name, now, read)


def _of_file(name: str, now: datetime, read: Callable[[Path], bytes]) -> Iterator[Sample]:
    try:
        data = read(Path(name))
    except (OSError, ValueError) as error:  # ValueError: not a valid file name
        yield Sample(name, b"", f"cannot be read: {error.strerror if isinstance(error, OSError) else error}")
        return
    yield from _of(name, data, now)


def _of(source: str, data: bytes, now: datetime) -> Iterator[Sample]:
    data = data.removeprefix(BOM_UTF8)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        yield Sample(source, data)  # the receiver's own parser explains it better
        return
    if isinstance(value, dict) and "alerts" not in value and "labels" in value:
        value = [value]
    if not isinstance(value, list):
        yield Sample(source, data)
    elif not value:
        yield Sample(source, b"", "empty list: no alert")
    elif all(isinstance(each, dict) and "alerts" in each for each in value):
        for number, each in enumerate(value):
            yield Sample(f"{source}[{number}]", json.dumps(each).encode())
    else:
        yield from _wrapped(source, value, now)


def _wrapped(source: str, alerts: list[Any], now: datetime) -> Iterator[Sample]:
    groups: dict[str, list[Any]] = {}
    for number, alert in enumerate(alerts):
        if not isinstance(alert, dict) or not isinstance(alert.get("labels"), dict):
            yield Sample(source, b"", f"$[{number}] is not an alert: no object 'labels'")
            return
        groups.setdefault(str(alert["labels"].get("alertname", "")), []).append(alert)
    for name, members in groups.items():
        where = source if len(groups) == 1 else f"{source} ({name or 'no alertname'})"
        yield Sample(where, json.dumps(_body(name, members, now)).encode())


def _body(name: str, alerts: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    labels = {"alertname": name} if name else {}
    return webhook([completed(alert, now) for alert in alerts], labels)


def webhook(
    alerts: list[dict[str, Any]], group_labels: Mapping[str, str], *, group_key: str = "", receiver: str = "dry-run"
) -> dict[str, Any]:
    """Build the payload of a group. The default ``group_key`` is that of a root route without matchers."""
    first = alerts[0]["labels"]
    # Values are compared, never hashed: the receiver's parser reports label values that are not strings.
    shared = {name for name in first if all(alert["labels"].get(name) == first[name] for alert in alerts)}
    named = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(group_labels.items()))
    return {
        "receiver": receiver,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": dict(group_labels),
        "commonLabels": {name: first[name] for name in sorted(shared)},
        "commonAnnotations": {},
        "externalURL": "",
        "version": "4",
        "groupKey": group_key or "{}:{" + named + "}",
        "truncatedAlerts": 0,
    }


def completed(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Complete an alert, which may be written by hand or by Alertmanager's API: its status is an object, not a word."""
    labels = given["labels"]
    status = given.get("status")
    return {
        "status": status if status in ("firing", "resolved") else "firing",
        "labels": labels,
        "annotations": given.get("annotations") or {},
        "startsAt": given.get("startsAt") or now.isoformat(),
        "endsAt": (given.get("endsAt") or now.isoformat()) if status == "resolved" else NEVER,
        "generatorURL": given.get("generatorURL") or "",
        "fingerprint": given.get("fingerprint") or fingerprint(labels),
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex characters that depend on the labels only, in place of Alertmanager's fingerprint."""
    return sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


def of_group(
    source: str, alerts: list[dict[str, Any]], group_labels: dict[str, str], receiver: str, cluster: str, now: datetime
) -> Sample:
    """Build the payload of a group from Alertmanager's API."""
    body = webhook([completed(each, now) for each in alerts], group_labels, receiver=receiver)
    return Sample(source, json.dumps(body).encode(), cluster=cluster)


def of_labels(
    members: Iterable[Mapping[str, str]], annotations: dict[str, str], now: datetime, source: str = "labels"
) -> Sample:
    """Build the payload of one group of firing alerts with these labels."""
    alerts = [completed({"labels": dict(labels), "annotations": annotations}, now) for labels in members]
    name = alerts[0]["labels"].get("alertname", "")
    return Sample(source, json.dumps(webhook(alerts, {"alertname": name} if name else {})).encode())
