"""One connection whose every wait ends at the deadline, and those to one origin that wait for their next request."""

from __future__ import annotations

import errno
import io
import select
import socket
import threading
from typing import TYPE_CHECKING

from responder.model.clock import Clock, Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT = 20
"""Connections to one origin that are kept for later."""
_KEPT_SECONDS = 30.0


class Line:
    """As much of a socket as http.client uses. ``ended`` says whether the other side has said its last word."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._socket = connection
        self._clock = clock
        self._room = 0
        self.deadline = Deadline(0.0)
        self.kept_since = 0.0
        self.ended = False

    def expect(self, most: int) -> None:
        """An answer of at most ``most`` bytes, its head included: more than that is an error of the connection."""
        self._room, self.ended = most, False

    def sendall(self, data: bytes) -> None:
        """Send it all, by the deadline. Raises OSError."""
        rest = memoryview(data)
        while rest:
            self._arm()
            rest = rest[self._socket.send(rest) :]

    def receive_into(self, buffer: WriteableBuffer) -> int:
        """What comes next, by the deadline; 0 at the end. Raises OSError."""
        self._arm()
        got = self._socket.recv_into(buffer)
        self._room -= got
        self.ended = not got
        if self._room < 0:
            raise OSError(errno.EMSGSIZE, "the head of the answer has no end")
        return got

    def makefile(self, _mode: str) -> io.BufferedReader:
        """To read the answer from."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: http.client closes before it has read the body. Whoever dialled hangs up."""

    def hang_up(self) -> None:
        """Close it."""
        self._socket.close()

    @property
    def has_news(self) -> bool:
        """Whether there is something to read though nothing was asked: mostly that the other side has hung up."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _arm(self) -> None:
        left = self.deadline.left(self._clock.monotonic())
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, line: Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._line.receive_into(buffer)


class Kept:
    """Connections to one origin that wait for their next request, the latest first. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._closed = False

    def take(self) -> Line | None:
        """One that can be used; None where there is none."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                old = [line for line in self._lines if now - line.kept_since >= _KEPT_SECONDS]
                self._lines = [line for line in self._lines if line not in old]
                line = self._lines.pop() if self._lines else None
            for each in old:
                each.hang_up()
            if line is None or not line.has_news:
                return line
            line.hang_up()

    def give_back(self, line: Line) -> None:
        """Keep it for the next request, where there is room."""
        line.kept_since = self._clock.monotonic()
        with self._lock:
            if not self._closed and len(self._lines) < _KEPT:
                self._lines.append(line)
                return
        line.hang_up()

    def close(self) -> None:
        """Hang up, and keep none from now on."""
        with self._lock:
            lines, self._lines, self._closed = self._lines, [], True
        for line in lines:
            line.hang_up()
