"""Load balancer between Alertmanagers and replicas, like a Kubernetes Service, which records acknowledged webhooks."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.receive.oversized import excerpt
from responder.standins.server import Call, Reply, StandIn
from tests.faults.stream import MAX_BODY_BYTES
from tests.faults.timeline import Timeline

#: Seconds without a notification after which Alertmanager has none pending: longer than its group_interval.
SILENCE_SECONDS = 3.0
_GIVES_UP = 11.0
_PATIENCE = 12.0
#: Alerts of a webhook that the timeline names.
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A webhook that was answered with 2xx: from then on it must not be lost.

    ``firing`` and ``resolved`` hold name and start of the alerts in it; ``fingerprints`` are by name.
    """

    number: int
    asked: float
    answered: float
    body: bytes
    group_key: str
    firing: frozenset[tuple[str, float]]
    resolved: frozenset[tuple[str, float]]
    fingerprints: dict[str, str]


class Door(StandIn):
    """Each request goes to the next replica. Where that does not answer Alertmanager is reset, and tries again."""

    def __init__(self, addresses: Sequence[str], token: str, timeline: Timeline) -> None:
        super().__init__()
        self._next = itertools.cycle(addresses)
        self._token = token
        self._timeline = timeline
        self.kept: list[Acknowledged] = []
        self._failed: list[Call] = []

    def answer(self, call: Call) -> Reply:
        """Response of the replica."""
        with self.lock:
            address = next(self._next)
        try:
            status, said = self._ask(address, call.body)
        except (OSError, http.client.HTTPException) as error:
            self._fail(call, f"no answer from {address}: {type(error).__name__}")
            return Reply(0, close=True)
        if status == 202:
            self._witness(call, int(json.loads(said)["id"]))
        else:
            self._fail(call, f"{status} from {address}: {said.decode('utf-8', 'replace').strip()}")
        return Reply(status, said)

    def _ask(self, address: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address, timeout=_PATIENCE)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        try:
            connection.request("POST", "/webhook/alertmanager", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _witness(self, call: Call, number: int) -> None:
        kept = acknowledged(call.body, number=number, asked=call.arrived, answered=time.monotonic())
        with self.lock:
            self.kept.append(kept)
        firing, resolved = (_shown([name for name, _ in each]) for each in (kept.firing, kept.resolved))
        self._timeline.note(f"webhook {number} acknowledged: firing [{firing}] resolved [{resolved}]")

    def _fail(self, call: Call, why: str) -> None:
        with self.lock:
            self._failed.append(call)
        self._timeline.note(f"webhook: {why}")

    def quiet_for(self, seconds: float) -> bool:
        """True if no webhook arrived for that many seconds."""
        with self.lock:
            return _silent(self.calls, seconds)

    def nothing_pending(self, group: str) -> bool:
        """True if Alertmanager has no pending notification for a group: it gives up a flush after 10 s."""
        with self.lock:
            calls, failed = ([each for each in of if group.encode() in each.body] for of in (self.calls, self._failed))
        return _silent(calls, SILENCE_SECONDS) and _silent(failed, _GIVES_UP)

    def heard(self, name: str, started: float, *, firing: bool) -> bool:
        """True if an alert was acknowledged in this state."""
        with self.lock:
            return any((name, started) in (each.firing if firing else each.resolved) for each in self.kept)


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return " ".join(sorted(names)[:_SHOWN]) + more


def _silent(calls: Sequence[Call], seconds: float) -> bool:
    return not calls or time.monotonic() - calls[-1].arrived > seconds


def acknowledged(body: bytes, *, number: int, asked: float, answered: float) -> Acknowledged:
    """Parse the body of a webhook, or what is kept of one that is too large."""
    body = body if len(body) <= MAX_BODY_BYTES else excerpt([body], MAX_BODY_BYTES).body
    group = json.loads(body)
    found: dict[str, set[tuple[str, float]]] = {"firing": set(), "resolved": set()}
    for alert in group["alerts"]:
        started = datetime.fromisoformat(alert["startsAt"]).timestamp()
        found[alert["status"]].add((alert["labels"]["instance"], round(started, 3)))
    return Acknowledged(
        number=number,
        asked=asked,
        answered=answered,
        body=body,
        group_key=group["groupKey"],
        firing=frozenset(found["firing"]),
        resolved=frozenset(found["resolved"]),
        fingerprints={alert["labels"]["instance"]: alert["fingerprint"] for alert in group["alerts"]},
    )
