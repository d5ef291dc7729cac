"""Name resolution, address checks, the choice of a proxy, and connections under one total deadline."""

import contextlib
import errno
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from responder.model.clock import Clock, Deadline
from responder.model.secret import Secret
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
            raise OSError(errno.EMSGSIZE, "the response is too large")
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
    ) -> "DeadlineStream":
        """Return the encrypted stream. Raises OSError."""
        try:
            self._arm()
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

    def __init__(self, dialer: "Dialer", proxy: str = "") -> None:
        """``proxy`` names the proxy that these connections lead to, for messages."""
        self._dialer = dialer
        self._proxy = proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> DeadlineStream:
        """Connect by the deadline of the current exchange. Raises UnreachableError."""
        exchange = _current.get()
        exchange.dialled = True
        try:
            connection = self._dialer.dial(host, port, exchange.deadline)
        except UnreachableError as error:
            if self._proxy:
                raise UnreachableError(f"proxy {self._proxy}: {error}") from error
            raise
        return DeadlineStream(connection, self._dialer.clock)


def _has_input(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


_FORBIDDEN: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS, and below it the credentials of EKS pods
        "fd00:ec2::23/128",
        "fd20:ce::254/128",  # Google Cloud
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure: the host agent
        "192.0.0.192/32",  # Oracle Cloud
        "fd00:42::42/128",  # Scaleway
    )
)
#: NAT64's networks, and where the IPv4 address may begin in an address of each (RFC 6052, section 2.2). The second
#: network is for local use, with a prefix of any length (RFC 8215).
_NAT64: Final = (
    (ipaddress.IPv6Network("64:ff9b::/96"), (96,)),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), (48, 56, 64, 96)),
)
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
#: Reason for not calling one of these.
FORBIDDEN: Final = "link-local and metadata addresses are forbidden"


class UnreachableError(Exception):
    """The other side gave no usable answer; the text says why in a few words and holds no secret.

    ``refused`` marks the one case where a host did answer: nothing listens on that port.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


def is_forbidden(address: str) -> bool:
    """True for a link-local address and a cloud's metadata service, also where IPv6 embeds the IPv4 address.

    Text that is no IP address is not forbidden: names are judged by what they resolve to, when the connection is made.
    """
    try:
        ip = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    every = (ip, *_embedded(ip)) if isinstance(ip, ipaddress.IPv6Address) else (ip,)
    return any(each in network for each in every for network in _FORBIDDEN)


def _embedded(ip: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a router or tunnel may take ``ip`` for."""
    number = int(ip)
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip.sixtofour is not None:
        yield ip.sixtofour
    yield from ip.teredo or ()
    if number >> 32 == 0 or number >> 32 & 0xFFFFFFFF in _ISATAP:  # IPv4-compatible (RFC 4291), ISATAP (RFC 5214)
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    bits = f"{number:0128b}"
    for network, firsts in _NAT64:
        for first in firsts if ip in network else ():
            # Bits 64 to 71 are zero and belong to no address.
            found = bits[first:] if first > 64 else bits[first:64] + bits[72:]
            yield ipaddress.IPv4Address(int(found[:32], 2))


def split_address(text: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` in its two parts. Raises ValueError where the port is missing or no number."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        message = f"{text!r} is not host:port"
        raise ValueError(message)
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """The way back: IPv6 addresses get their brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: OSError, seconds: float) -> UnreachableError:
    """Return a short text for an operating system or TLS error. ``seconds`` is the timeout."""
    match error:
        case TimeoutError():
            return UnreachableError(f"timed out after {seconds:.1f} s")
        case ConnectionRefusedError():
            return UnreachableError("connection refused", refused=True)
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return UnreachableError("connection reset")
        case socket.gaierror(errno=socket.EAI_NONAME | socket.EAI_NODATA):
            return UnreachableError("DNS lookup failed: no such name")
        case socket.gaierror():
            return UnreachableError("DNS lookup failed")
        case ssl.SSLCertVerificationError():
            return UnreachableError(f"TLS: {error.verify_message}")
        case ssl.SSLEOFError():
            return UnreachableError("TLS: the other side hung up")
        case ssl.SSLError():
            return UnreachableError(f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}")
    return UnreachableError((error.strerror or type(error).__name__).lower())


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections. ``connect_to`` maps ``host:port`` to the ``host:port`` that is called in its place."""

    clock: Clock
    connect_to: Mapping[str, str] = field(default_factory=dict)

    def mapped(self, host: str, port: int) -> tuple[str, int]:
        """Return the mapped host and port of a connection to ``host`` and ``port``."""
        elsewhere = self.connect_to.get(join_address(host, port))
        return (host, port) if elsewhere is None else split_address(elsewhere)

    def resolve(self, host: str, port: int, deadline: Deadline) -> tuple[str, ...]:
        """The IP addresses of a name, as this machine resolves it (hosts file, then DNS).

        Raises UnreachableError. The lookup itself cannot be interrupted, so it is left behind on a daemon thread when
        the deadline passes: it ends with the resolver's own time-out.
        """
        found: SimpleQueue[tuple[str, ...] | OSError] = SimpleQueue()
        left = deadline.left(self.clock.monotonic())
        if is_ip(host):
            _lookup(host, port, found)
        else:
            threading.Thread(target=_lookup, args=(host, port, found), name="resolve", daemon=True).start()
        try:
            answer = found.get(timeout=left)
        except Empty:
            raise UnreachableError(f"DNS lookup timed out after {left:.1f} s") from None
        if isinstance(answer, OSError):
            raise reason(answer, left) from answer
        return answer

    def dial(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """A connected TCP socket. Raises UnreachableError, also for forbidden addresses."""
        budget = deadline.left(self.clock.monotonic())
        host, port = self.mapped(host, port)
        addresses = self.resolve(host, port, deadline)
        if any(is_forbidden(address) for address in addresses):
            raise UnreachableError(FORBIDDEN)
        failure: OSError = TimeoutError()
        for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            left = deadline.left(self.clock.monotonic())
            if left <= 0:
                break
            try:
                # An address that swallows packets must leave time for the others.
                return _open(address, port, left / untried)
            except OSError as error:
                failure = error
        raise reason(failure, budget) from failure


def _open(address: str, port: int, timeout: float) -> socket.socket:
    connection = socket.create_connection((address, port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def is_ip(host: str) -> bool:
    """True if a host is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lookup(host: str, port: int, found: SimpleQueue[tuple[str, ...] | OSError]) -> None:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        found.put(error)
    except UnicodeError:  # a label longer than 63 characters, as IDNA sees it
        found.put(socket.gaierror(socket.EAI_NONAME, "not a host name"))
    else:
        found.put(tuple(dict.fromkeys(str(row[4][0]) for row in rows)))


_NONE: Final = Secret("")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. ``login`` is ``user:password``, empty if it needs none."""

    url: str
    login: Secret

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies for ``https://`` and ``http://`` addresses (URLs, empty for none), and what is called directly."""

    https: Secret = _NONE
    http: Secret = _NONE
    no_proxy: str = ""

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for an address, None if it is called directly. Loopback always is."""
        url = (self.https if scheme == "https" else self.http).reveal()
        if not url or _is_loopback(host) or any(_matches(each, host, port) for each in self.no_proxy.split(",")):
            return None
        parts = urlsplit(url)
        user, _, address = parts.netloc.rpartition("@")
        return Proxy(f"{parts.scheme}://{address}", Secret(unquote(user)))


def _matches(entry: str, host: str, port: int) -> bool:
    """True if an entry of NO_PROXY covers the address.

    An entry is ``*``, an IP address or network, or a host name that covers its subdomains; with a leading dot it covers
    them only. Each but a network may have a port. Go programs such as Alertmanager read NO_PROXY in the same way.
    """
    entry, host = entry.strip().lower().rstrip("."), host.lower().rstrip(".")
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal() and (":" not in name or name.endswith("]")):
        return int(wanted) == port and _matches(name, host, port)
    if not entry or entry == "*":
        return entry == "*"
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        suffix = entry.removeprefix("*")
        return host == suffix or host.endswith(suffix if suffix.startswith(".") else f".{suffix}")
    try:
        return ipaddress.ip_address(host.strip("[]")) in network
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
