"""Health of single pods: GET of the path that the kubelet asks, at the pod's own address.

A Service asks ready pods only, so its answer says nothing about the others.
"""

import ipaddress
import json
import queue
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Health, Scene
from responder.diagnose.spring import health_result
from responder.model.clock import Clock, Deadline
from responder.model.finding import Verdict
from responder.model.message import Request, Response
from responder.outgoing import UnreachableError, join_address

#: Pods of a page that are asked, those that are not ready first.
MOST_PODS = 5
#: Seconds for the answer of a pod.
HEALTH_SECONDS = 1.5
#: Bytes of an answer that are read.
_CAP = 65536

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PATH = re.compile(r"/[!-~]*")
#: Statuses that say that the path is wrong or closed, and nothing about the pod.
_NO_JUDGEMENT = frozenset({401, 403, 404, 405})


@dataclass(frozen=True, slots=True)
class PodHealth:
    """Asks pods for their health, only at addresses inside ``networks``: with none of them it asks nothing.

    ``slots`` are those of the threads that read the cluster. A pod is not asked while none is free.
    """

    networks: tuple[Network, ...]
    send: Callable[[Request, Deadline, int], Response]
    clock: Clock
    slots: threading.BoundedSemaphore

    def start(self, scene: Scene, deadline: Deadline) -> Callable[[], Mapping[str, Health]]:
        """Ask the pods of the subject at the same time. Returns a function that waits for the answers."""
        urls = {pod: url for pod, url in self._urls(scene).items() if self.slots.acquire(blocking=False)}
        news: queue.SimpleQueue[tuple[str, Health]] = queue.SimpleQueue()
        until = deadline.earlier(HEALTH_SECONDS, self.clock.monotonic())
        for pod, url in urls.items():
            threading.Thread(target=self._ask, args=(pod, url, until, news.put), name="pod-health", daemon=True).start()

        def answers() -> Mapping[str, Health]:
            found: dict[str, Health] = {}
            while len(found) < len(urls):
                try:
                    pod, health = news.get(timeout=max(0.001, until.left(self.clock.monotonic())))
                except queue.Empty:
                    break
                found[pod] = health
            late = f"no answer within {HEALTH_SECONDS} s"
            return {pod: Health(url=url, problem=late) for pod, url in urls.items()} | found

        return answers

    def _urls(self, scene: Scene) -> dict[str, str]:
        """Return the address to ask, by pod. A pod without such an address is left out."""
        ranked = sorted(scene.pods_of(scene.workload), key=lambda each: objects.is_true(each, "Ready"))
        found = {objects.name(each): self._url(scene, each) for each in ranked}
        return dict([(pod, url) for pod, url in found.items() if url][:MOST_PODS])

    def _url(self, scene: Scene, pod: Object) -> str:
        address = objects.text(pod, "status", "podIP")
        way = _way(scene, pod)
        if way is None or objects.text(pod, "status", "phase") != "Running" or not self._is_inside(address):
            return ""
        return f"http://{join_address(address, way[0])}{way[1]}"

    def _is_inside(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)

    def _ask(self, pod: str, url: str, until: Deadline, put: Callable[[tuple[str, Health]], None]) -> None:
        began = self.clock.monotonic()
        try:
            response = self.send(Request(url, b"", {"Accept": "application/json, */*;q=0.5"}, "GET"), until, _CAP)
            put((pod, judged(url, response, self.clock.monotonic() - began)))
        except UnreachableError as error:
            put((pod, Health(url=url, problem=str(error))))
        finally:
            self.slots.release()


def judged(url: str, response: Response, seconds: float) -> Health:
    """Return what an answer says. 200 to 399 is well, as for the kubelet, unless the body says DOWN."""
    status = response.status
    try:
        body: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        body = None
    verdict, fact, _ = health_result(status, body, f"{seconds * 1000:.0f} ms")
    if verdict is Verdict.BAD:
        return Health(url=url, status=status, problem=fact, seconds=seconds)
    if status in _NO_JUDGEMENT:
        return Health(url=url, status=0, problem=f"answers {status}", seconds=seconds)
    problem = "" if 200 <= status < 400 else f"answers {status}"
    return Health(url=url, status=status, problem=problem, seconds=seconds)


def _way(scene: Scene, pod: Object) -> tuple[int, str] | None:
    """Return port and path: those of the catalog if the pod has that port, else those of a probe of the kubelet."""
    ports = dict(_ports(objects.items(pod, "spec", "containers")))
    if scene.place.health is not None and scene.place.health[0] in ports.values():
        return scene.place.health
    for probe in ("readinessProbe", "livenessProbe"):
        for container in objects.items(pod, "spec", "containers"):
            given = objects.at(container, probe, "httpGet")
            port = objects.at(given, "port")
            number = ports.get(port) if isinstance(port, str) else port
            path = objects.text(given, "path") or "/"
            plain = objects.text(given, "scheme") in {"", "HTTP"} and _PATH.fullmatch(path)
            if isinstance(number, int) and plain:
                return number, path
    return None


def _ports(containers: Iterable[Object]) -> Iterable[tuple[str, int]]:
    for container in containers:
        for each in objects.items(container, "ports"):
            port = objects.number(each, "containerPort")
            yield objects.text(each, "name") or str(port), port
