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
from responder.model.decision import Subject
from responder.model.message import Response
from tests.support.kubernetes.scenarios import Scenario


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def scene_of(scenario: Scenario, seconds: float = 5.0) -> Scene:
    """Read the cluster of a scenario as the probe does."""
    labels = scenario.alerts[0]["labels"]
    name = labels.get("service") or labels.get("deployment") or ""
    subject = Subject(
        service=None, namespace=labels.get("namespace", ""), name=name, values=labels, why="", rejected=()
    )
    place = place_of(ProbeContext(subject=subject, services={}, prometheus_url="", cluster=True))
    clock = _Clock()
    shared = SharedReads(lambda target, _deadline, _cap: Response(*scenario.cluster.answer(target)), clock)
    began = datetime.fromisoformat(scenario.alerts[0]["startsAt"])
    return collect(place, Reader(shared.get, clock), Deadline(clock.monotonic() + seconds), clock, began)


def clues_of(scenario: Scenario) -> tuple[Clue, ...]:
    """Return what an investigation of a scenario sees."""
    scene = scene_of(scenario)
    return (*investigate(scene), *unseen(scene))


def minutes_ago(now: datetime, minutes: float) -> str:
    """Return a time as the API writes it."""
    return (now - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
