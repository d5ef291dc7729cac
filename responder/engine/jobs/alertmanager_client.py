"""Read-only client of Alertmanager's API v2; every wait and every response is bounded."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from responder.model.clock import Clock, Deadline
from responder.model.text import sanitize_line
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.alertmanager_api import ALERTS, SILENCE, GettableAlert, Time, silence_path
from responder.outgoing.json_api import NoAnswerError, fetch
from responder.triage.reconcile import AlertmanagerUnavailable, AlertmanagerView, ListedAlert, Silence

#: Deadline, in seconds, for all responses of one Alertmanager.
SECONDS = 5.0
#: Largest response in bytes; a longer one is rejected as a whole.
CAP = 32 * 1024 * 1024
#: Silences that are fetched per Alertmanager.
MOST_SILENCES = 20

_Shape = TypeVar("_Shape")


class _Cluster(msgspec.Struct, rename="camel"):
    status: str


class _Status(msgspec.Struct, rename="camel"):
    uptime: Time
    cluster: _Cluster


_STATUS = msgspec.json.Decoder(_Status)


@dataclass(frozen=True, slots=True)
class AlertmanagerClient:
    """Client of every configured Alertmanager."""

    outgoing: Outgoing
    clock: Clock

    def view(self, url: str, fingerprints: Collection[str]) -> AlertmanagerView | AlertmanagerUnavailable:
        """Return the state of these alerts in the Alertmanager at ``url``, within SECONDS. Raises nothing."""
        deadline = Deadline(self.clock.monotonic() + SECONDS)
        server = sanitize_line(url.rstrip("/"), 200)
        try:
            status = self._get(url, "/api/v2/status", _STATUS, deadline)
            alerts = self._get(url, "/api/v2/alerts", ALERTS, deadline)
            ours = [alert for alert in alerts if alert.fingerprint in fingerprints]
            names = {alert.fingerprint: alert.name for alert in alerts}
            silences = self._silences(url, {each for alert in ours for each in alert.status.silenced_by}, deadline)
        except (UnreachableError, NoAnswerError) as error:
            return AlertmanagerUnavailable(server, str(error))
        return AlertmanagerView(
            server=server,
            up_since=status.uptime,
            settling=status.cluster.status == "settling",
            total=len(alerts),
            alerts={alert.fingerprint: _listed(alert, names) for alert in ours},
            silences={silence.id: silence for silence in silences},
        )

    def _silences(self, url: str, ids: Iterable[str], deadline: Deadline) -> list[Silence]:
        found = []
        for number in sorted(ids)[:MOST_SILENCES]:
            silence = self._get(url, silence_path(number), SILENCE, deadline)
            found.append(Silence(id=silence.id, who=silence.created_by, until=silence.ends_at, comment=silence.comment))
        return found

    def _get(self, url: str, path: str, shape: msgspec.json.Decoder[_Shape], deadline: Deadline) -> _Shape:
        return fetch(self.outgoing, url.rstrip("/") + path, shape, deadline, CAP)


def _listed(alert: GettableAlert, names: dict[str, str]) -> ListedAlert:
    inhibitors = tuple(names.get(each) or each for each in alert.status.inhibited_by)
    silences = tuple(alert.status.silenced_by)
    which = next(
        (f"{each} {alert.labels[each]}" for each in ("instance", "pod", "service") if each in alert.labels), ""
    )
    name = " ".join(filter(None, (alert.name, f"({which})" if which else "")))
    suppressed = alert.status.state == "suppressed"
    return ListedAlert(suppressed=suppressed, silences=silences, inhibitors=inhibitors, name=name)
