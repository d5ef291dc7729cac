"""Requests and connections under a total deadline."""

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import MASK, Credentials
from responder.outgoing.network import Dialer, Proxies, Proxy, UnreachableError

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
        credentials: Mapping[str, Credentials] | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """Connect nothing yet.

        Args:
            clock: Measures deadlines.
            connect_to: Maps ``host:port`` to the ``host:port`` to call instead; Host header and SNI stay.
            ca_file: PEM file with certificates to trust in addition to the system's authorities.
            credentials: By the base URL of the server that may receive them.
            proxies: Egress proxies for ``send``; none for probes.
        """
        self._clock = clock
        self._dialer = Dialer(clock, dict(connect_to or {}))
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._credentials = credentials or {}
        self._lock = threading.Lock()
        self._proxies = proxies or Proxies()
        self._opened: dict[_Way, Session] = {}

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
        return self._session(_Way(self._proxies)).send(request, deadline, cap)

    def query(self, request: Request, deadline: Deadline, cap: int = 65536) -> Response:
        """The same for a query to Prometheus or Alertmanager: without a proxy, and with the credentials for it.

        Nothing but such queries carries credentials, and no redirect is followed with them.
        """
        given = credentials_for(request.url, self._credentials)
        if given is None:
            return self._session(_Way(Proxies())).send(request, deadline, cap)
        session = self._session(_way_with(given))
        return masked(session.send(authorized(request, given), deadline, cap), given)

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

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy of ``send`` for an address, None if it is called directly."""
        return self._proxies.proxy_for(scheme, host, port)

    def left(self, deadline: Deadline) -> float:
        """Return the seconds until a deadline, never below zero."""
        return deadline.left(self._clock.monotonic())

    def mapped(self, host: str, port: int) -> tuple[str, int]:
        """Return the host and port that ``connect_to`` maps ``host`` and ``port`` to."""
        return self._dialer.mapped(host, port)

    def close(self) -> None:
        """Close idle connections. Requests under way finish."""
        with self._lock:
            sessions, self._opened = tuple(self._opened.values()), {}
        for session in sessions:
            session.close()

    def _session(self, way: "_Way") -> "Session":
        with self._lock:
            session = self._opened.get(way)
            if session is None:
                # Commands that send nothing do not load httpx.
                from responder.outgoing.session import Session

                context = verifying(self._ca_file, way.certificate, way.key) if way.certificate else None
                session = Session(self._dialer, lambda: context or verifying(self._ca_file), way.proxies)
                for former in [each for each in self._opened if each.certificate and each.same_files(way)]:
                    self._opened.pop(former).close()
                self._opened[way] = session
            return session


class _Way(NamedTuple):
    """A way out with connections of its own. ``changed`` are the times of the certificate's files, in ns."""

    proxies: Proxies
    certificate: str = ""
    key: str = ""
    changed: tuple[int, ...] = ()

    def same_files(self, other: "_Way") -> bool:
        """Return True if both use the same client certificate, whenever it was written."""
        return (self.certificate, self.key) == (other.certificate, other.key)


def _way_with(given: Credentials) -> _Way:
    """Return the way out with a client certificate; another one after its files were renewed."""
    if not given.certificate:
        return _Way(Proxies())
    try:
        changed = tuple(Path(path).stat().st_mtime_ns for path in (given.certificate, given.key))
    except OSError as error:
        raise UnreachableError(f"the client certificate cannot be read: {error.strerror}") from error
    return _Way(Proxies(), given.certificate, given.key, changed)


def verifying(ca_file: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return a client context that trusts the system's authorities and those of ``ca_file``. Raises OSError.

    Raises UnreachableError if the client certificate cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise UnreachableError(f"the client certificate cannot be used: {error.strerror or error}") from error
    return context


#: Characters. Anything shorter is no secret, and may stand in an answer by chance.
SHORTEST: Final = 8

#: The port of an address that names none.
PORTS: Final = {"http": 80, "https": 443}


def credentials_for(url: str, credentials: Mapping[str, Credentials]) -> Credentials | None:
    """The credentials for the server that ``url`` belongs to, None where it belongs to none of them.

    ``credentials`` are by base address. Scheme, host and port must be those of the base, and the path its own or below
    it; of several bases the longest counts. An address with a name and password of its own gets none beside them.
    """
    asked = _place(url)
    bases = {base: place for base in credentials if (place := _place(base))}
    known = [
        base for base, (origin, path) in bases.items() if asked and origin == asked[0] and asked[1].startswith(path)
    ]
    if not known or "@" in urlsplit(url).netloc:
        return None
    return credentials[max(known, key=lambda base: len(bases[base][1]))]


def authorized(request: Request, given: Credentials) -> Request:
    """Return the request with the header of the credentials, if they have one."""
    return replace(request, headers={**request.headers, "Authorization": given.header}) if given.header else request


def masked(response: Response, given: Credentials) -> Response:
    """The answer without the credentials: a proxy's error page may show the request it refused."""
    for secret in given.secrets:
        value = secret.reveal().encode()
        if len(value) >= SHORTEST and value in response.body:
            response = replace(response, body=response.body.replace(value, MASK.encode()))
    return response


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
