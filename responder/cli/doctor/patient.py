"""What the checks of ``responder doctor`` look with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from responder.model.check import Result
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.rule import RuleBook
from responder.outgoing import Outgoing
from responder.outgoing.smtp import Mailer
from responder.settings import Settings

#: Bytes of an answer that are read: Alertmanager answers with its whole configuration.
ANSWER_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorContext:
    """What the checks look at. ``book`` is None where the rules cannot be used; ``send`` allows test messages."""

    settings: Settings
    environment: Mapping[str, str]
    book: RuleBook | None
    outgoing: Outgoing
    mailer: Mailer
    clock: Clock
    deadline: Deadline
    send: bool

    def exchange(self, request: Request) -> Response:
        """Send the request of a channel's check. Raises UnreachableError by the deadline."""
        way_out = self.mailer if request.mail_server else self.outgoing
        return way_out.send(request, self.deadline, ANSWER_LIMIT)

    def get(self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
        """The answer to a request without a body. Raises UnreachableError by the deadline."""
        return self.outgoing.send(Request(url, b"", headers or {}, method), self.deadline, ANSWER_LIMIT)

    def ask(self, url: str) -> Response:
        """The same from Prometheus or Alertmanager, which may want their token."""
        return self.outgoing.ask(Request(url, b"", {}, "GET"), self.deadline, ANSWER_LIMIT)


Check = Callable[[DoctorContext], tuple[Result, ...]]
