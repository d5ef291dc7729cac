"""PagerDuty's REST API: its incidents, and which alerts they have."""

from typing import TypeVar
from urllib.parse import quote

import msgspec

from responder.model.clock import Clock, Deadline
from responder.model.message import Request
from responder.model.secret import Secret
from responder.notify.channels.pagerduty_notes import open_incidents_url
from responder.notify.report.links import safe_url
from responder.outgoing import Outgoing, UnreachableError

#: Time for one call, in seconds. PagerDuty waits five for the answer to its webhook.
CALL_SECONDS = 3.0


class _Alert(msgspec.Struct):
    alert_key: str = ""


class _Alerts(msgspec.Struct):
    alerts: list[_Alert] = []


class _Listed(msgspec.Struct):
    id: str
    html_url: str | None = ""


class _Incidents(msgspec.Struct):
    incidents: list[_Listed]


_ALERTS = msgspec.json.Decoder(_Alerts)
_INCIDENTS = msgspec.json.Decoder(_Incidents)
_Shape = TypeVar("_Shape")


class PagerDutyApi:
    """Asks PagerDuty with a read-only API token; without one nothing is asked."""

    def __init__(self, outgoing: Outgoing, clock: Clock, token: Secret, base_url: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._token = token
        self._base_url = base_url.rstrip("/")

    def alert_keys(self, incident: str) -> tuple[str, ...]:
        """Return the dedup keys of the alerts of an incident; none without a token. Raises UnreachableError.

        https://developer.pagerduty.com/api-reference, "List alerts for an incident": an incident that was made by
        events has no incident_key; its alerts have the dedup keys.
        """
        if not self._token.reveal():
            return ()
        url = f"{self._base_url}/incidents/{quote(incident, safe='')}/alerts?limit=100"
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

    def _get(self, url: str, shape: msgspec.json.Decoder[_Shape]) -> _Shape | None:
        """Return the answer, None for 404. Raises UnreachableError."""
        headers = {
            "Authorization": f"Token token={self._token.reveal()}",
            "Accept": "application/vnd.pagerduty+json;version=2",
        }
        deadline = Deadline(self._clock.monotonic() + CALL_SECONDS)
        response = self._outgoing.send(Request(url=url, body=b"", headers=headers, method="GET"), deadline, 1024 * 1024)
        if response.status == 404:
            return None
        if response.status != 200:
            raise UnreachableError(
                f"PagerDuty's REST API answers HTTP {response.status}: see RESPONDER_PAGERDUTY_API_TOKEN"
            )
        try:
            return shape.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnreachableError("PagerDuty's REST API does not answer as documented") from None
