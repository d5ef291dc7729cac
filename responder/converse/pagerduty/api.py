"""PagerDuty's REST API: its incidents, which alerts they have, and which of them nothing here resolves."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from responder.model.clock import TITLE_LIMIT, Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.notify.channels.pagerduty_notes import OPEN, open_incidents_url
from responder.notify.report.links import safe_url
from responder.outgoing import Outgoing, UnreachableError

#: Time for one call, in seconds. PagerDuty waits five for the answer to its webhook.
CALL_SECONDS = 3.0


#: Incidents of one page of a list, and of one change (https://developer.pagerduty.com/api-reference).
PAGE, MOST_CHANGED = 100, 250


class _Details(msgspec.Struct):
    client: str | None = ""


class _Body(msgspec.Struct):
    cef_details: _Details | None = None


class _Alert(msgspec.Struct):
    alert_key: str | None = ""
    body: _Body | None = None


class _Alerts(msgspec.Struct):
    alerts: list[_Alert] = []


class _Listed(msgspec.Struct):
    id: str
    html_url: str | None = ""
    title: str | None = ""
    created_at: datetime | None = None


class _Incidents(msgspec.Struct):
    incidents: list[_Listed]
    more: bool = False


_ALERTS = msgspec.json.Decoder(_Alerts)
_INCIDENTS = msgspec.json.Decoder(_Incidents)
_Shape = TypeVar("_Shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """An open incident of PagerDuty. ``alerts`` are the dedup key and the client of each of its alerts."""

    id: str
    url: str
    title: str
    created_at: datetime | None
    alerts: tuple[tuple[str, str], ...] = ()


class PagerDutyApi:
    """Asks PagerDuty with an API token; without one nothing is asked. ``author`` is the user who resolves."""

    def __init__(self, outgoing: Outgoing, clock: Clock, token: Secret, base_url: str, author: str = "") -> None:
        self._outgoing = outgoing
        self._author = author
        self._clock = clock
        self._token = token
        self._base_url = base_url.rstrip("/")

    def alert_keys(self, incident: str) -> tuple[str, ...]:
        """Return the dedup keys of the alerts of an incident; none without a token or for what is no id.

        Raises UnreachableError.
        https://developer.pagerduty.com/api-reference, "List alerts for an incident": an incident that was made by
        events has no incident_key; its alerts have the dedup keys.
        """
        if not self._token.reveal() or not (incident.isascii() and incident.isalnum()):
            return ()
        url = f"{self._base_url}/incidents/{incident}/alerts?limit=100"
        found = self._get(url, _ALERTS)
        return tuple(each.alert_key for each in found.alerts if each.alert_key) if found else ()

    def incident_of(self, dedup_key: str) -> tuple[str, str]:
        """Return the id and the address of the open incident with a dedup key; empty for none. Raises UnreachableError.

        Raises ValueError for an empty key, which would find any incident of the account.
        """
        if not self._token.reveal():
            return "", ""
        found = self._get(open_incidents_url(self._base_url, dedup_key), _INCIDENTS)
        newest = found.incidents[0] if found and found.incidents else None
        return (newest.id, safe_url(newest.html_url or "")) if newest else ("", "")

    def open_incidents(self) -> Iterator[OpenIncident]:
        """Yield the open incidents of the account with their alerts. Raises UnreachableError."""
        first, more = 0, True
        while more:
            url = f"{self._base_url}/incidents?{urlencode((*OPEN, ('limit', str(PAGE)), ('offset', str(first))))}"
            listed = self._get(url, _INCIDENTS) or _Incidents([])
            for each in listed.incidents:
                yield OpenIncident(
                    id=each.id,
                    url=safe_url(each.html_url or ""),
                    title=sanitize_line(each.title or "", TITLE_LIMIT),
                    created_at=each.created_at,
                    alerts=self._alerts(each.id),
                )
            first, more = first + PAGE, listed.more and bool(listed.incidents)

    def _alerts(self, incident: str) -> tuple[tuple[str, str], ...]:
        found = self._get(f"{self._base_url}/incidents/{quote(incident, safe='')}/alerts?limit={PAGE}", _ALERTS)
        details = (
            ((each.alert_key or "", each.body.cef_details if each.body else None) for each in found.alerts)
            if found
            else ()
        )
        return tuple((key, (own.client or "") if own else "") for key, own in details)

    def resolve(self, incidents: Sequence[str]) -> None:
        """Resolve incidents as the author. Raises UnreachableError."""
        for first in range(0, len(incidents), MOST_CHANGED):
            part = incidents[first : first + MOST_CHANGED]
            change = [{"id": each, "type": "incident_reference", "status": "resolved"} for each in part]
            self._exchange("PUT", f"{self._base_url}/incidents", msgspec.json.encode({"incidents": change}))

    def _get(self, url: str, shape: msgspec.json.Decoder[_Shape]) -> _Shape | None:
        """Return the answer, None for 404. Raises UnreachableError."""
        response = self._exchange("GET", url, b"")
        if response.status == 404:
            return None
        try:
            return shape.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnreachableError("PagerDuty's REST API does not answer as documented") from None

    def _exchange(self, method: str, url: str, body: bytes) -> Response:
        headers = {
            "Authorization": f"Token token={self._token.reveal()}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            **({"From": self._author, "Content-Type": "application/json"} if body else {}),
        }
        deadline = Deadline(self._clock.monotonic() + CALL_SECONDS)
        response = self._outgoing.send(
            Request(url=url, body=body, headers=headers, method=method), deadline, 1024 * 1024
        )
        if response.status not in {200, 404}:
            raise UnreachableError(
                f"PagerDuty's REST API answers HTTP {response.status}: see RESPONDER_PAGERDUTY_API_TOKEN"
            )
        return response


#: A dedup key of responder: that of the group, with the number of a further page.
OWN_KEY = re.compile(r"[0-9a-f]{64}(-[0-9]{1,6})?")
#: The client of its events.
CLIENT = "responder"


class Known(StrEnum):
    """State of an incident in the database."""

    OPEN = "open"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An open incident of PagerDuty that no event of responder will resolve, and what the database knows of it."""

    incident: OpenIncident
    known: Known


def own_keys(incident: OpenIncident) -> tuple[str, ...]:
    """Return its dedup keys if all of its alerts are responder's; PagerDuty may have grouped others with them."""
    ours = [key for key, client in incident.alerts if client == CLIENT and OWN_KEY.fullmatch(key)]
    return tuple(ours) if len(ours) == len(incident.alerts) else ()


def orphans(incidents: Iterable[OpenIncident], known: Mapping[str, Known]) -> Iterator[Orphan]:
    """Yield incidents none of whose keys is open in the database; ``known`` is the state of each key."""
    for incident in incidents:
        states = {known.get(key, Known.UNKNOWN) for key in own_keys(incident)}
        if states and Known.OPEN not in states:
            yield Orphan(incident, Known.RESOLVED if Known.RESOLVED in states else Known.UNKNOWN)
