"""httpx over sockets that know the deadline: whatever the other side drips, no wait outlives it."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from responder.model.clock import Clock, Deadline
from responder.outgoing.dial import CouldNotReach, Dialer, reason

_CONNECTIONS = 20

# httpx logs every address it calls, and an address may be a secret (Slack's webhooks are).
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Errand(threading.local):
    """What the calling thread is about: its deadline, and whether a connection was opened for it."""

    deadline: Deadline = Deadline(0.0)
    opened: bool = False


def client(dialer: Dialer, errand: Errand, tls: ssl.SSLContext | None, agent: str) -> httpx.Client:
    """A client for one origin: no redirects, no proxies, no cookies, and no time beyond the errand's."""
    pool = httpcore.ConnectionPool(
        ssl_context=tls,
        max_connections=_CONNECTIONS,
        max_keepalive_connections=_CONNECTIONS,
        keepalive_expiry=30.0,
        network_backend=_Backend(dialer, errand),
    )
    return httpx.Client(
        transport=_Transport(pool),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # identity: the cap counts bytes, and a small compressed body can become a huge one.
        headers={"User-Agent": agent, "Accept-Encoding": "identity"},
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
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
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


class _Transport(httpx.BaseTransport):
    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def fetch(
    origin: httpx.Client, method: str, url: str, headers: dict[str, str], body: bytes, cap: int, left: float
) -> tuple[int, bytes, dict[str, str]]:
    """Status, at most ``cap`` bytes of the body, headers in lower case. Raises CouldNotReach and what is in ERRORS."""
    # Of httpx's own limits only the wait for a free connection is left to it.
    timeout = httpx.Timeout(None, pool=left)
    kept = bytearray()
    with origin.stream(method, url, headers=headers, content=body or None, timeout=timeout) as response:
        for chunk in response.iter_raw():
            kept += chunk
            if len(kept) >= cap:
                break
        return response.status_code, bytes(kept[:cap]), dict(response.headers)


def is_stale(error: Exception) -> bool:
    """Whether a connection that was kept alive turned out to be dead."""
    return isinstance(error, (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError))


def named(error: Exception, seconds: float) -> CouldNotReach:
    """What an httpcore or httpx error means, in a few words that hold nothing of the address."""
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
    if isinstance(error, httpx.InvalidURL):
        return CouldNotReach("the address cannot be used")
    return CouldNotReach("connection lost")


ERRORS: tuple[type[Exception], ...] = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpx.InvalidURL,
)
