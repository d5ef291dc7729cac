"""Context of the checks of ``responder doctor``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from responder.model.check import Result
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.rule import RuleBook
from responder.outgoing import Outgoing
from responder.outgoing.smtp import Mailer
from responder.settings import Settings

#: Maximum response size in bytes: Alertmanager returns its whole configuration.
ANSWER_LIMIT = 4 * 1024 * 1024


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
