"""A stand-in for HolmesGPT's HTTP API: POST /api/chat, as its reference documents it."""

from __future__ import annotations

import json
import threading

from responder.standins.server import Call, Reply, StandIn, as_json


class Investigator(StandIn):
    """Answers ``analysis`` once ``free`` is set, which it is at first. ``asked`` holds the questions."""

    def __init__(self, analysis: str = "The database is out of connections.", token: str = "") -> None:
        super().__init__()
        self.analysis = analysis
        self.token = token
        self.free = threading.Event()
        self.free.set()
        self.asked: list[str] = []

    def answer(self, call: Call) -> Reply:
        """Refuse what the reference does not describe; answer with the conversation, as the original does."""
        if (call.method, call.path) != ("POST", "/api/chat"):
            return as_json(404, {"detail": "Not Found"})
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return as_json(401, {"detail": "Invalid or missing API key"})
        sent = json.loads(call.body)
        if not isinstance(sent.get("ask"), str) or call.headers.get("content-type") != "application/json":
            return as_json(422, {"detail": "ask: Field required"})
        self.asked.append(sent["ask"])
        self.free.wait()
        history = [{"role": "user", "content": sent["ask"]}, {"role": "assistant", "content": self.analysis}]
        return as_json(
            200, {"analysis": self.analysis, "conversation_history": history, "tool_calls": [], "metadata": {}}
        )
