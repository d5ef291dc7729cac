"""A pooler in front of PostgreSQL that behaves as PgBouncer does, in transaction or session mode."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import threading
from collections.abc import Iterator

#: Requests for TLS and for GSSAPI, which a client sends before its startup message.
_NEGOTIATION = {80877103, 80877104}


class Pooler:
    """In transaction mode any client uses the connection used last; in session mode ``size`` clients have their own.

    The parameter ``options`` is dropped, or refused unless ``accepts_options``. Passwords are checked by the server.
    """

    def __init__(self, port: int, *, mode: str, size: int = 100, accepts_options: bool = True) -> None:
        self._server = ("127.0.0.1", port)
        self._transactions = mode == "transaction"
        self._room = threading.Semaphore(size)
        self._accepts_options = accepts_options
        self._idle: list[socket.socket] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        """Accept clients until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError):
            startup = _startup(client)
            if b"options" in startup and not self._accepts_options:
                text = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                client.sendall(b"E" + struct.pack("!I", len(text) + 4) + text)
                return
            startup.pop(b"options", None)
            if self._transactions:
                server = self._login(client, startup)
                with self._changed:
                    self._idle.insert(0, server)
                    self._changed.notify()
                self._share(client)
            elif self._room.acquire(timeout=30):
                try:
                    self._pair(client, self._login(client, startup))
                finally:
                    self._room.release()

    def _login(self, client: socket.socket, startup: dict[bytes, bytes]) -> socket.socket:
        with contextlib.ExitStack() as failing:
            server = failing.enter_context(socket.create_connection(self._server))
            self._begin(client, server, startup)
            failing.pop_all()
        self._open.append(server)
        return server

    @staticmethod
    def _begin(client: socket.socket, server: socket.socket, startup: dict[bytes, bytes]) -> None:
        body = struct.pack("!I", 196608) + b"".join(b"%s\0%s\0" % pair for pair in startup.items()) + b"\0"
        server.sendall(struct.pack("!I", len(body) + 4) + body)
        kind = b""
        while kind != b"Z":
            kind, message = _message(server)
            if kind == b"K":
                message = message[:5] + secrets.token_bytes(8)
            client.sendall(message)
            if kind == b"R" and struct.unpack("!I", message[5:9])[0] not in {0, 12}:
                server.sendall(_message(client)[1])

    def _share(self, client: socket.socket) -> None:
        """Give the client a connection for each transaction."""
        server: socket.socket | None = None
        while True:
            kind, message = _message(client)
            if kind == b"X":
                return
            if server is None:
                with self._changed:
                    self._changed.wait_for(lambda: self._idle, 30)
                    server = self._idle.pop()
            server.sendall(message)
            if kind not in {b"Q", b"S"}:
                continue
            answer = b""
            while answer != b"Z":
                answer, message = _message(server)
                client.sendall(message)
            if message[5:] == b"I":
                with self._changed:
                    self._idle.append(server)
                    self._changed.notify()
                server = None

    @staticmethod
    def _pair(client: socket.socket, server: socket.socket) -> None:
        def back() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(65536):
                    client.sendall(data)

        threading.Thread(target=back, daemon=True).start()
        with server:
            while data := client.recv(65536):
                server.sendall(data)


def _read(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _read(source, 5)
    return head[:1], head + _read(source, struct.unpack("!I", head[1:])[0] - 4)


def _startup(client: socket.socket) -> dict[bytes, bytes]:
    while True:
        (length,) = struct.unpack("!I", _read(client, 4))
        body = _read(client, length - 4)
        if struct.unpack("!I", body[:4])[0] not in _NEGOTIATION:
            words = body[4:].split(b"\0")
            return dict(zip(words[:-2:2], words[1:-2:2], strict=False))
        client.sendall(b"N")


@contextlib.contextmanager
def pooler(port: int, *, mode: str, size: int = 100, accepts_options: bool = True) -> Iterator[int]:
    """Run a pooler in front of the server on ``port`` for the block. Yields its own port."""
    running = Pooler(port, mode=mode, size=size, accepts_options=accepts_options)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    try:
        yield running.port
    finally:
        running.close()
        thread.join(5)
