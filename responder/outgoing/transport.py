"""httpcore over sockets that know the deadline: whatever the other side drips, no wait outlives it."""

from __future__ import annotations

import logging
import re
import select
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

import httpcore

from responder import __version__
from responder.model.clock import Clock, Deadline
from responder.outgoing.dial import CouldNotReach, Dialer, reason

_CONNECTIONS = 20

_ALWAYS = {
    "User-Agent": f"responder/{__version__}",
    "Accept": "*/*",
    # The cap counts bytes, and a small compressed body can become a huge one.
    "Accept-Encoding": "identity",
}
_ILLEGAL = re.compile(r"""%(?![0-9A-Fa-f]{2})|[^!-~]|["<>\\^`{|}]""")
"""What RFC 3986 does not allow in a path or query."""

# It logs every address it calls, and an address may be a secret (Slack's webhooks are).
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Errand(threading.local):
    """What the calling thread is about: its deadline, and whether a connection was opened for it."""

    deadline: Deadline = Deadline(0.0)
    opened: bool = False


class _Shared:
    """The context as httpcore sees it: httpcore names its protocol (ALPN) in the context before every handshake.

    Mail servers and probes shake hands with the same one, and a mail server that hears of HTTP hangs up (Exim does).
    Nor may a context change while another thread begins a handshake with it. Without ALPN HTTP/1.1 is spoken.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def set_alpn_protocols(self, protocols: list[str]) -> None:
        """Leave it as it is."""


def pool(dialer: Dialer, errand: Errand, tls: ssl.SSLContext | None) -> httpcore.ConnectionPool:
    """Connections to one origin, which know no time but the errand's."""
    return httpcore.ConnectionPool(
        ssl_context=cast("ssl.SSLContext", _Shared(tls)) if tls else None,
        max_connections=_CONNECTIONS,
        max_keepalive_connections=_CONNECTIONS,
        keepalive_expiry=30.0,
        network_backend=_Backend(dialer, errand),
    )


class _Backend(httpcore.NetworkBackend):
    def __init__(self, dialer: Dialer, errand: Errand) -> None:
        self._dialer = dialer
        self._errand = errand

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self._errand.opened = True
        connection = self._dialer.dial(host, port, self._errand.deadline)
        return _Stream(connection, self._dialer.clock, self._errand)


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, clock: Clock, errand: Errand) -> None:
        self._socket = connection
        self._clock = clock
        self._errand = errand

    def _arm(self) -> None:
        left = self._errand.deadline.left(self._clock.monotonic())
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._arm()
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                self._arm()
                buffer = buffer[self._socket.send(buffer) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            # httpcore then reads on: a server may answer and hang up before it took the whole body.
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._arm()
            context = cast("_Shared", ssl_context).context
            wrapped = context.wrap_socket(self._socket, server_hostname=server_hostname)
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(error) from error
        return _Stream(wrapped, self._clock, self._errand)

    def get_extra_info(self, info: str) -> Any:
        # The pool drops an idle connection that has something to read: the other side has hung up.
        if info == "is_readable":
            return _readable(self._socket)
        return None


def _readable(connection: socket.socket) -> bool:
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def fetch(
    pool: httpcore.ConnectionPool, method: str, url: str, headers: Mapping[str, str], body: bytes, cap: int, left: float
) -> tuple[int, bytes, dict[str, str]]:
    """Status, at most ``cap`` bytes of the body, headers in lower case. Raises CouldNotReach and what is in ERRORS.

    No redirects, no proxies, no cookies. A name and password in the address are sent as basic authentication.
    """
    parts = urlsplit(url)
    told = {"Host": parts.netloc.rpartition("@")[2], **_ALWAYS, **_basic(parts), **headers}
    wire = [(name.encode(), value.encode()) for name, value in told.items()]
    # Of httpcore's own limits only the wait for a free connection is left to it.
    limits = {"timeout": {"pool": left}}
    # A POST says how long its body is, also where it is empty: some servers answer 411 otherwise (RFC 9110, 8.6).
    content = body if body or method == "POST" else None
    kept = bytearray()
    with pool.stream(method, _address(parts), headers=wire, content=content, extensions=limits) as answer:
        for chunk in answer.iter_stream():
            kept += chunk
            if len(kept) >= cap:
                break
        return answer.status, bytes(kept[:cap]), _readable_headers(answer.headers)


def _address(parts: SplitResult) -> httpcore.URL:
    host, target = (parts.hostname or "").encode("ascii"), parts.path or "/"
    asked = _ILLEGAL.sub(lambda found: quote(found[0], safe=""), f"{target}?{parts.query}" if parts.query else target)
    return httpcore.URL(scheme=parts.scheme.encode(), host=host, port=parts.port, target=asked.encode())


def _basic(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(who.encode()).decode()}"}


def _readable_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def is_stale(error: Exception) -> bool:
    """Whether a connection that was kept alive turned out to be dead."""
    return isinstance(error, (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError))


def named(error: Exception, seconds: float) -> CouldNotReach:
    """What an error of httpcore means, in a few words that hold nothing of the address."""
    if isinstance(error, httpcore.TimeoutException):
        return reason(TimeoutError(), seconds)
    # The pool drops the cause of what it raises again; our streams keep it as the argument.
    if error.args and isinstance(error.args[0], OSError):
        return reason(error.args[0], seconds)
    if isinstance(error, httpcore.RemoteProtocolError):
        hung_up = "disconnected" in str(error) or "closed" in str(error)
        return CouldNotReach("hung up before the answer was complete" if hung_up else "the answer is not HTTP")
    if isinstance(error, httpcore.LocalProtocolError):
        return CouldNotReach("the request cannot be sent as HTTP")
    return CouldNotReach("connection lost")


ERRORS: tuple[type[Exception], ...] = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)
