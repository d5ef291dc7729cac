"""Investigates a scenario in memory: the same code as in a page, without a server."""

import time
from datetime import UTC, datetime, timedelta

from responder.diagnose.cluster.causes import investigate, unseen
from responder.diagnose.cluster.collect import collect
from responder.diagnose.cluster.reader import Reader, SharedReads
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.contract import ProbeContext
from responder.diagnose.probes.kubernetes import place_of
from responder.model.clock import Deadline
from responder.model.clue import Clue
from responder.model.message import Response
from responder.triage.subject import subject
from tests.support.kubernetes.scenarios import Scenario
from tests.support.platform import a_book, a_service


class _Clock:
    def __init__(self, now: datetime | None) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now or datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def scene_of(scenario: Scenario, seconds: float = 5.0, now: datetime | None = None) -> Scene:
    """Read the cluster of a scenario as the probe does at ``now``."""
    labels = scenario.alerts[0]["labels"]
    services = {
        name: a_service(name, namespace=labels.get("namespace", ""), depends_on=tuple(each.get("depends_on") or ()))
        for name, each in (scenario.given.get("catalogue") or {}).items()
    }
    book = a_book(services=services, namespace="")
    known = ProbeContext(subject=subject(labels, book), services=services, prometheus_url="", cluster=True)
    place = place_of(known)
    clock = _Clock(now)
    shared = SharedReads(lambda target, _deadline, _cap, _accept: Response(*scenario.cluster.answer(target)), clock)
    began = datetime.fromisoformat(scenario.alerts[0]["startsAt"])
    return collect(place, Reader(shared, clock), Deadline(clock.monotonic() + seconds), clock, began)


def clues_of(scenario: Scenario, now: datetime | None = None) -> tuple[Clue, ...]:
    """Return what an investigation of a scenario sees at ``now``."""
    scene = scene_of(scenario, now=now)
    return (*investigate(scene), *unseen(scene))


def minutes_ago(now: datetime, minutes: float) -> str:
    """Return a time as the API writes it."""
    return (now - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
