"""Links of a message: runbook, dashboards, graph, silence form, status page, filtered to the incident."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_plus, urlencode, urlsplit, urlunsplit

from responder.model.alert import FINGERPRINT, Alert, AlertGroup, Labels
from responder.model.conclusion_codes import closest
from responder.model.redaction import redact
from responder.model.rule import PLACEHOLDER, Link, LinkAnnotations, Rule, RunbookRef, Service
from responder.model.text import sanitize_line

#: Text of the link to the incident at the vendor that pages.
VENDOR_LINK = "PagerDuty incident"
#: Links besides the runbook.
MOST = 5

_CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BEFORE = timedelta(hours=1)
_WIDEST = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkBuilder:
    """Builds the links of a message from the settings, the rules and the alert.

    URLs of an alert (its runbook and dashboard annotations, generatorURL, externalURL) are used if ``safe_url`` accepts
    them, they hold no secret, and their host is one of ``hosts``, where that is not empty. The addresses that responder
    itself queries are never linked: people may not reach them. ``prometheus_public_url`` replaces the address of a
    generatorURL; ``alertmanager_public_urls`` (by cluster, under the empty name those of every other cluster) replace
    the externalURL. ``urls`` are the rule book's critical URLs, ``annotations`` the names of the alert's own links.
    """

    runbook_base_url: str = ""
    prometheus_public_url: str = ""
    alertmanager_public_urls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    urls: tuple[Link, ...] = ()
    annotations: LinkAnnotations = field(default=LinkAnnotations())

    def runbook(self, ref: RunbookRef | None, alert: Alert | None = None, *, first: Sequence[str] = ()) -> Link | None:
        """Return the runbook of a rule, or else of the alert; a link in the annotations ``first`` wins.

        Without a base address a local runbook has no href: the text still says which file.
        """
        if alert is None:
            return self._of_rule(ref, {}) if ref is not None else None
        return (
            self._own_runbook(alert, first)
            or (self._of_rule(ref, alert.labels) if ref is not None else None)
            or self._own_runbook(alert, self.annotations.runbook)
        )

    def by_conclusion(self, rule: Rule, code: str, labels: Labels) -> Link | None:
        """Return the runbook of a rule for the code of a conclusion; None without one, or if its URL lacks a label."""
        ref = closest(code, rule.runbooks)
        return self._of_rule(ref, labels) if ref is not None else None

    def _of_rule(self, ref: RunbookRef, labels: Labels) -> Link | None:
        if ref.is_url:
            return _runbook_link(expanded(str(ref), labels))
        return _local_runbook(self.runbook_base_url.rstrip("/"), ref)

    def _own_runbook(self, alert: Alert, names: Sequence[str]) -> Link | None:
        values = (alert.annotations.get(name) or alert.labels.get(name, "") for name in names)
        return next((link for value in values if (link := _runbook_link(self._foreign(value)))), None)

    def _foreign(self, url: str) -> str:
        """``url`` of an alert as a link, empty where it must not be one."""
        made = safe_url(url.strip())
        return "" if not made or self._refused(url) else made

    def _refused(self, url: str) -> str:
        """Return the reason why ``url`` of an alert is not linked, empty if it is."""
        made = safe_url(url.strip())
        if not made:
            return "is no plain http or https URL" if url.strip() else "is missing"
        if self.hosts and host(made) not in self.hosts:
            return f"leads to {host(made)}, which is not in RESPONDER_LINK_HOSTS"
        return "holds a secret" if _holds_secret(url) else ""

    def missing_graph(self, group: AlertGroup) -> str:
        """Return the reason why the pages of a group have no link to a graph, empty if they have one."""
        if self._graph(group) or not group.alerts:
            return ""
        return f"its generatorURL {self._refused(self._public(group.alerts[0].generator_url))}"

    def around(
        self,
        group: AlertGroup,
        service: Service | None,
        alert: Alert | None = None,
        runbook: Link | None = None,
        *,
        since: datetime,
        now: datetime,
    ) -> tuple[Link, ...]:
        """At most five links in a fixed order: the alert's own, dashboards, graph, silence form, status page.

        ``alert`` is the one that decided. Its runbook is among them where ``runbook``, that of the page, is another;
        so are the runbooks of the alerts of other names in the group.
        """
        own = self._own_links(alert, group, runbook) if alert is not None else ()
        found = [link for link in (*own, *self._dashboards(service, since, now)) if link.href]
        dashboards = list({link.href: link for link in reversed(found)}.values())[::-1]
        others = [
            Link("Graph", self._graph(group)),
            Link("Silence", self._silence(group)),
            Link("Status page", self._status_page()),
        ]
        rest = [link for link in others if link.href]
        return tuple(dashboards[: MOST - len(rest)] + rest)

    def _own_links(self, alert: Alert, group: AlertGroup, runbook: Link | None) -> Iterator[Link]:
        own = self._own_runbook(alert, self.annotations.runbook)
        if own is not None and runbook is not None and own.href != runbook.href:
            yield Link("Runbook of the alert", own.href)
        values = {**alert.links, **alert.labels, **alert.annotations}
        for text, names in (("Dashboard", self.annotations.dashboard), ("Panel", self.annotations.panel)):
            yield from (Link(text, self._foreign(values.get(name, ""))) for name in names)
        shown = runbook.href if runbook is not None else ""
        for other in group.firing:
            theirs = self._own_runbook(other, self.annotations.runbook) if other.name != alert.name else None
            if theirs is not None and theirs.href != shown:
                yield Link(f"Runbook of {sanitize_line(other.name, 60)}", theirs.href)

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
        urls = (self._foreign(self._public(alert.generator_url)) for alert in (*group.firing, *group.alerts))
        return next(filter(None, urls), "")

    def _public(self, generator_url: str) -> str:
        """The same graph at the public address of Prometheus, where there is one."""
        if not self.prometheus_public_url or urlsplit(generator_url).path.rpartition("/")[2] != "graph":
            return generator_url
        return f"{self.prometheus_public_url.rstrip('/')}/graph?{urlsplit(generator_url).query}"

    def _silence(self, group: AlertGroup) -> str:
        own = (self._foreign(alert.links.get("silenceURL", "")) for alert in (*group.firing, *group.alerts))
        if found := next(filter(None, own), ""):
            return found
        if not any(FINGERPRINT.fullmatch(alert.fingerprint) for alert in group.alerts):
            return ""  # no Alertmanager knows these alerts
        public = self.alertmanager_public_urls.get(group.cluster) or self.alertmanager_public_urls.get("", ())
        base = next(iter(public), "") or self._foreign(group.external_url)
        if not base or not group.group_labels:
            return ""
        matchers = ",".join(_equal(name, value) for name, value in sorted(group.group_labels.items()))
        if _holds_secret(matchers):
            return ""
        return safe_url(f"{base.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}")

    def _status_page(self) -> str:
        return next((safe_url(link.href) for link in self.urls if "status" in link.text.casefold()), "")


@lru_cache(maxsize=512)
def _local_runbook(base: str, ref: RunbookRef) -> Link:
    path = quote(ref.file, safe="/") + (f"#{quote(ref.section, safe='')}" if ref.section else "")
    return Link(f"Runbook: {ref}", safe_url(f"{base}/{path}") if base else "")


def _runbook_link(url: str) -> Link | None:
    """A link whose text shows the host and the end of the path; None without a URL."""
    made = safe_url(url)
    if not made:
        return None
    parts = urlsplit(made)
    end = parts.path.rstrip("/").rpartition("/")[2]
    shown = f"{host(made)}/…/{end}" if parts.path.count("/") > 1 else f"{host(made)}{parts.path.rstrip('/')}"
    return Link(f"Runbook: {sanitize_line(unquote(shown), 100)}", made)


def expanded(template: str, labels: Labels) -> str:
    """Return the URL with the labels in the place of ``${label}`` and ``${label|lower}``; empty where one is missing.

    A value is percent-encoded whole, so it cannot add a path segment, a query or another host.
    """
    names = [name for name, _ in PLACEHOLDER.findall(template)]
    if any(labels.get(name, "") in {"", ".", ".."} for name in names):
        return ""

    def value(found: re.Match[str]) -> str:
        text = labels[found[1]]
        return quote(text.lower() if found[2] else text, safe="")

    return PLACEHOLDER.sub(value, template)


def _equal(name: str, value: str) -> str:
    return f"{name if _CLASSIC_NAME.fullmatch(name) else _quoted(name)}={_quoted(value)}"


@lru_cache(maxsize=512)
def _holds_secret(text: str) -> bool:
    """Return True if a link holds a secret: it cannot be redacted and still work, so it is left out.

    Remembered, since the alerts of one rule have the same links.
    """
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
