"""Slack's side of Socket Mode: one-time addresses, connections with ``hello``, envelopes and their acknowledgements.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import base64
import contextlib
import hashlib
import json
import secrets
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any

from responder.standins.server import Call, Reply

#: Connections of one app.
MOST_CONNECTIONS = 10
#: Seconds that Slack waits for an answer to what a person did.
ANSWER_SECONDS = 3.0
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


def upgrade_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers of the response 101. Raises KeyError if the request asks for no WebSocket."""
    digest = hashlib.sha1(f"{headers['sec-websocket-key']}{_GUID}".encode()).digest()  # noqa: S324 - RFC 6455, 4.2.2
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": base64.b64encode(digest).decode()}


class WebSocket:
    """A connection after its handshake. ``send`` may be called from any thread, ``receive`` from one.

    With ``silent`` set, pings get no answer, as behind a firewall that has forgotten the connection.
    """

    def __init__(self, connection: socket.socket, reader: BufferedIOBase) -> None:
        self._connection = connection
        self._reader = reader
        self._lock = threading.Lock()
        self.silent = False
        #: The client's port.
        self.peer = int(connection.getpeername()[1])

    def send(self, text: str) -> None:
        """Send a text frame. Raises OSError."""
        self._frame(_TEXT, text.encode())

    def receive(self) -> str | None:
        """Return the next text, answering pings; None after the end. Raises ValueError for a frame no client sends."""
        while True:
            head = self._reader.read(2)
            if len(head) < 2:
                return None
            kind, length = head[0] & 0x0F, head[1] & 0x7F
            if not head[0] & 0x80 or not head[1] & 0x80:
                raise ValueError("a client's frames are whole and masked")
            if length >= 126:
                size = 2 if length == 126 else 8
                length = int.from_bytes(self._reader.read(size))
            mask, data = self._reader.read(4), self._reader.read(length)
            plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            if kind == _TEXT:
                return plain.decode()
            if kind == _CLOSE:
                with contextlib.suppress(OSError):
                    self._frame(_CLOSE, plain)
                return None
            if kind == _PING and not self.silent:
                self._frame(_PONG, plain)

    def close(self, code: int = 1000) -> None:
        """Begin the closing handshake."""
        with contextlib.suppress(OSError):
            self._frame(_CLOSE, struct.pack("!H", code))

    def drop(self) -> None:
        """End the connection without a closing handshake."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _frame(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | kind, size])
        elif size < 1 << 16:
            head = bytes([0x80 | kind, 126]) + struct.pack("!H", size)
        else:
            head = bytes([0x80 | kind, 127]) + struct.pack("!Q", size)
        with self._lock:
            self._connection.sendall(head + data)


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
