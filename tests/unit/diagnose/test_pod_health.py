"""Health of single pods, asked over real connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.cluster.causes.health import look
from responder.diagnose.cluster.health import PodHealth
from responder.diagnose.cluster.scene import Place, Scene
from responder.model.clock import Deadline
from responder.model.clue import Clue, Role
from responder.outgoing import Outgoing

CLOCK = SystemClock()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WELL = (200, {"status": "UP"})
DOWN = (
    503,
    {"status": "DOWN", "components": {"db": {"status": "DOWN", "details": {"error": "Connection refused"}}}},
)


class Pods:
    """Pods of a Deployment, each with a server of its own on 127.42.0.0/16."""

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.servers: list[ThreadingHTTPServer] = []
        self.slots = threading.BoundedSemaphore(8)

    def add(self, answer: tuple[int, object] | None, *, ready: bool = True) -> None:
        """Add a pod that answers with a status and a body; with None nothing listens at its port."""
        number = len(self.objects) + 1
        address = f"127.42.0.{number}"
        server = ThreadingHTTPServer((address, 0), self._handler(answer, address))
        port = server.server_port
        if answer is None:
            server.server_close()
        else:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        probe = {"httpGet": {"path": "/ready", "port": "http"}}
        container = {
            "name": "plato",
            "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": probe,
        }
        self.objects.append(
            {
                "kind": "Pod",
                "metadata": {
                    "name": f"plato-{number}",
                    "namespace": "shop",
                    "ownerReferences": [{"kind": "Deployment", "name": "plato", "uid": "d", "controller": True}],
                },
                "spec": {"containers": [container]},
                "status": {
                    "phase": "Running",
                    "podIP": address,
                    "conditions": [{"type": "Ready", "status": str(ready)}],
                },
            }
        )

    def _handler(self, answer: tuple[int, object] | None, address: str) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer, and record the request."""
                asked.append(f"{address}{self.path}")
                status, body = answer or WELL
                if status == 0:
                    time.sleep(5)
                    return
                said = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return Handler

    def clues(self, networks: str = "127.42.0.0/16") -> tuple[Clue, ...]:
        """Ask the pods, and return what the look sees."""
        workload = {
            "kind": "Deployment",
            "metadata": {"name": "plato", "namespace": "shop", "uid": "d"},
            "spec": {"replicas": len(self.objects)},
        }
        scene = Scene(
            place=Place(namespace="shop", workload="plato"),
            now=NOW,
            began=NOW,
            objects={"Deployment": (workload,), "Pod": tuple(self.objects)},
        )
        ask = PodHealth(tuple(map(ip_network, networks.split())), Outgoing(CLOCK).send, CLOCK, self.slots)
        answers = ask.start(scene, Deadline(CLOCK.monotonic() + 5))()
        return look(Scene(place=scene.place, now=NOW, began=NOW, objects=scene.objects, health=answers))


@pytest.fixture
def pods() -> Iterator[Pods]:
    """No pods yet."""
    made = Pods()
    yield made
    for server in made.servers:
        server.shutdown()
        server.server_close()


def test_all_pods_that_answer_well_are_ruled_out(pods: Pods) -> None:
    """Health is ruled out only after each pod has answered well."""
    for _ in range(3):
        pods.add(WELL)
    (clue,) = pods.clues()
    assert clue.role is Role.FINE
    assert "all 3 pods of plato answer" in clue.says
    assert sorted(pods.asked) == ["127.42.0.1/ready", "127.42.0.2/ready", "127.42.0.3/ready"]


def test_no_more_pods_are_asked_than_threads_are_free(pods: Pods) -> None:
    """A pod that gets none of the threads that read the cluster neither fails nor is ruled out."""
    pods.slots = threading.BoundedSemaphore(1)
    pods.add(DOWN, ready=False)
    pods.add(None, ready=False)
    (clue,) = pods.clues()
    assert clue.role is Role.SYMPTOM
    assert clue.says.startswith("1 of 2 pods of plato fail the health check")
    assert pods.slots.acquire(timeout=5)


def test_one_well_pod_of_three_rules_nothing_out(pods: Pods) -> None:
    """With two of three pods unhealthy the page says so, with the component that is down."""
    pods.add(WELL)
    pods.add(DOWN, ready=False)
    pods.add(DOWN, ready=False)
    (clue,) = pods.clues()
    assert clue.role is Role.SYMPTOM
    assert clue.says.startswith("2 of 3 pods of plato fail the health check")
    assert "db DOWN (Connection refused)" in clue.says
    assert "1 answer well" in clue.says


def test_a_ready_pod_that_cannot_be_reached_is_unknown(pods: Pods) -> None:
    """A pod that the kubelet finds ready may be behind a network policy, so that it refuses here says nothing."""
    pods.add(None)
    (clue,) = pods.clues()
    assert clue.role is Role.UNSEEN


def test_a_pod_that_is_not_ready_and_refuses_fails(pods: Pods) -> None:
    """A pod that is not ready and refuses connections fails its health check."""
    pods.add(None, ready=False)
    (clue,) = pods.clues()
    assert clue.role is Role.SYMPTOM
    assert "the only pod of plato" in clue.says


def test_addresses_outside_the_networks_are_not_asked(pods: Pods) -> None:
    """Only addresses inside the allowed networks are asked; with none allowed, nothing is."""
    pods.add(WELL)
    assert pods.clues("10.42.0.0/16") == ()
    assert pods.clues("") == ()
    assert pods.asked == []


def test_at_most_five_pods_are_asked_unready_ones_first(pods: Pods) -> None:
    """Of many pods five are asked, those that are not ready among them, and the others are not ruled out."""
    for _ in range(6):
        pods.add(WELL)
    pods.add(DOWN, ready=False)
    (clue,) = pods.clues()
    assert "127.42.0.7/ready" in pods.asked
    assert len(pods.asked) == 5
    assert clue.says.startswith("1 of 7 pods of plato fail")


def test_a_pod_that_hangs_costs_its_own_time_only(pods: Pods) -> None:
    """A pod that does not answer ends with its own deadline; the answers of the others count."""
    pods.add((0, None), ready=False)
    pods.add(WELL)
    began = time.monotonic()
    (clue,) = pods.clues()
    assert time.monotonic() - began < 4
    assert clue.role is Role.SYMPTOM
    assert clue.says.startswith("1 of 2 pods of plato fail")
