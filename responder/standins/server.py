"""A real HTTP server on loopback that a stand-in answers through, and that can misbehave on request."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from types import TracebackType
from typing import Any, Self

OnEvent = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Call:
    """A request; header names are in lower case, ``arrived`` is when its first line came, on the monotonic clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Reply:
    """Response of the stand-in; ``close`` ends the connection with a reset in place of an answer.

    ``upgraded`` gets the connection after a status of 101, and owns it until it returns.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False
    upgraded: Callable[[socket.socket, BufferedIOBase], None] | None = None


def as_json(status: int, value: object) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, json.dumps(value, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Treatment of the next request: one of the five that the functions below build. Times are seconds."""

    reply: Reply | None = None
    hang: float = 0.0
    reset: bool = False
    drip: float = 0.0
    swallow: bool = False


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer ``code`` without looking at the request; ``Retry_After="2"`` becomes the header Retry-After."""
    return Fault(reply=Reply(code, body, {name.replace("_", "-"): value for name, value in headers.items()}))


def hang(seconds: float) -> Fault:
    """Say nothing for so long, then treat the request as usual."""
    return Fault(hang=seconds)


def reset() -> Fault:
    """Reset the connection without looking at the request."""
    return Fault(reset=True)


def drip(seconds: float) -> Fault:
    """Treat the request as usual, then send the answer byte by byte with so long between two."""
    return Fault(drip=seconds)


def swallow() -> Fault:
    """Accept the request, then die before the answer: the sender cannot know."""
    return Fault(swallow=True)


def healthy(_call: Call) -> Fault:
    """The manner of a server that does what it should."""
    return Fault()


class StandIn:
    """A server on 127.0.0.1 that calls ``answer`` for each request, in a thread each. Use it as a context manager.

    ``faults`` holds what happens to the next requests, one each; where it is empty ``manner`` says how a request is
    treated: well, unless it was replaced. ``calls`` are the requests seen. ``on_event`` gets each event, in the
    thread of the request.
    """

    def __init__(self, *, on_event: OnEvent | None = None) -> None:
        self.faults: deque[Fault] = deque()
        self.manner: Callable[[Call], Fault] = healthy
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self._on_event = on_event
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Its TCP port, which the system chose."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, call: Call) -> Reply:
        """Return the response of a healthy server. May be called from many threads at once."""
        raise NotImplementedError

    def emit(self, kind: str, record: object) -> None:
        """Pass an event to ``on_event``; never call it while holding the lock."""
        if self._on_event:
            self._on_event(kind, record)

    def start(self) -> Self:
        """Serve from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection, those that hang included."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.end_connections()

    @property
    def stopping(self) -> bool:
        """True after ``stop`` was called: no request is answered any more."""
        return self._stopping.is_set()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the server stops."""
        self._stopping.wait(seconds)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's name, which may ask a name server.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away."""

    def end_connections(self) -> None:
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16  # head and body leave in one write
        arrived = 0.0

        def parse_request(self) -> bool:
            self.arrived = time.monotonic()
            return super().parse_request()

        def _serve(self) -> None:
            length = self.headers.get("Content-Length", "")
            body = self.rfile.read(int(length) if length.isdigit() else 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path, headers, body, self.arrived)
            with stand_in.lock:
                stand_in.calls.append(call)
                fault = stand_in.faults.popleft() if stand_in.faults else stand_in.manner(call)
            if fault.hang:
                stand_in.wait(fault.hang)
            if fault.reset or stand_in.stopping:
                self._reset()
                return
            reply = fault.reply or stand_in.answer(call)
            if reply.close or fault.swallow:
                self._reset()
                return
            self._send(reply, fault.drip)
            if reply.upgraded is not None:
                self.wfile.flush()
                self.close_connection = True
                with contextlib.suppress(OSError, ValueError):  # the client went away, or sent no frame
                    reply.upgraded(self.connection, self.rfile)

        do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names are the base class's

        def _send(self, reply: Reply, pause: float) -> None:
            self.send_response_only(reply.status)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.upgraded is None:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            body = b"" if self.command == "HEAD" else reply.body
            if not pause:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.flush()
                stand_in.wait(pause)
                self.wfile.write(bytes([byte]))

        def _reset(self) -> None:
            # Linger for 0 s: the peer gets a reset and not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.rfile.close()
                self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            pass

    return Handler
