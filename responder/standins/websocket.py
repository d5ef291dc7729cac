"""The server side of one WebSocket connection (RFC 6455), as far as Slack's Socket Mode uses it: whole text frames."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Mapping
from io import BufferedIOBase

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
