"""Requests and connections under a total deadline."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing.bearer import masked, token_for, with_token
from responder.outgoing.dial import CouldNotReach, Dialer
from responder.outgoing.line import Kept, Line

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
        self._kept: dict[_Origin, Kept] = {}

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
        from responder.outgoing import transport

        seconds = deadline.left(self._clock.monotonic())
        origin = _origin(request.url)
        kept = self._kept_to(origin)
        line = kept.take()
        if line is not None:
            try:
                return self._exchange(line, kept, request, deadline, cap)
            except transport.BROKEN as error:
                if isinstance(error, TimeoutError) or request.method not in _READ_ONLY:
                    raise transport.named(error, seconds) from error
        try:
            return self._exchange(self._dial(origin, deadline), kept, request, deadline, cap)
        except transport.BROKEN as error:
            raise transport.named(error, seconds) from error

    def _exchange(self, line: Line, kept: Kept, request: Request, deadline: Deadline, cap: int) -> Response:
        from responder.outgoing import transport

        line.deadline, again = deadline, False
        try:
            response, again = transport.exchange(line, request, cap)
            return response
        finally:
            if again:
                kept.give_back(line)
            else:
                line.hang_up()

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
        """Close what is idle. Requests under way finish."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for each in kept.values():
            each.close()

    def _kept_to(self, origin: _Origin) -> Kept:
        with self._lock:
            return self._kept.setdefault(origin, Kept(self._clock))

    def _dial(self, origin: _Origin, deadline: Deadline) -> Line:
        scheme, host, port = origin
        connection = self._dialer.dial(host, port, deadline)
        if scheme == "https":
            connection.settimeout(max(0.001, deadline.left(self._clock.monotonic())))
            try:
                connection = self.tls.wrap_socket(connection, server_hostname=host)
            except BaseException:
                connection.close()
                raise
        return Line(connection, self._clock)


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
