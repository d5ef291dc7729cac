"""Requests and connections under a total deadline."""

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import MASK, Secret
from responder.outgoing.network import Dialer, Proxies

if TYPE_CHECKING:
    from responder.outgoing.session import Session


class Outgoing:
    """Everything that leaves this process. Safe to share between threads.

    Nothing is read from the environment. Redirects are not followed, cookies are not kept. Only ``send`` uses a proxy.
    Link-local and metadata addresses are refused after a name is resolved, and the checked address is the one called.
    """

    def __init__(
        self,
        clock: Clock,
        connect_to: Mapping[str, str] | None = None,
        ca_file: str = "",
        tokens: Mapping[str, Secret] | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """Connect nothing yet.

        Args:
            clock: Measures deadlines.
            connect_to: Maps ``host:port`` to the ``host:port`` to call instead; Host header and SNI stay.
            ca_file: PEM file with certificates to trust in addition to the system's authorities.
            tokens: Bearer tokens by the base URL of the server that may receive each.
            proxies: Egress proxies for ``send``; none for probes.
        """
        self._clock = clock
        self._dialer = Dialer(clock, dict(connect_to or {}))
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._tokens = tokens or {}
        self._lock = threading.Lock()
        self._proxies = proxies or Proxies()
        self._opened: dict[Proxies, Session] = {}

    @property
    def tls(self) -> ssl.SSLContext:
        """The verifying context for mail and probes, without ALPN; made once, which takes some 20 ms."""
        if self._tls is None:
            self._tls = verifying(self._ca_file)
        return self._tls

    def send(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        """Return the response to ``request``, whatever its status: headers in lower case, at most ``cap`` body bytes.

        Raises UnreachableError, by the deadline, if there is none. A read-only request that failed on a dead kept-alive
        connection is repeated once; any other retry is the caller's.
        """
        return self._session(self._proxies).send(request, deadline, cap)

    def query(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        """The same for a query to Prometheus or Alertmanager: without a proxy, and with the token of that server.

        Nothing but such queries carries a token, and no redirect is followed with one.
        """
        token = token_for(request.url, self._tokens)
        session = self._session(Proxies())
        if token is None:
            return session.send(request, deadline, cap)
        return masked(session.send(with_token(request, token), deadline, cap), token)

    def connect(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """Return a connected TCP socket. Raises UnreachableError.

        Its timeout is the time left now, and holds for one operation: set it again before each further one.
        """
        connection = self._dialer.dial(host, port, deadline)
        connection.settimeout(max(0.001, deadline.left(self._clock.monotonic())))
        return connection

    def resolve(self, host: str, port: int, deadline: Deadline) -> tuple[str, ...]:
        """The IP addresses this machine finds for a name, in its hosts file or DNS. Raises UnreachableError."""
        return self._dialer.resolve(host, port, deadline)

    def mapped(self, host: str, port: int) -> tuple[str, int]:
        """Return the host and port that ``connect_to`` maps ``host`` and ``port`` to."""
        return self._dialer.mapped(host, port)

    def close(self) -> None:
        """Close idle connections. Requests under way finish."""
        with self._lock:
            sessions, self._opened = tuple(self._opened.values()), {}
        for session in sessions:
            session.close()

    def _session(self, proxies: Proxies) -> "Session":
        with self._lock:
            session = self._opened.get(proxies)
            if session is None:
                # Commands that send nothing do not load httpx.
                from responder.outgoing.session import Session

                session = Session(self._dialer, lambda: verifying(self._ca_file), proxies)
                self._opened[proxies] = session
            return session


def verifying(ca_file: str) -> ssl.SSLContext:
    """Return a client context that trusts the system's authorities and those of ``ca_file``. Raises OSError."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


#: Characters. Anything shorter is no secret, and may stand in an answer by chance.
SHORTEST: Final = 8

#: The port of an address that names none.
PORTS: Final = {"http": 80, "https": 443}


def token_for(url: str, tokens: Mapping[str, Secret]) -> Secret | None:
    """The token of the server that ``url`` belongs to, None where it belongs to none of them.

    ``tokens`` are by base address. Scheme, host and port must be those of the base, and the path its own or below it;
    of several bases the longest counts. An address with a name and password of its own gets no token beside them.
    """
    asked = _place(url)
    bases = {base: place for base in tokens if (place := _place(base))}
    known = [
        base for base, (origin, path) in bases.items() if asked and origin == asked[0] and asked[1].startswith(path)
    ]
    if not known or "@" in urlsplit(url).netloc:
        return None
    return tokens[max(known, key=lambda base: len(bases[base][1]))]


def with_token(request: Request, token: Secret) -> Request:
    """The request as the server's own clients send it (RFC 6750, section 2.1)."""
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token.reveal()}"})


def masked(response: Response, token: Secret) -> Response:
    """The answer without the token: a proxy's error page may show the request it refused."""
    value = token.reveal().encode()
    if len(value) < SHORTEST or value not in response.body:
        return response
    return replace(response, body=response.body.replace(value, MASK.encode()))


def _place(url: str) -> tuple[tuple[str, str, int], str] | None:
    """Return the origin of a URL and its path with a trailing slash; None if it is no http(s) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not port or not parts.hostname:
        return None
    return (parts.scheme, parts.hostname, port), f"{parts.path.rstrip('/')}/"
