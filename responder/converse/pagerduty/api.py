"""PagerDuty's REST API: which alerts an incident of PagerDuty has."""

from urllib.parse import quote

import msgspec

from responder.model.clock import Clock, Deadline
from responder.model.message import Request
from responder.model.secret import Secret
from responder.outgoing import Outgoing, UnreachableError

#: Time for one call, in seconds. PagerDuty waits five for the answer to its webhook.
CALL_SECONDS = 3.0


class _Alert(msgspec.Struct):
    alert_key: str = ""


class _Alerts(msgspec.Struct):
    alerts: list[_Alert] = []


_ALERTS = msgspec.json.Decoder(_Alerts)


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
        token = self._token.reveal()
        if not token:
            return ()
        request = Request(
            url=f"{self._base_url}/incidents/{quote(incident, safe='')}/alerts?limit=100",
            body=b"",
            headers={"Authorization": f"Token token={token}", "Accept": "application/vnd.pagerduty+json;version=2"},
            method="GET",
        )
        response = self._outgoing.send(request, Deadline(self._clock.monotonic() + CALL_SECONDS), 1024 * 1024)
        if response.status == 404:
            return ()
        if response.status != 200:
            raise UnreachableError(
                f"PagerDuty's REST API answers HTTP {response.status}: see RESPONDER_PAGERDUTY_API_TOKEN"
            )
        try:
            found = _ALERTS.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnreachableError("PagerDuty's REST API does not answer with alerts") from None
        return tuple(each.alert_key for each in found.alerts if each.alert_key)
