"""gunicorn's threaded worker, in which a slow client occupies its own connection and nothing else.

The event loop receives the head of a request and searches it for its end; it parses nothing and never waits. Only then
does the connection take a thread, and from its first byte on the request has REQUEST_SECONDS to be received and
answered. A TLS handshake counts into that time; threads of its own compute its steps and never wait either. It
overrides methods of gunicorn 27; tests/real/test_slow_clients.py tries each new version.
"""

import contextlib
import errno
import re
import selectors
import socket
import ssl
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from responder.counters import COUNTERS
from responder.web.tls import ServerTls

#: Time for the head, the body and the answer of a request together, in seconds.
REQUEST_SECONDS = 10.0
#: Largest head of a request, in bytes. A longer one is answered 431.
HEAD_BYTES = 16 * 1024
#: Threads for /healthz and /readyz, also below a path prefix, which answer while all other threads are busy.
HEALTH_THREADS = 2
#: Threads for the steps of TLS handshakes, of which each takes a millisecond or two of a processor.
TLS_THREADS = 2
#: Time in seconds and bytes for which a closed connection is still read, so that its client receives the answer and
#: not a reset.
LINGER_SECONDS = 2.0
#: Bytes that are read of a connection that is being closed.
LINGER_BYTES = 64 * 1024
#: Room for an answer in the kernel, in bytes: a client that does not read occupies no thread. Linux caps it.
_SEND_BYTES = 512 * 1024
#: How much later a worker takes a new connection for each one it has, and at most, in seconds.
STEP_SECONDS = 0.00025
#: Seconds of the longest delay.
LONGEST_SECONDS = 0.002
#: How long a stopping worker waits for the rest of a head, in seconds.
_STOP_SECONDS = 2.0

_HEAD_END = b"\r\n\r\n"
_HEALTH = re.compile(rb"(?:GET|HEAD) (?:/[^ ?]*)?/(?:healthz|readyz|-/healthy|-/ready)[ ?]")
_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_monotonic = time.monotonic  # noqa: TID251 - gunicorn builds the worker, and its own timers read this clock


def accept_delay(connections: int, workers: int) -> float:
    """Seconds for which one of ``workers`` with so many open connections leaves the next one to the others."""
    return min(connections * STEP_SECONDS, LONGEST_SECONDS) if workers > 1 else 0.0


class _Request(Request):
    """A request whose connection closes unless its body was read to the end: nothing is drained."""

    def should_close(self) -> bool:
        """True if the answer is the last one on this connection. gunicorn asks when it sends the answer's head."""
        body: Body | None = self.body
        reader: Any = body.reader if body else None
        unread = reader.parser is not None if isinstance(reader, ChunkedReader) else reader.length > 0
        return bool(super().should_close() or unread)


class _Parser(RequestParser):
    mesg_class = _Request


class _Connection(TConn):
    """A connection with the head that is being received and the moment until which its present step may take."""

    parser: Any

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.parser = _Parser(cfg, sock, client)
        self.initialized = True  # gunicorn's init() would wait for the TLS handshake
        self.handshaken = not isinstance(sock, ssl.SSLSocket)
        self.head = bytearray()
        self.until = 0.0
        self.dropped = 0

    def allow(self, seconds: float) -> None:
        """Give the request at hand so many seconds from now."""
        self.until = _monotonic() + seconds


class BalancedThreadWorker(ThreadWorker):
    """A connection is waiting (for the head of a request), busy (with a thread), kept alive, or closing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: OrderedDict[_Connection, None] = OrderedDict()
        self._busy: dict[Any, _Connection] = {}
        self._closing: OrderedDict[_Connection, None] = OrderedDict()
        self._tls = ServerTls(self.cfg.certfile, self.cfg.keyfile) if self.cfg.certfile else None

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Make the threads for requests, those for health checks, and those for TLS handshakes."""
        self._health = ThreadPoolExecutor(HEALTH_THREADS)
        self._handshakes = ThreadPoolExecutor(TLS_THREADS)
        return super().get_thread_pool()

    def load_wsgi(self) -> None:
        """Let the application extend the time of a request by ``environ["responder.allow_seconds"]``."""
        super().load_wsgi()
        app = self.wsgi

        def with_deadline(environ: Any, start_response: Any) -> Iterable[bytes]:
            environ["responder.allow_seconds"] = self._busy[environ["gunicorn.socket"]].allow
            return app(environ, start_response)

        self.wsgi = with_deadline

    def accept(self, listener: Any) -> None:
        """Take a new connection. The worker with more connections lets the others go first.

        A new connection wakes all workers, and the first one takes it. In a burst that is always the one which runs
        already: one processor would have all connections of Alertmanager, for as long as they are kept alive.
        """
        if wait := accept_delay(self.nr_conns, self.cfg.workers):
            Event().wait(wait)
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._make_room()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        with contextlib.suppress(OSError):  # the client may be gone already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        sock.setblocking(False)
        self.enqueue_req(
            _Connection(self.cfg, self._tls.wrap(sock) if self._tls else sock, client, listener.getsockname())
        )

    def enqueue_req(self, conn: Any) -> None:
        """Wait for the head of the connection's next request, whose first bytes may have been read already."""
        conn.allow(REQUEST_SECONDS)
        conn.head = bytearray(conn.parser.unreader.take_buffered())
        conn.sock.setblocking(False)
        self._waiting[conn] = None
        if not conn.handshaken:
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._shake_hands, conn))
            return
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive_head, conn))
        self._advance(conn, 0)
        if conn in self._waiting:
            self._receive_head(conn, conn.sock)

    def _shake_hands(self, conn: _Connection, sock: Any) -> None:
        """Let a thread compute one step of the TLS handshake with what has arrived."""
        self.poller.unregister(sock)
        self._handshakes.submit(sock.do_handshake).add_done_callback(
            lambda done: self.method_queue.defer(self._continue_handshake, conn, done)
        )

    def _continue_handshake(self, conn: _Connection, step: Future[Any]) -> None:
        """Wait for the next step of a handshake, begin to receive the head, or close the connection."""
        if conn not in self._waiting:
            return  # its time was up
        error = step.exception()
        if error is None:
            conn.handshaken = True
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive_head, conn))
            self._receive_head(conn, conn.sock)
        elif isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
            event = selectors.EVENT_READ if isinstance(error, ssl.SSLWantReadError) else selectors.EVENT_WRITE
            self.poller.register(conn.sock, event, partial(self._shake_hands, conn))
        else:
            self._discard(conn)

    def _receive_head(self, conn: _Connection, sock: socket.socket) -> None:
        while conn in self._waiting:  # TLS may hold more than the first read returns, which no poll would show
            try:
                received = sock.recv(HEAD_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                received = b""
            if not received:
                self._discard(conn)
                return
            searched = max(0, len(conn.head) - len(_HEAD_END) + 1)
            conn.head += received
            self._advance(conn, searched)

    def _advance(self, conn: _Connection, searched: int) -> None:
        """Hand the connection to a thread if its head is complete."""
        if conn.head[:1] in b"\r\n":  # empty lines before a request are allowed, and no end of a head
            conn.head, searched = conn.head.lstrip(b"\r\n"), 0
        if conn.head.find(_HEAD_END, searched) < 0:
            if len(conn.head) > HEAD_BYTES:
                with contextlib.suppress(OSError):
                    conn.sock.send(_HEAD_TOO_LARGE)
                self._forget(conn)
                self._close(conn)
            return
        self._forget(conn)
        pool = self._health if _HEALTH.match(conn.head) else self.tpool
        conn.parser.unreader.unread(bytes(conn.head))
        conn.head.clear()
        self._busy[conn.sock] = conn
        pool.submit(self.handle, conn).add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep a connection alive after its answer, or close it."""
        del self._busy[conn.sock]
        if fs.cancelled() or fs.exception() or not fs.result():
            self._close(conn)
        else:
            super().finish_request(conn, fs)

    def _close(self, conn: _Connection) -> None:
        """Send the end of the connection, and read what still arrives for a moment."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drop, conn))
        except (OSError, ValueError):  # ValueError: the socket is closed
            self._discard(conn)
            return
        conn.allow(LINGER_SECONDS)
        self._closing[conn] = None

    def _drop(self, conn: _Connection, sock: socket.socket) -> None:
        try:
            received = len(sock.recv(LINGER_BYTES))
        except BlockingIOError:
            return
        except OSError:
            received = 0
        conn.dropped += received
        if not received or conn.dropped >= LINGER_BYTES:
            self._discard(conn)

    def _forget(self, conn: _Connection) -> None:
        """Stop watching a connection."""
        self._waiting.pop(conn, None)
        self._closing.pop(conn, None)
        with contextlib.suppress(OSError, KeyError, ValueError):  # it is not registered, or closed
            self.poller.unregister(conn.sock)

    def _discard(self, conn: _Connection) -> None:
        """Close a connection at once."""
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _make_room(self) -> None:
        """Close the connection that has done nothing for the longest time."""
        for idle in (self._closing, self._waiting):
            if idle:
                COUNTERS.add("responder_slow_connections", "room")
                self._discard(next(iter(idle)))
                return
        kept_alive: deque[Any] = self.keepalived_conns
        if kept_alive:
            self._discard(kept_alive.popleft())

    def murder_pending(self) -> None:
        """Close what has had its time. gunicorn calls it at least once a second, also while it stops."""
        now = _monotonic()
        hurry = 0.0 if self.alive else REQUEST_SECONDS - _STOP_SECONDS
        for step, ahead in ((self._waiting, hurry), (self._closing, 0.0)):
            while step and (first := next(iter(step))).until - ahead <= now:
                if first.head:
                    COUNTERS.add("responder_slow_connections", "head")
                self._discard(first)
        for conn in [each for each in self._busy.values() if each.until <= now]:
            conn.allow(REQUEST_SECONDS)
            COUNTERS.add("responder_slow_connections", "request")
            with contextlib.suppress(OSError):  # it is closed already
                conn.sock.shutdown(socket.SHUT_RDWR)  # what its thread waits for ends
