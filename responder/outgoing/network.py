"""Network backend for httpcore: no operation outlasts the deadline of its request, no address escapes the checks."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from responder.model.clock import Clock, Deadline
from responder.outgoing.dial import Dialer
from responder.outgoing.library import httpcore

#: Idle time after which a connection is not used again: many firewalls forget it without notice.
IDLE_SECONDS: Final = 30.0


@dataclass(slots=True)
class Exchange:
    """Limits of one request, and what its connection has seen.

    ``room`` is the number of bytes that may still be received. ``dialled`` is set if the request opened a connection,
    ``ended`` if the peer closed its side.
    """

    deadline: Deadline
    room: int
    dialled: bool = False
    ended: bool = False


# httpcore hands each stream a timeout per operation; a total deadline has to reach the streams by another way.
_current: ContextVar[Exchange] = ContextVar("exchange")


@contextlib.contextmanager
def limited(exchange: Exchange) -> Iterator[None]:
    """Apply the limits of ``exchange`` to all streams that this thread uses within the block."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


class DeadlineStream(httpcore.NetworkStream):
    """Socket whose operations end at the deadline of the current exchange. httpcore's timeouts are ignored."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._socket = connection
        self._clock = clock
        self._used_at = clock.monotonic()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what arrives next, empty at the end. Raises OSError."""
        exchange = self._arm()
        data = self._socket.recv(max_bytes)
        exchange.ended = not data
        exchange.room -= len(data)
        if exchange.room < 0:
            raise OSError(errno.EMSGSIZE, "the answer is too large")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it. Raises OSError, or httpcore.WriteError if the peer stopped reading: it may have answered."""
        rest = memoryview(buffer)
        while rest:
            self._arm()
            try:
                rest = rest[self._socket.send(rest) :]
            except (BrokenPipeError, ConnectionResetError) as error:
                raise httpcore.WriteError from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> DeadlineStream:
        """Return the encrypted stream. Raises OSError."""
        self._arm()
        try:
            encrypted = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        return DeadlineStream(encrypted, self._clock)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks for.

        ``is_readable`` is asked of idle connections, and True makes httpcore close them: the peer has closed its side,
        or the connection was idle for too long.
        """
        if info == "is_readable":
            return self._clock.monotonic() - self._used_at >= IDLE_SECONDS or _has_input(self._socket)
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _arm(self) -> Exchange:
        """Set the socket's timeout to the time left. Raises TimeoutError if there is none."""
        exchange = _current.get()
        self._used_at = self._clock.monotonic()
        left = exchange.deadline.left(self._used_at)
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return exchange


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections through the Dialer, which checks the address that it then connects to."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> DeadlineStream:
        """Connect by the deadline of the current exchange. Raises CouldNotReach."""
        exchange = _current.get()
        exchange.dialled = True
        return DeadlineStream(self._dialer.dial(host, port, exchange.deadline), self._dialer.clock)


def _has_input(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
