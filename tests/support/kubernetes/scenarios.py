"""Scenarios: incidents in a cluster, and what their pages must say and must not say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from responder.standins.cluster.api import Cluster, LogText

_MOMENT = re.compile(r"T\[([+-])(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\]")


@dataclass(frozen=True, slots=True)
class Fact:
    """A regular expression that a page must contain, or must not, and what it stands for."""

    about: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One incident, with its times made absolute. ``given`` is the file as it was read."""

    name: str
    given: Mapping[str, Any]
    cluster: Cluster
    wanted: tuple[Fact, ...]
    forbidden: tuple[Fact, ...]

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager posts."""
        return list(self.given["alerts"])


def load(path: Path, now: datetime) -> Scenario:
    """Read a scenario with ``now`` as the time T at which the alert is posted."""
    given = _dated(_parsed(path), now)
    cluster = given["cluster"]
    logs = [
        LogText(each["namespace"], each["pod"], each["container"], bool(each.get("previous")), each["text"])
        for each in cluster.get("logs") or ()
    ]
    expect = given["expect"]
    return Scenario(
        path.stem,
        given,
        Cluster(cluster["objects"], logs, frozenset(cluster.get("deny") or ())),
        tuple(Fact(each["fact"], re.compile(each["match"], re.IGNORECASE)) for each in expect.get("all") or ()),
        tuple(Fact(each["why"], re.compile(each["match"], re.IGNORECASE)) for each in expect.get("none") or ()),
    )


def notification(scenario: Scenario, status: str = "firing") -> bytes:
    """Return the body that Alertmanager posts."""
    alerts = [
        {
            "status": status,
            "labels": each["labels"],
            "annotations": each.get("annotations", {}),
            "startsAt": each["startsAt"],
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else datetime.now(UTC).isoformat(),
            "generatorURL": "",
            "fingerprint": "",
        }
        for each in scenario.alerts
    ]
    common = scenario.alerts[0]["labels"]
    group = {"alertname": common["alertname"], "scenario": scenario.name}
    return json.dumps(
        {
            "version": "4",
            "groupKey": "{}:{" + ", ".join(f'{key}="{value}"' for key, value in group.items()) + "}",
            "status": status,
            "receiver": "responder",
            "groupLabels": {"alertname": common["alertname"]},
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "truncatedAlerts": 0,
            "alerts": alerts,
        }
    ).encode()


@cache
def _parsed(path: Path) -> Any:
    """Return a file as it is. ``_dated`` copies it."""
    return yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _dated(value: Any, now: datetime) -> Any:
    if isinstance(value, dict):
        return {key: _dated(each, now) for key, each in value.items()}
    if isinstance(value, list):
        return [_dated(each, now) for each in value]
    if isinstance(value, str):
        return _MOMENT.sub(lambda found: _moment(found, now), value)
    return value


def _moment(found: re.Match[str], now: datetime) -> str:
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups()[1:])
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    moment = now - span if found[1] == "-" else now + span
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: Lines of a page that name things which are not blamed: what is ruled out or unknown, labels, alerts, history, steps.
_NOT_BLAMED = re.compile(
    r"ruled out|unknown|not seen|not checked|skipped|labels|also firing|related|history|first step|runbook|"
    r"summary:|alerts?:",
    re.IGNORECASE,
)


def problems_of(scenario: Scenario, page: str) -> list[str]:
    """Return the facts that a page lacks, and the forbidden ones that it states."""
    lines = [line for line in page.splitlines() if not _NOT_BLAMED.search(line)]
    missing = [
        f"missing: {each.about} ({each.pattern.pattern})" for each in scenario.wanted if not each.pattern.search(page)
    ]
    stated = [
        f"states: {each.about} ({each.pattern.pattern}) in {line!r}"
        for each in scenario.forbidden
        for line in lines
        if each.pattern.search(line)
    ]
    return missing + stated
