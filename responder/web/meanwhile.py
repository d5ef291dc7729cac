"""What is answered before there is a database: 503 to webhooks, which Alertmanager sends again."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

_PATIENCE = 5.0
"""Seconds a client may take for its request."""
_DRAIN_BYTES = 64 * 1024 * 1024
"""How much of a body is read and dropped, so that the sender hears our answer and not a reset."""


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False  # they are waited for: nothing but the first thread may be there when workers are forked

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # who has gone away needs no answer
            super().handle_error(request, client_address)

    def cut(self) -> None:
        """End every connection, so that nobody who drips a byte at a time holds up the start."""
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Answer(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    reason = ""

    def do_GET(self) -> None:
        if self.path == "/healthz":  # alive, and not to be restarted for what another server lacks
            self._say(200, "waiting for the database")
        else:
            self._say(503, self.reason)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        left = min(int(length), _DRAIN_BYTES) if length.isdecimal() else 0
        while left > 0 and (chunk := self.rfile.read(min(left, 65536))):
            left -= len(chunk)
        self._say(503, f"not kept, send it again: {self.reason}")

    def _say(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Nobody needs a line for each."""


class Meanwhile:
    """Answers on ``listen`` (HOST:PORT) for the block, with a reason. Raises OSError for an address it cannot have."""

    def __init__(self, listen: str, reason: str) -> None:
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        answer = type("_Reasoned", (_Answer,), {"reason": reason})
        server = type("_OfFamily", (_Server,), {"address_family": family})
        self._server: _Server = server((host, int(port)), answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="meanwhile", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.cut()
        self._server.server_close()
        self._thread.join()
