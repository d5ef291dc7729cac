"""One connection to the receiver, spoken to in bytes."""

from __future__ import annotations

import re
import socket
from typing import Self
from urllib.parse import urlsplit

from responder.standins.stage import Stage
from tests.support.slow_clients import HEAD

_ANSWER = re.compile(rb"HTTP/1.1 .*?Content-Length: (\d+)\r.*?\n\r\n", re.DOTALL)


class Line:
    """One connection, spoken to in bytes."""

    def __init__(self, served: Stage) -> None:
        to = urlsplit(served.url)
        self.socket = socket.create_connection((to.hostname or "", to.port or 0), timeout=30)
        self._token = served.token
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def post(self, body: bytes, *, length: int | None = None, token: str | None = None) -> None:
        """Send a webhook, or the beginning of one of ``length`` bytes."""
        size = len(body) if length is None else length
        authorization = f"Authorization: Bearer {self._token if token is None else token}\r\n".encode()
        self.socket.sendall(HEAD + authorization + b"Content-Length: %d\r\n\r\n" % size + body)

    def read(self) -> bytes:
        """The next answer, or what arrives until the connection is closed."""
        while not (found := _ANSWER.match(self._received)) or len(self._received) < found.end() + int(found[1]):
            received = self.socket.recv(65536)
            if not received:
                break
            self._received += received
        end = found.end() + int(found[1]) if found else len(self._received)
        answer, self._received = self._received[:end], self._received[end:]
        return answer
