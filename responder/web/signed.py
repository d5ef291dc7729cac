"""Signed requests of vendors: the body is bounded and its signature checked before anything else is read of it."""

from collections.abc import Callable

import structlog
from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from responder.counters import COUNTERS
from responder.model.clock import Clock
from responder.web.app import line
from responder.web.not_found import LogThrottle

_log = structlog.get_logger()


class SignedRequests:
    """The signed requests of one vendor. Refused ones are counted, and logged once a minute for each address."""

    def __init__(self, vendor: str, most_bytes: int, problem: Callable[[bytes], str], clock: Clock) -> None:
        """``problem`` returns why the present request does not sign a body, empty if it does."""
        self._vendor = vendor
        self._most_bytes = most_bytes
        self._problem = problem
        self._refused = LogThrottle(clock)

    def body(self) -> bytes | Response:
        """Return the body of the present request, or the response that refuses it."""
        request.max_content_length = self._most_bytes
        try:
            body = request.get_data(cache=True)
        except RequestEntityTooLarge:
            return self.refuse(413, f"the body is larger than {self._most_bytes} bytes")
        why = self._problem(body)
        return self.refuse(401, why) if why else body

    def refuse(self, status: int, why: str) -> Response:
        """Return the response that refuses the present request."""
        COUNTERS.add("responder_actions", "refused")
        if count := self._refused.count(request.remote_addr or ""):
            event, remote = f"{self._vendor}.refused", request.remote_addr
            _log.warning(event, remote=remote, status=status, reason=why, requests=count)
        return line(status, why)
