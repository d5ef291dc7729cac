"""Creates, finds and expires silences in Alertmanager.

Alertmanager is not idempotent: the same silence posted twice is two. Each silence here ends with a marker in its
comment, and every attempt looks for it first. The members of a cluster gossip: one of them gets the request.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from responder.model.clock import Clock, Deadline, short_duration
from responder.model.message import Response
from responder.model.silence import Matchers, SilenceOrder, SilenceReach, SilenceResult
from responder.model.text import number_of, sanitize_line
from responder.outgoing.alertmanager_api import (
    ALERTS,
    CREATED,
    SILENCES,
    GettableSilence,
    equalities,
    filters,
    matcher_text,
    silence_path,
)
from responder.outgoing.client import Outgoing
from responder.outgoing.json_api import NoAnswerError, ask, decoded
from responder.outgoing.network import UnreachableError

#: Time for all requests of one attempt, in seconds.
SECONDS = 5.0
#: Largest response in bytes; a longer one is rejected as a whole.
CAP = 32 * 1024 * 1024
#: A silence starts this much in the past, in seconds: Alertmanager makes it "now", whichever clock is behind a little.
_BEFORE_SECONDS = 5.0
#: Seconds between two clocks that are no skew: the Date header has whole seconds, and the response takes time.
_EQUAL_SECONDS = 3.0
#: Skew, in seconds, that people are informed of.
_SKEW_SECONDS = 30.0
#: Ends of a silence, in seconds, that are the same: an earlier attempt has set it.
_SAME_END_SECONDS = 10.0
#: Statuses below 500 that may pass: time-out and rate limit, of a proxy in front of Alertmanager.
_PASSING = frozenset({408, 425, 429})

_Found = TypeVar("_Found")


class AlertmanagerDownError(Exception):
    """No Alertmanager of the cluster has answered in a way that settles the matter: try again."""


class AlertmanagerRefusalError(Exception):
    """Alertmanager refuses the request for good."""


@dataclass(frozen=True, slots=True)
class Silences:
    """Silences of every configured Alertmanager. Those of the cluster "" serve all other clusters."""

    outgoing: Outgoing
    clock: Clock
    servers: Mapping[str, tuple[str, ...]]

    def urls(self, cluster: str) -> tuple[str, ...]:
        """Return the members of the Alertmanager cluster for incidents of ``cluster``."""
        return self.servers.get(cluster) or self.servers.get("", ())

    def reach(
        self, cluster: str, groups: Iterable[Matchers], own: Collection[str], seconds: float = SECONDS
    ) -> SilenceReach:
        """Return how many alerts the matchers match now. ``own`` are the fingerprints of the incident's alerts.

        Raises AlertmanagerDownError and AlertmanagerRefusalError, after ``seconds`` at the latest.
        """
        wanted = tuple(groups)
        return self._first(cluster, seconds, lambda url, deadline: self._reach(url, wanted, own, deadline))[1]

    def create(self, order: SilenceOrder) -> SilenceResult:
        """Create the silences of an incident, or extend those it has. Done before, it changes nothing.

        Raises AlertmanagerDownError: whether something was created is unknown then, and the next attempt finds it.
        """
        until = Deadline(self.clock.monotonic() + SECONDS)
        try:
            url, (known, skew, reach) = self._first(
                order.cluster, SECONDS, lambda url, deadline: self._known(url, order, deadline)
            )
        except AlertmanagerRefusalError as error:
            return SilenceResult(problem=str(error))
        if reach.others > order.confirmed:
            return SilenceResult(problem=overreach(order.groups, reach))
        now = self.clock.now() + skew
        created: list[str] = []
        try:
            for matchers in order.groups:
                mine = [each for each in known if _is_of(each, order.marker) and equalities(each) == matchers]
                created.append(self._put(url, order, matchers, mine, (now, order.until + skew), until))
        except AlertmanagerRefusalError as error:
            done = f" ({len(created)} of {number_of(len(order.groups), 'group')} are silenced)" if created else ""
            return SilenceResult(ids=tuple(created), problem=f"{error}{done}{_said_skew(url, skew)}")
        return SilenceResult(ids=tuple(created), note=_said_skew(url, skew))

    def expire(self, cluster: str, marker: str) -> SilenceResult:
        """Expire the silences of an incident; none is left afterwards. Raises AlertmanagerDownError."""
        until = Deadline(self.clock.monotonic() + SECONDS)
        try:
            url, known = self._first(cluster, SECONDS, self._listed)
            mine = [each.id for each in known if _is_of(each, marker)]
            for each in mine:
                self._asked(url, "DELETE", silence_path(each), until, gone_is_done=True)
        except AlertmanagerRefusalError as error:
            return SilenceResult(problem=str(error))
        return SilenceResult(ids=tuple(mine))

    def listed(self, cluster: str) -> list[GettableSilence]:
        """Return the silences that are active or pending.

        Raises AlertmanagerDownError and AlertmanagerRefusalError.
        """
        return [each for each in self._first(cluster, SECONDS, self._listed)[1] if each.status.state != "expired"]

    def _first(self, cluster: str, seconds: float, call: Callable[[str, Deadline], _Found]) -> tuple[str, _Found]:
        """Return the first member of the cluster that answers, and its answer."""
        urls, reasons = self.urls(cluster), []
        if not urls:
            raise AlertmanagerRefusalError(
                f"RESPONDER_ALERTMANAGER_URL names no Alertmanager{f' of cluster {cluster}' if cluster else ''}"
            )
        until = Deadline(self.clock.monotonic() + seconds)
        for place, url in enumerate(urls):
            now = self.clock.monotonic()
            try:
                return url, call(url, until.earlier(until.left(now) / (len(urls) - place), now))
            except AlertmanagerDownError as error:
                reasons.append(str(error))
        raise AlertmanagerDownError("; ".join(reasons))

    def _known(
        self, url: str, order: SilenceOrder, deadline: Deadline
    ) -> tuple[list[GettableSilence], timedelta, SilenceReach]:
        """Return the silences of the groups, how far the server's clock is ahead, and the alerts that they match."""
        found: list[GettableSilence] = []
        skew = timedelta()
        for matchers in order.groups:
            path = f"/api/v2/silences?{filters(matchers)}"
            response = self._asked(url, "GET", path, deadline)
            skew = _skew(response, self.clock.now())
            listed = self._read(response, url + path, SILENCES)
            found += listed
        return found, skew, self._reach(url, order.groups, order.own, deadline)

    def _reach(self, url: str, groups: Iterable[Matchers], own: Collection[str], deadline: Deadline) -> SilenceReach:
        matched: set[str] = set()
        for matchers in groups:
            path = f"/api/v2/alerts?{filters(matchers)}"
            found = self._read(self._asked(url, "GET", path, deadline), url + path, ALERTS)
            matched |= {each.fingerprint for each in found}
        return SilenceReach(total=len(matched), others=len(matched - set(own)))

    def _listed(self, url: str, deadline: Deadline) -> list[GettableSilence]:
        path = "/api/v2/silences"
        return self._read(self._asked(url, "GET", path, deadline), url + path, SILENCES)

    def _put(
        self,
        url: str,
        order: SilenceOrder,
        matchers: Matchers,
        mine: list[GettableSilence],
        span: tuple[datetime, datetime],
        deadline: Deadline,
    ) -> str:
        """Create a silence, or extend the one that exists, and return its id."""
        now, end = span
        last = max(mine, key=lambda each: each.ends_at, default=None)
        if last is not None and abs((last.ends_at - end).total_seconds()) <= _SAME_END_SECONDS:
            return last.id
        # A silence keeps its id only if it keeps its start.
        start = (last.starts_at if last else None) or now - timedelta(seconds=_BEFORE_SECONDS)
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in sorted(matchers.items())
            ],
            "startsAt": start.isoformat(),
            "endsAt": end.isoformat(),
            "createdBy": order.by,
            "comment": order.comment,
            **({"id": last.id} if last else {}),
        }
        response = self._asked(url, "POST", "/api/v2/silences", deadline, msgspec.json.encode(body))
        return self._read(response, f"{url}/api/v2/silences", CREATED).silence_id

    def _asked(
        self, url: str, method: str, path: str, deadline: Deadline, body: bytes = b"", *, gone_is_done: bool = False
    ) -> Response:
        server = sanitize_line(url.rstrip("/"), 200)
        try:
            return ask(self.outgoing, method, url.rstrip("/") + path, deadline, CAP, body=body)
        except UnreachableError as error:
            raise AlertmanagerDownError(f"{server}: {error}") from error
        except NoAnswerError as error:
            if gone_is_done and error.status == 404:
                return Response(200, b"")
            if 400 <= error.status < 500 and error.status not in _PASSING:
                raise AlertmanagerRefusalError(f"{server} refuses: {error.said or error}") from error
            raise AlertmanagerDownError(f"{server}: {error}") from error

    def _read(self, response: Response, url: str, shape: msgspec.json.Decoder[_Found]) -> _Found:
        try:
            return decoded(response, url, shape)
        except NoAnswerError as error:
            raise AlertmanagerDownError(str(error)) from error


def overreach(groups: Collection[Matchers], reach: SilenceReach) -> str:
    """Return the reason to refuse a silence that mutes more than the incident."""
    what = " and ".join(sanitize_line(matcher_text(each), 300) for each in groups)
    return (
        f"{what} matches {number_of(reach.total, 'alert')} now, {reach.others} of them not of this incident;"
        " confirm the number to silence them, too"
    )


def _is_of(silence: GettableSilence, marker: str) -> bool:
    """Return True for a silence of the incident that has not ended. The marker is the end: a person's text is not."""
    return silence.status.state != "expired" and silence.comment.endswith(marker)


def _skew(response: Response, now: datetime) -> timedelta:
    """Return how far the server's clock is ahead; zero for a difference that the header cannot show."""
    try:
        ahead = parsedate_to_datetime(response.headers.get("date", "")) - now
    except (ValueError, TypeError):
        return timedelta()
    return ahead if abs(ahead.total_seconds()) > _EQUAL_SECONDS else timedelta()


def _said_skew(url: str, skew: timedelta) -> str:
    seconds = skew.total_seconds()
    if abs(seconds) < _SKEW_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    server = sanitize_line(url.rstrip("/"), 200)
    return f"; the clock of {server} is {short_duration(abs(seconds))} {way} responder's, and the silence follows it"
