"""Requests to programs on loopback, for the stage and the demo."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.outgoing import Outgoing


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


_outgoing = Outgoing(_Clock())


def get(url: str, seconds: float) -> Response:
    """Return the response to a GET. Raises UnreachableError."""
    return _send(Request(url, b"", {}, "GET"), seconds)


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Response:
    """Return the response to a POST. Raises UnreachableError."""
    return _send(Request(url, body, headers), seconds)


def _send(request: Request, seconds: float) -> Response:
    # Each request has a connection of its own, because these programs are stopped and started at will.
    once = Request(request.url, request.body, {**request.headers, "Connection": "close"}, request.method)
    return _outgoing.send(once, Deadline(time.monotonic() + seconds))
