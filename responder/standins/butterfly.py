"""BUTTERFLY on loopback: five Spring Boot health endpoints behind one port, each with the health it is set to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.standins.server import Call, OnEvent, Reply, StandIn, as_json

SERVICES = ("capsule", "odyssey", "perception", "plato", "nexus")
COMPONENTS = ("db", "diskSpace", "ping")
_PATH = "/actuator/health"
_METRICS = "/actuator/prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Health of a service: built by the functions below."""

    status: str = "UP"
    broken: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False
    delay: float = 0.0
    gone: bool = False


def up() -> Health:
    """All components are UP."""
    return Health()


def down(component: str = "db", error: str = "java.net.ConnectException: Connection refused") -> Health:
    """The service is DOWN (503) because of one component."""
    return Health(status="DOWN", broken={component: error})


def hidden(status: str = "UP") -> Health:
    """Only the status is shown: Spring Boot's default (show-details: never)."""
    return Health(status=status, hidden=True)


def slow(seconds: float) -> Health:
    """UP, after so long."""
    return Health(delay=seconds)


def gone() -> Health:
    """Every connection is reset."""
    return Health(gone=True)


class ButterflyStandIn(StandIn):
    """Answers at ``/<service>/actuator/health``, and at ``/actuator/health`` by the Host header's service.

    ``/<service>/actuator/prometheus`` is there to be scraped: ``application_up`` is 1 while the service's status is UP.
    """

    def __init__(self, *, on_event: OnEvent | None = None) -> None:
        super().__init__(on_event=on_event)
        self._health = {name: up() for name in SERVICES}

    def set(self, service: str, health: Health) -> None:
        """From now on ``service`` is like this. Raises KeyError for a service BUTTERFLY does not have."""
        with self.lock:
            if service not in self._health:
                raise KeyError(service)
            self._health[service] = health

    @property
    def connect_to(self) -> dict[str, str]:
        """Addresses for ``http://plato:8080`` and the others, in the format of RESPONDER_CONNECT_TO."""
        return {f"{name}:8080": f"127.0.0.1:{self.port}" for name in SERVICES}

    def health_url(self, service: str) -> str:
        """The health address of a service under this server's own."""
        return f"{self.url}/{service}{_PATH}"

    @property
    def scrape_targets(self) -> dict[str, str]:
        """Scrape targets of the services, as ``host:port/path``."""
        return {name: f"127.0.0.1:{self.port}/{name}{_METRICS}" for name in SERVICES}

    def answer(self, call: Call) -> Reply:
        """The health or the metrics of the service named; 404 for other paths and services."""
        path, service = _asked(call)
        with self.lock:
            health = self._health.get(service)
        if health is None:
            return as_json(404, {"status": 404, "error": "Not Found", "path": call.path})
        if health.delay:
            self.wait(health.delay)
        if path == _PATH:
            self.emit("butterfly.health", (service, health))
        if health.gone:
            return Reply(0, close=True)
        if path == _METRICS:
            text = f"# TYPE application_up gauge\napplication_up {int(health.status == 'UP')}\n"
            return Reply(200, text.encode(), {"Content-Type": "text/plain; version=0.0.4"})
        return as_json(503 if health.status in {"DOWN", "OUT_OF_SERVICE"} else 200, _shown(health))


def _asked(call: Call) -> tuple[str, str]:
    """The end of the path, and the service: the path's first part, or the Host header's where the path has no other."""
    path = call.path.partition("?")[0].rstrip("/")
    end = next((each for each in (_PATH, _METRICS) if path.endswith(each)), "")
    named = path.removesuffix(end).removeprefix("/").partition("/")[0] if end else ""
    return end, named if named or not end else call.headers.get("host", "").partition(":")[0].partition(".")[0]


def _shown(health: Health) -> dict[str, Any]:
    if health.hidden:
        return {"status": health.status}
    components: dict[str, Any] = {name: {"status": "UP"} for name in COMPONENTS}
    for name, error in health.broken.items():
        components[name] = {"status": "DOWN", "details": {"error": error}}
    return {"status": health.status, "components": components}
