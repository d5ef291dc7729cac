"""Addresses that may become links: http or https, a plain host, nothing that ends a link's markup."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

LIMIT = 2000  # characters; below Slack's 3,000 for a URL, and browsers take no harm

_PLAIN_HOST = re.compile(r"[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\]")
# Everything a URL may hold as it stands (RFC 3986) but quotes and the brackets that only an IPv6 host may use.
_KEEP = "%:/?#@!$&()*+,;=~-._"


def safe(url: str) -> str:
    """``url`` with everything percent-encoded that could leave a link's markup; empty where it must not be a link.

    Refused: other schemes than http and https, user names (``https://bank@evil``), hosts with anything but letters,
    digits, dots and dashes, and addresses over 2,000 characters.
    """
    place = origin(url)
    if not place:
        return ""
    parts = urlsplit(url)
    tail = parts.path + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    made = place + quote(tail, safe=_KEEP, errors="replace")
    return made if len(made) <= LIMIT else ""


@lru_cache(maxsize=512)
def origin(url: str) -> str:
    """``scheme://host[:port]`` in lower case, without the scheme's own port; empty where ``safe`` would refuse it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host, marked = parts.netloc.lower(), parts.scheme in {"http", "https"}
    if port is not None or host.endswith(":"):
        host = host.rpartition(":")[0]
    if not marked or not _PLAIN_HOST.fullmatch(host):
        return ""
    own = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, own} else "")


def host(url: str) -> str:
    """Host and port that ``url`` leads to, empty where it must not be a link. The scheme's own port is left out."""
    return origin(url).partition("://")[2]
