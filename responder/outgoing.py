"""The one way out: HTTP with a total deadline, a byte cap and no redirects, and plain TCP under the same rules."""

from __future__ import annotations

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response


class CouldNotReach(Exception):
    """The other side gave no usable answer; the text says why in a few words and holds no secret."""


class Outgoing:
    """STUB: being written by a helper. Interface: see brief."""

    def __init__(self, clock: Clock) -> None: ...

    def send(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        raise NotImplementedError
