"""Requests and connections under a total deadline."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing.bearer import masked, token_for, with_token
from responder.outgoing.dial import CouldNotReach, Dialer

if TYPE_CHECKING:
    import httpcore

_READ_ONLY = frozenset({"GET", "HEAD"})
_Origin = tuple[str, str, int]


class Outgoing:
    """All that leaves this process goes through here. Safe to share between threads.

    Nothing is read from the environment: no proxies, no netrc. Redirects are not followed, cookies not kept. Link-local
    and metadata addresses are refused after a name was resolved, and the address that was judged is the one called.
    """

    def __init__(
        self,
        clock: Clock,
        connect_to: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        tokens: Mapping[str, Secret] | None = None,
    ) -> None:
        """``connect_to`` maps ``host:port`` to the ``host:port`` to call in its place; Host header and SNI stay.

        ``tls`` is the context that verifies the other side; by default it trusts the system's authorities. ``tokens``
        are the bearer tokens by the base address of the server that may hear each.
        """
        self._clock = clock
        self._dialer = Dialer(clock, dict(connect_to or {}))
        self._tls = tls
        self._tokens = tokens or {}
        self._lock = threading.Lock()
        # One pool an origin: httpcore's pool can close a connection it has just handed out (encode/httpcore#1110).
        self._pools: dict[_Origin, httpcore.ConnectionPool] = {}
        self._errand: Any = None

    @property
    def tls(self) -> ssl.SSLContext:
        """The verifying context; reading the system's authorities takes some 20 ms, once."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def send(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        """The answer to ``request``, whatever its status: headers in lower case, at most ``cap`` bytes of the body.

        Raises CouldNotReach, by the deadline, where there is none. A read-only request that met a dead kept-alive
        connection is repeated once; anything else is for the caller to repeat.
        """
        seconds = deadline.left(self._clock.monotonic())
        from responder.outgoing import transport

        origin = _origin(request.url)
        pool = self._pool(origin)
        errand = self._errand
        errand.deadline = deadline
        for again in (request.method in _READ_ONLY, False):
            errand.opened = False
            left = deadline.left(self._clock.monotonic())
            if left <= 0:
                break
            try:
                return Response(
                    *transport.fetch(pool, request.method, request.url, request.headers, request.body, cap, left)
                )
            except transport.ERRORS as error:
                if again and not errand.opened and transport.is_stale(error):
                    continue
                raise transport.named(error, seconds) from error
        raise CouldNotReach(f"timed out after {seconds:.1f} s")

    def ask(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        """The same for a question to Prometheus or Alertmanager: with the token of that server, where it has one.

        Nothing but such questions carries a token, and no redirect is followed with one.
        """
        token = token_for(request.url, self._tokens)
        if token is None:
            return self.send(request, deadline, cap)
        return masked(self.send(with_token(request, token), deadline, cap), token)

    def connect(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """A connected TCP socket, its time-out set to what is left. Raises CouldNotReach."""
        connection = self._dialer.dial(host, port, deadline)
        connection.settimeout(max(0.001, deadline.left(self._clock.monotonic())))
        return connection

    def resolve(self, host: str, port: int, deadline: Deadline) -> tuple[str, ...]:
        """The IP addresses this machine finds for a name, in its hosts file or DNS. Raises CouldNotReach."""
        return self._dialer.resolve(host, port, deadline)

    def mapped(self, host: str, port: int) -> tuple[str, int]:
        """Where ``connect_to`` sends a connection to ``host`` and ``port``; the same two where it says nothing."""
        return self._dialer.mapped(host, port)

    def close(self) -> None:
        """Close what is idle. Requests under way fail or finish."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _pool(self, origin: _Origin) -> httpcore.ConnectionPool:
        from responder.outgoing import transport

        with self._lock:
            if self._errand is None:
                self._errand = transport.Errand()
            if origin not in self._pools:
                tls = self.tls if origin[0] == "https" else None
                self._pools[origin] = transport.pool(self._dialer, self._errand, tls)
            return self._pools[origin]


def _origin(url: str) -> _Origin:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise CouldNotReach("the address cannot be used") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CouldNotReach("the address cannot be used: it is not http(s)")
    if not parts.hostname.isascii():
        raise CouldNotReach("the address cannot be used: write the name of its host in ASCII (xn--...)")
    return parts.scheme, parts.hostname, port
