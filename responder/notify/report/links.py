"""Links of a message: runbook, dashboards, graph, silence form, status page, filtered to the incident."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit

from responder.model.alert import FINGERPRINT, AlertGroup
from responder.model.redaction import redact
from responder.model.rule import Link, RunbookRef, Service

#: Links besides the runbook.
MOST = 5

_CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BEFORE = timedelta(hours=1)
_WIDEST = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkBuilder:
    """Builds links from configured addresses only.

    URLs from an alert (generatorURL, externalURL) are used if their host is a configured one, and left out otherwise.
    ``alertmanager_urls`` are by cluster, those of every other cluster under the empty name. ``urls`` are the rule
    book's critical URLs.
    """

    runbook_base_url: str = ""
    prometheus_url: str = ""
    alertmanager_urls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    urls: tuple[Link, ...] = ()

    def runbook(self, ref: RunbookRef | None) -> Link | None:
        """The runbook's section. Without a base address the link has no href: the text still says which file."""
        if ref is None:
            return None
        path = quote(ref.file, safe="/") + (f"#{quote(ref.section, safe='')}" if ref.section else "")
        base = self.runbook_base_url.rstrip("/")
        return Link(f"Runbook: {ref}", safe_url(f"{base}/{path}") if base else "")

    def around(self, group: AlertGroup, service: Service | None, *, since: datetime, now: datetime) -> tuple[Link, ...]:
        """At most five links in a fixed order: dashboards, graph, silence form, status page."""
        dashboards = [link for link in self._dashboards(service, since, now) if link.href]
        others = [
            Link("Graph", self._graph(group)),
            Link("Silence", self._silence(group)),
            Link("Status page", self._status_page()),
        ]
        rest = [link for link in others if link.href]
        return tuple(dashboards[: MOST - len(rest)] + rest)

    def _dashboards(self, service: Service | None, since: datetime, now: datetime) -> Iterator[Link]:
        if service is None:
            return
        values = {
            "from": _milliseconds(max(since, now - _WIDEST) - _BEFORE),
            "to": _milliseconds(now),
            "var-service": service.name,
        }
        for link in service.dashboards:
            yield Link(link.text, safe_url(_with_query(link.href, values)))

    def _graph(self, group: AlertGroup) -> str:
        known = self._hosts()
        urls = (alert.generator_url for alert in (*group.firing, *group.alerts))
        return next((safe_url(url) for url in urls if host(url) in known and not _tells_a_secret(url)), "")

    def _silence(self, group: AlertGroup) -> str:
        if not any(FINGERPRINT.fullmatch(alert.fingerprint) for alert in group.alerts):
            return ""  # no Alertmanager knows these alerts
        base = next(iter(self.alertmanager_urls.get(group.cluster) or self.alertmanager_urls.get("", ())), "")
        if not base and host(group.external_url) in self._hosts():
            base = group.external_url
        if not base or not group.group_labels:
            return ""
        matchers = ",".join(_equal(name, value) for name, value in sorted(group.group_labels.items()))
        if _tells_a_secret(matchers):
            return ""
        return safe_url(f"{base.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}")

    def _hosts(self) -> frozenset[str]:
        configured = (self.prometheus_url, *chain(*self.alertmanager_urls.values()), *(link.href for link in self.urls))
        return frozenset(map(host, configured)) - {""}

    def _status_page(self) -> str:
        return next((safe_url(link.href) for link in self.urls if "status" in link.text.casefold()), "")


def _equal(name: str, value: str) -> str:
    return f"{name if _CLASSIC_NAME.fullmatch(name) else _quoted(name)}={_quoted(value)}"


def _tells_a_secret(text: str) -> bool:
    """A link cannot be redacted and still lead anywhere, so one that holds a secret is left out."""
    plain = unquote_plus(text)
    return redact(plain) != plain


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _with_query(url: str, values: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(values)) if part)
    return urlunsplit(parts._replace(query=query))


#: Characters of a URL; Slack allows 3,000.
LIMIT = 2000

_PLAIN_HOST = re.compile(r"[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\]")
# Everything a URL may hold as it stands (RFC 3986) but quotes and the brackets that only an IPv6 host may use.
_KEEP = "%:/?#@!$&()*+,;=~-._"


def safe_url(url: str) -> str:
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
