"""Egress proxy: which requests leave through one."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from responder.model.secret import Secret

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
