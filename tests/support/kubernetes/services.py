"""The health endpoints of BUTTERFLY's services, as the Services of a scenario answer."""

from responder.standins.butterfly import SERVICES
from responder.standins.server import Call, Reply, StandIn, as_json
from tests.support.kubernetes.scenarios import Scenario


class ServicesStandIn(StandIn):
    """Answers by the Host header: what the scenario says, else 200 if a pod of the name is ready, else a reset."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__()
        self.scenario = scenario

    @property
    def connect_to(self) -> str:
        """The setting RESPONDER_CONNECT_TO."""
        return ",".join(f"{name}:8080=127.0.0.1:{self.port}" for name in SERVICES)

    def answer(self, call: Call) -> Reply:
        """Return the answer of the Service."""
        name = call.headers.get("host", "").partition(":")[0]
        given = (self.scenario.given.get("http") or {}).get("service", {}).get(name)
        if given == "refuse" or (given is None and not self._has_ready_pod(name)):
            return Reply(0, close=True)
        status, body = given or (200, {"status": "UP"})
        return as_json(status, body)

    def _has_ready_pod(self, name: str) -> bool:
        pods = [each for each in self.scenario.cluster.objects if each["kind"] == "Pod"]
        own = [each for each in pods if each["metadata"]["name"].startswith(f"{name}-")]
        ready = {"type": "Ready", "status": "True"}
        return not own or any(
            ready.items() <= condition.items()
            for each in own
            for condition in (each.get("status") or {}).get("conditions") or ()
        )
