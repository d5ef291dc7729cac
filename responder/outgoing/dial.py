"""From a host and a port to a connected socket before a deadline, never to an address that is out of bounds."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from responder.model.clock import Clock, Deadline

_FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS
        "fd20:ce::254/128",  # Google Cloud
        "100.100.100.200/32",  # Alibaba Cloud
    )
)
# RFC 6052: the last 32 bits are an IPv4 address.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class CouldNotReach(Exception):
    """The other side gave no usable answer; the text says why in a few words and holds no secret.

    ``refused`` marks the one case where a host did answer: nothing listens on that port.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


def is_forbidden(address: str) -> bool:
    """Whether an IP address is link-local or a cloud's metadata service, also when wrapped in IPv6.

    Text that is no IP address is not: names are judged by what they resolve to, when the connection is made.
    """
    try:
        ip = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return any(ip in network for network in _FORBIDDEN)


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


def reason(error: OSError, seconds: float) -> CouldNotReach:
    """What an operating system or TLS error means, in a few words. ``seconds`` is how long we were ready to wait."""
    match error:
        case TimeoutError():
            return CouldNotReach(f"timed out after {seconds:.1f} s")
        case ConnectionRefusedError():
            return CouldNotReach("connection refused", refused=True)
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return CouldNotReach("connection reset")
        case socket.gaierror(errno=socket.EAI_NONAME | socket.EAI_NODATA):
            return CouldNotReach("name does not resolve")
        case socket.gaierror():
            return CouldNotReach("name lookup failed")
        case ssl.SSLCertVerificationError():
            return CouldNotReach(f"TLS: {error.verify_message}")
        case ssl.SSLEOFError():
            return CouldNotReach("TLS: the other side hung up")
        case ssl.SSLError():
            return CouldNotReach(f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}")
    return CouldNotReach((error.strerror or type(error).__name__).lower())


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections. ``connect_to`` maps ``host:port`` to the ``host:port`` that is called in its place."""

    clock: Clock
    connect_to: Mapping[str, str] = field(default_factory=dict)

    def mapped(self, host: str, port: int) -> tuple[str, int]:
        """Where a connection to ``host`` and ``port`` really goes."""
        elsewhere = self.connect_to.get(join_address(host, port))
        return (host, port) if elsewhere is None else split_address(elsewhere)

    def resolve(self, host: str, port: int, deadline: Deadline) -> tuple[str, ...]:
        """The IP addresses of a name, as this machine resolves it (hosts file, then DNS).

        Raises CouldNotReach. The lookup itself cannot be interrupted, so it is left behind on a daemon thread when the
        deadline passes: it ends with the resolver's own time-out.
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
            raise CouldNotReach(f"name lookup timed out after {left:.1f} s") from None
        if isinstance(answer, OSError):
            raise reason(answer, left) from answer
        return answer

    def dial(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """A connected TCP socket. Raises CouldNotReach, also for addresses that nobody may be sent to."""
        budget = deadline.left(self.clock.monotonic())
        host, port = self.mapped(host, port)
        addresses = self.resolve(host, port, deadline)
        if any(is_forbidden(address) for address in addresses):
            raise CouldNotReach("link-local and metadata addresses are never asked")
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
