"""Sends one message: render, send, read the response. The outbox handles failures."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from responder.counters import COUNTERS
from responder.model.clock import Clock, Deadline
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, TryLater
from responder.model.redaction import REDACTIONS
from responder.model.secret import Secret, scrub
from responder.notify.contract import Channel
from responder.outgoing import UnreachableError

#: Bytes of a response that are read.
ANSWER_LIMIT = 64 * 1024
#: The same for a response to a look-up, which may be a list.
LIST_LIMIT = 1024 * 1024
_REDACTED = re.compile(rb"\[REDACTED:([a-z-]{1,20})\]")


class Transport(Protocol):
    """Transport for one URL scheme."""

    def send(self, request: Request, deadline: Deadline, cap: int) -> Response:
        """Return the response as HTTP, by the deadline. Raises UnreachableError if there is none."""


class Deliverer:
    """Sends the requests of all channels, by the scheme of their URL. ``print_page`` writes to standard output.

    ``secrets`` and those of the channel are masked in every reason: reasons are logged and stored.
    """

    def __init__(
        self,
        outgoing: Transport,
        clock: Clock,
        print_page: Callable[[str], None],
        secrets: tuple[Secret, ...] = (),
        mailer: Transport | None = None,
    ) -> None:
        self._transports: dict[str, Transport] = {
            "http": outgoing,
            "https": outgoing,
            "stdout": _Printer(print_page),
        } | ({"submission": mailer} if mailer else {})
        self._clock = clock
        self._secrets = secrets

    def deliver(self, channel: Channel, message: ClaimedMessage, deadline: Deadline) -> Outcome:
        """Make one attempt, by the deadline. Network errors become an outcome; there is no retry here.

        A request without a response may have been accepted all the same: PagerDuty's dedup key makes that harmless,
        and a Slack message twice is better than never.
        """
        if deadline.left(self._clock.monotonic()) <= 0:
            return TryLater("no time left for this attempt")
        if (known := channel.early(message)) is not None:
            return known
        request: Request | None = channel.render(message)
        responses: list[Response] = []
        try:
            while request is not None:
                responses.append(self._sent(request, deadline))
                request = channel.following(message, responses)
        except UnreachableError as error:
            return self._scrubbed(channel, TryLater(str(error)))
        return self._scrubbed(channel, channel.read(message, responses[-1]))

    def _sent(self, request: Request, deadline: Deadline) -> Response:
        for kind in _REDACTED.findall(request.body):
            if kind.decode() in REDACTIONS:  # an alert may contain a mark of its own
                COUNTERS.add("responder_redactions", kind.decode())
        transport = self._transports[request.url.partition(":")[0].lower()]
        limit = LIST_LIMIT if request.method == "GET" else ANSWER_LIMIT
        return transport.send(request, deadline, limit)

    def _scrubbed(self, channel: Channel, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Delivered | Continue):
            return outcome
        return replace(outcome, reason=scrub(outcome.reason, self._secrets + channel.secrets))


class _Printer:
    """Passes a page to ``print_page``."""

    def __init__(self, print_page: Callable[[str], None]) -> None:
        self._print_page = print_page

    def send(self, request: Request, deadline: Deadline, cap: int) -> Response:
        self._print_page(request.body.decode("utf-8", "replace"))
        return Response(200, b"ok")
