"""Sender of the stream: posts the alerts to both Alertmanagers repeatedly, as Prometheus does."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from tests.faults.door import SILENCE_SECONDS, Door
from tests.faults.stream import Alert, Episode, Group
from tests.faults.timeline import Timeline

_TICK = 0.1
_RESEND = 1.0
#: Seconds until Alertmanager resolves an alert that is not sent again.
_KEEPS_FIRING = 60.0


@dataclass(slots=True)
class _Running:
    """State of an alert: the current episode, with its start and end in epoch seconds."""

    group: Group
    alert: Alert
    episode: int = 0
    started: float = 0.0
    ended: float = 0.0
    history: list[float] = field(default_factory=list)

    @property
    def planned(self) -> Episode:
        return self.alert.episodes[self.episode]


class Driver:
    """Plays the stream.

    An alert resolves after its start was acknowledged, and re-fires after its resolve was: an alert that Alertmanager
    itself drops (one that resolves before its first notification) is not part of the guarantees.
    """

    def __init__(self, groups: Sequence[Group], alertmanagers: Sequence[str], door: Door, timeline: Timeline) -> None:
        self._running = [_Running(group, alert) for group in groups for alert in group.alerts]
        self._alertmanagers = alertmanagers
        self._door = door
        self._timeline = timeline
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    @property
    def starts(self) -> dict[str, list[float]]:
        """Start times of the episodes of each alert, in epoch seconds."""
        return {each.alert.name: list(each.history) for each in self._running}

    def over(self) -> bool:
        """True if the whole stream was played and acknowledged."""
        return all(self._done(each) for each in self._running)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _play(self) -> None:
        began = told = time.monotonic()
        while not self._stop.wait(_TICK):
            now = time.monotonic()
            moved = [each for each in self._running if self._move(each, now - began)]
            if moved or now - told >= _RESEND:
                self._tell([each for each in self._running if each.started])
                told = now

    def _move(self, each: _Running, at: float) -> bool:
        """Begin or end what is due; whether anything changed."""
        wall = round(time.time(), 3)
        if each.started == 0.0 or (each.ended and each.episode + 1 < len(each.alert.episodes)):
            nth = each.episode + 1 if each.ended else 0
            if each.alert.episodes[nth].begins > at or (each.ended and not self._may_return(each)):
                return False
            each.episode, each.started, each.ended = nth, wall, 0.0
            each.history.append(wall)
            self._timeline.note(f"{each.alert.name} ({each.group.severity}) begins to fire")
            return True
        until = each.planned.until
        if each.ended or until is None or until > at or not self._may_end(each):
            return False
        each.ended = wall
        self._timeline.note(f"{each.alert.name} is over")
        return True

    def _may_return(self, each: _Running) -> bool:
        """An old "firing" that Alertmanager still tries to send would make it believe that it has sent the new one."""
        return self._heard(each, firing=False) and self._door.nothing_pending(each.group.name)

    def _may_end(self, each: _Running) -> bool:
        """True if both Alertmanagers know an alert that re-fired.

        Prometheus keeps sending its earlier resolve. An Alertmanager that knows nothing newer sends that resolve
        after its peer's new "firing", and so the pair believes that the new resolve has been sent.
        """
        if each.episode and time.time() - each.started < SILENCE_SECONDS:
            return False
        others = [other for other in self._running if other.group is each.group and other is not each]
        is_first = each.alert is each.group.alerts[0]
        return self._heard(each, firing=True) and not (is_first and not all(other.ended for other in others))

    def _done(self, each: _Running) -> bool:
        if not each.started or each.episode + 1 < len(each.alert.episodes):
            return False
        over = each.planned.until is not None
        return bool(each.ended) == over and self._heard(each, firing=not over)

    def _heard(self, each: _Running, *, firing: bool) -> bool:
        return self._door.heard(each.alert.name, each.started, firing=firing)

    def _tell(self, alerts: Sequence[_Running]) -> None:
        post(self._alertmanagers, [alert_of(each.group, each.alert, each.started, each.ended) for each in alerts])


def post(alertmanagers: Sequence[str], alerts: Sequence[dict[str, Any]]) -> None:
    """Send alerts to each Alertmanager. One that does not respond gets them the next time, as from Prometheus."""
    body = json.dumps(alerts).encode()
    for url in alertmanagers:
        request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):
            pass


def alert_of(group: Group, alert: Alert, started: float, ended: float = 0.0, description: str = "") -> dict[str, Any]:
    """Return an alert as Prometheus sends it; times are in epoch seconds."""
    return {
        "labels": group.labels(alert),
        "annotations": {"summary": f"{alert.name} does not work", "description": description},
        "startsAt": _rfc3339(started),
        "endsAt": _rfc3339(ended or time.time() + _KEEPS_FIRING),
    }


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
