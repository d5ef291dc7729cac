"""Context of the checks of ``responder doctor``, and their parallel run."""

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from responder.model.check import Result, bad
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.rule import RuleBook
from responder.outgoing import Outgoing
from responder.outgoing.smtp import Mailer
from responder.settings import Settings

#: Maximum response size in bytes: Alertmanager returns its whole configuration.
ANSWER_LIMIT = 4 * 1024 * 1024
#: Seconds after the deadline in which a check can still report its timeout.
_GRACE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorContext:
    """Inputs of the checks. ``book`` is None if the rules are invalid; ``send`` allows test messages."""

    settings: Settings
    environment: Mapping[str, str]
    book: RuleBook | None
    outgoing: Outgoing
    mailer: Mailer
    clock: Clock
    deadline: Deadline
    send: bool
    #: Waits while the test pages are open, so that a person can see them.
    hold: Callable[[], object] = lambda: None

    def exchange(self, request: Request) -> Response:
        """Send the request of a channel's check. Raises UnreachableError by the deadline."""
        way_out = self.mailer if request.mail_server else self.outgoing
        return way_out.send(request, self.deadline, ANSWER_LIMIT)

    def get(self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
        """Send a request without a body. Raises UnreachableError by the deadline."""
        return self.outgoing.send(Request(url, b"", headers or {}, method), self.deadline, ANSWER_LIMIT)

    def query(self, url: str, body: bytes = b"") -> Response:
        """GET from Prometheus or Alertmanager, or POST the JSON in ``body``, with their credentials.

        Raises UnreachableError by the deadline.
        """
        headers, method = ({"Content-Type": "application/json"}, "POST") if body else ({}, "GET")
        return self.outgoing.query(Request(url, body, headers, method), self.deadline, ANSWER_LIMIT)


Check = Callable[[DoctorContext], tuple[Result, ...]]


def run(checks: Mapping[str, Check], context: DoctorContext) -> tuple[Result, ...]:
    """Run the checks and return their results, in order. A check that exceeds the deadline is bad."""
    done: queue.SimpleQueue[tuple[str, tuple[Result, ...]]] = queue.SimpleQueue()

    def work(name: str, check: Check) -> None:
        done.put((name, check(context)))

    for name, check in checks.items():
        threading.Thread(target=work, args=(name, check), name=f"doctor-{name}", daemon=True).start()
    found: dict[str, tuple[Result, ...]] = {}
    while len(found) < len(checks):
        try:
            name, results = done.get(timeout=max(0.001, context.deadline.left(context.clock.monotonic()) + _GRACE))
        except queue.Empty:
            break
        found[name] = results
    return tuple(result for name in checks for result in (found[name] if name in found else (_late(name),)))


def _late(name: str) -> Result:
    return bad(name, "timed out", "check the network, or raise --timeout")
