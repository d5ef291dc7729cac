"""Notifications reconstructed from Prometheus's ``ALERTS`` series. Pure.

Groups are approximated by ``group_by``; start and end of an alert are accurate to one step. Silences, inhibition,
group_wait, repeats and annotations are not reproduced.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from responder.cli.samples import completed, fingerprint, webhook

QUERY = 'ALERTS{alertstate="firing"}'
_NOT_OF_THE_ALERT = frozenset({"__name__", "alertstate"})

Labels = dict[str, str]


class NoMatrixError(Exception):
    """Response of Prometheus that is not a range query result."""


@dataclass(slots=True)
class Grouping:
    """Firing alerts at the current step; each range continues where the one before it ended."""

    group_by: Sequence[str]
    firing: dict[str, tuple[Labels, float]] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)

    def notifications(self, answer: Any, times: Iterable[float]) -> Iterator[tuple[float, bytes]]:
        """Yield time and webhook payload of each notification in a range; ``times`` are all steps of the range."""
        alerts, by_time = _points(answer)
        for time in times:
            now = by_time.get(round(time, 3), set[str]())
            began, ended = now - self.firing.keys(), self.firing.keys() - now
            if not began and not ended:
                continue
            yield from self._changed(time, {name: alerts[name] for name in sorted(began)}, sorted(ended))

    def _changed(self, time: float, began: Mapping[str, Labels], ended: Sequence[str]) -> Iterator[tuple[float, bytes]]:
        touched: dict[str, list[dict[str, Any]]] = {}
        for name in ended:
            labels, since = self.firing.pop(name)
            key = self._key(labels)
            self.groups[key].discard(name)
            touched.setdefault(key, []).append(_alert(name, labels, since, time))
        for name, labels in began.items():
            self.firing[name] = (labels, time)
            key = self._key(labels)
            self.groups.setdefault(key, set()).add(name)
            touched.setdefault(key, [])
        for key, over in touched.items():
            members = self.groups[key]
            alerts = over + [_alert(name, *self.firing[name], None) for name in sorted(members)]
            if not members:
                del self.groups[key]
            yield time, json.dumps(webhook(alerts, json.loads(key), receiver="backtest")).encode()

    def _key(self, labels: Labels) -> str:
        return json.dumps({name: labels[name] for name in self.group_by if name in labels})


def _points(answer: Any) -> tuple[dict[str, Labels], dict[float, set[str]]]:
    """Return the labels of each alert by fingerprint, and the alerts firing at each step. Raises NoMatrixError."""
    alerts: dict[str, Labels] = {}
    by_time: dict[float, set[str]] = {}
    try:
        if answer["data"]["resultType"] != "matrix":
            raise NoMatrixError("the response is not a range query result")
        for series in answer["data"]["result"]:
            labels = {str(key): str(text) for key, text in series["metric"].items() if key not in _NOT_OF_THE_ALERT}
            name = fingerprint(labels)
            alerts[name] = labels
            for time, _ in series["values"]:
                by_time.setdefault(round(float(time), 3), set()).add(name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoMatrixError(f"the response is not a range query result: {error!r}") from error
    return alerts, by_time


def _alert(name: str, labels: Labels, since: float, until: float | None) -> dict[str, Any]:
    began, ended = (datetime.fromtimestamp(each, UTC) for each in (since, since if until is None else until))
    status = "firing" if until is None else "resolved"
    return completed({"status": status, "labels": labels, "startsAt": began.isoformat(), "fingerprint": name}, ended)
