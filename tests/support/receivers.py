"""Receivers of webhooks on loopback, each with the judgement of its vendor."""

from __future__ import annotations

from collections.abc import Callable

from responder.standins.server import Call, Reply, StandIn


class Receiver(StandIn):
    """Keeps the requests that it accepted. ``judge`` returns why it refuses one, empty if it takes it."""

    def __init__(self, judge: Callable[[Call], str], accepted: Reply) -> None:
        super().__init__()
        self.accepted: list[Call] = []
        self._judge = judge
        self._reply = accepted

    def answer(self, call: Call) -> Reply:
        """The vendor's acceptance, or 400 with the reason."""
        if why := self._judge(call):
            return Reply(400, why.encode())
        with self.lock:
            self.accepted.append(call)
        return self._reply

    @property
    def text(self) -> str:
        """All accepted bodies."""
        with self.lock:
            return "\n".join(call.body.decode() for call in self.accepted)
