"""Slack's side of Socket Mode: one-time addresses, connections with ``hello``, envelopes and their acknowledgements.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any

from responder.standins.server import Call, Reply
from responder.standins.websocket import WebSocket, upgrade_headers

#: Connections of one app.
MOST_CONNECTIONS = 10
#: Seconds that Slack waits for an answer to what a person did.
ANSWER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the app to an interaction: in time with status 200, or not. ``seconds`` is how long it took."""

    ok: bool
    seconds: float
    body: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Pending:
    done: threading.Event = field(default_factory=threading.Event)
    body: Mapping[str, Any] | None = None


class SocketMode:
    """The connections of one app.

    ``opened`` counts the connections that were accepted. With ``hello`` cleared a connection is accepted and nothing is
    said on it; with ``silent`` set the present and later connections answer no ping.
    """

    def __init__(self) -> None:
        self.hello = True
        self.silent = False
        self.opened = 0
        self.acknowledged: list[str] = []
        self._lock = threading.Lock()
        self._tickets: set[str] = set()
        self._connections: list[WebSocket] = []
        self._pending: dict[str, _Pending] = {}

    @property
    def connections(self) -> int:
        """Number of connections that are open now."""
        with self._lock:
            return len(self._connections)

    def peer(self) -> int:
        """Return the client's port of the newest connection."""
        return self._open()[-1].peer

    def ticket(self) -> str:
        """Return a new one-time ticket for a connection."""
        ticket = secrets.token_hex(8)
        with self._lock:
            self._tickets.add(ticket)
        return ticket

    def link(self, call: Call, ticket: str) -> Reply:
        """Return the response to the request for a connection: 101 for a fresh ticket."""
        with self._lock:
            fresh = ticket in self._tickets
            self._tickets.discard(ticket)
        if not fresh or "sec-websocket-key" not in call.headers:
            return Reply(403, b"forbidden")
        return Reply(101, headers=upgrade_headers(call.headers), upgraded=self._serve)

    def announce(self, reason: str) -> None:
        """Say on every connection that it will end: ``warning``, ``refresh_requested`` or ``link_disabled``."""
        for each in self._open():
            each.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "stand-in"}}))

    def close(self) -> None:
        """Close every connection in order."""
        for each in self._open():
            each.close()

    def close_oldest(self) -> None:
        """Close the connection that was opened first."""
        self._open()[0].close()

    def drop(self) -> None:
        """Drop every connection without a word."""
        for each in self._open():
            each.drop()

    def mute(self) -> None:
        """Stop answering pings on the present connections, as after a network failure."""
        for each in self._open():
            each.silent = True

    def send(self, kind: str, payload: Mapping[str, Any], *, answered: bool) -> Answer | None:
        """Send an envelope to the newest connection and wait for its acknowledgement; None if there is no connection.

        ``answered`` is True if the acknowledgement may hold a response.
        """
        envelope, pending = secrets.token_hex(8), _Pending()
        text = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": answered}
        with self._lock:
            if not self._connections:
                return None
            connection = self._connections[-1]
            self._pending[envelope] = pending
        started = time.monotonic()
        try:
            connection.send(json.dumps(text))
            in_time = pending.done.wait(ANSWER_SECONDS)
        except OSError:
            in_time = False
        with self._lock:
            self._pending.pop(envelope, None)
        return Answer(in_time, time.monotonic() - started, pending.body if answered else None)

    def _open(self) -> list[WebSocket]:
        with self._lock:
            return list(self._connections)

    def _serve(self, connection: socket.socket, reader: BufferedIOBase) -> None:
        mine = WebSocket(connection, reader)
        mine.silent = self.silent
        with self._lock:
            self.opened += 1
            count = len(self._connections) + 1
            if count <= MOST_CONNECTIONS and self.hello:
                self._connections.append(mine)
        if count > MOST_CONNECTIONS:
            mine.send(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            mine.close()
            return
        try:
            if self.hello:
                info = {"host": "stand-in", "approximate_connection_time": 3600}
                mine.send(json.dumps({"type": "hello", "num_connections": count, "debug_info": info}))
            while (text := mine.receive()) is not None:
                self._acknowledge(json.loads(text))
        finally:
            with self._lock:
                if mine in self._connections:
                    self._connections.remove(mine)

    def _acknowledge(self, said: Mapping[str, Any]) -> None:
        envelope = str(said.get("envelope_id", ""))
        with self._lock:
            self.acknowledged.append(envelope)
            pending = self._pending.get(envelope)
        if pending is not None:
            pending.body = said.get("payload")
            pending.done.set()
