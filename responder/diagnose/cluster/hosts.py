"""Hosts that a log line names: words before a port or a path, addresses, and names with a namespace. Pure."""

import re

_IP = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")
#: A host's first label: alone, before a port, a path, or the rest of a cluster name.
_HOST = re.compile(r"(?<![A-Za-z0-9._-])([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?=[:./\s\"'),;\]]|$)")
#: A host of the cluster with its namespace: ``settle.ledgers.svc.cluster.local``, ``settle.ledgers.svc``, or before a
#: port; libpq and pgx write ``host=db.ledgers user=app``.
_IN_NAMESPACE = re.compile(
    r"(?<![A-Za-z0-9._-])(?P<is>host=)?([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\.([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)"
    r"(?:\.svc(?:\.cluster\.local)?\.?(?![A-Za-z0-9.-])|(?=:\d)|(?(is)(?![A-Za-z0-9.-])|(?!)))"
)
#: Failed lookups in logs of Go, Java, Python, Node.js, libc, busybox and clients of databases.
FAILED_LOOKUP = re.compile(
    r"no such host|UnknownHost|Name or service not known|getaddrinfo|EAI_AGAIN|"
    r"Temporary failure in name resolution|:53: |could not resolve host|server misbehaving|"
    r"bad address|NXDOMAIN|can't resolve|unable to resolve|translate host name|Unknown MySQL server host",
    re.IGNORECASE,
)
#: Last labels of hosts on the internet, which are no namespaces.
_DOMAINS = frozenset(
    {"com", "net", "org", "io", "dev", "cloud", "app", "ai", "co", "eu", "uk", "de", "fr", "us", "local"}
)


def hosts_in(line: str) -> list[str]:
    """Return the words of a line that may be hosts, and its addresses. Hosts with a namespace come as ``db.pay``."""
    rest = _IN_NAMESPACE.sub(" ", line)
    full = [f"{host}.{namespace}" for host, namespace in with_namespace(line)]
    return [*full, *_HOST.findall(rest), *_IP.findall(rest)]


def with_namespace(line: str) -> list[tuple[str, str]]:
    """Return the hosts of a line that have a namespace, with it."""
    return [
        (host, space) for _, host, space in _IN_NAMESPACE.findall(line) if space not in _DOMAINS and not space.isdigit()
    ]
