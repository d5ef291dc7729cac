"""What is counted: every metric that cannot be read from rows, its labels, and the counts of this process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Key = tuple[str, tuple[str, ...]]
Counts = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Label values come from our own words and from the configuration, never from an alert.

    ``latest`` keeps the greatest value ever said, as a timestamp; ``buckets`` are a histogram's upper bounds. ``known``
    are label values that are shown from the start, with zero: Prometheus sees no increase in a series that begins at 1.
    """

    kind: Literal["counter", "histogram", "latest"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


RESULTS: Final = ("sent", "later", "plain", "dead")
"""How an attempt to deliver a message may end: accepted, to be repeated, to be repeated plainly, given up."""

METRICS: Final[Mapping[str, Metric]] = {
    "responder_http_requests": Metric(
        "counter",
        "Requests answered, by route and status.",
        ("route", "status"),
        known=(("webhook.receive", "202"), ("webhook.receive", "401"), ("webhook.receive", "503")),
    ),
    "responder_rejected_bodies": Metric(
        "counter", "Authenticated bodies refused and set aside.", ("status",), known=(("400",), ("413",), ("415",))
    ),
    "responder_deliveries_done": Metric(
        "counter", "Deliveries that triage has settled, by how.", ("state",), known=(("decided",), ("failed",))
    ),
    "responder_alerts": Metric("counter", "Alerts in settled deliveries, by their status.", ("status",)),
    "responder_rule_matches": Metric("counter", "Alerts that a rule decided.", ("rule",)),
    "responder_unmatched_alerts": Metric(
        "counter", "Alerts that only the last rule, which takes all, knew.", known=((),)
    ),
    "responder_incidents": Metric("counter", "Incidents that were opened and resolved.", ("severity", "event")),
    "responder_attempts": Metric(
        "counter", "Attempts to deliver a message: sent, later, plain or dead.", ("channel", "result")
    ),
    "responder_channel_last_success_timestamp_seconds": Metric(
        "latest", "When a channel last accepted a message.", ("channel",)
    ),
    "responder_channel_last_failure_timestamp_seconds": Metric(
        "latest", "When an attempt on a channel last failed.", ("channel",)
    ),
    "responder_notification_latency_seconds": Metric(
        "histogram",
        "From an alert's start to the acceptance of the first page.",
        ("channel",),
        (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0),
    ),
    "responder_page_delay_seconds": Metric(
        "histogram",
        "From the writing of a page to its acceptance.",
        ("channel",),
        (0.1, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0),
    ),
    "responder_probe_duration_seconds": Metric(
        "histogram",
        "How long a probe took, by its verdict.",
        ("probe", "verdict"),
        (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    "responder_redactions": Metric("counter", "Secrets taken out of messages that were sent.", ("type",)),
    "responder_outbound_heartbeats": Metric("counter", "Pings of the outbound heartbeat, by result.", ("result",)),
    "responder_outbound_heartbeat_last_success_timestamp_seconds": Metric(
        "latest", "When the outbound heartbeat was last accepted."
    ),
}


class Tally:
    """Counts of one process since they were last taken. Adding costs a microsecond and waits for nobody."""

    def __init__(self) -> None:
        self._counts: dict[Key, float] = {}
        self._lock = threading.Lock()

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Count. Raises KeyError for a name that ``METRICS`` does not have."""
        self._put(METRICS[name], (name, labels), by)

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Put a value into a histogram's bucket; only the bucket it falls into counts it, a scrape sums up."""
        metric = METRICS[name]
        place = bisect_left(metric.buckets, value)
        bound = f"{metric.buckets[place]:g}" if place < len(metric.buckets) else "+Inf"
        self._put(metric, (f"{name}_bucket", (*labels, bound)), 1.0)
        self._put(metric, (f"{name}_sum", labels), value)

    def latest(self, name: str, *labels: str, value: float) -> None:
        """Say a value of which only the greatest is kept."""
        METRICS[name]
        with self._lock:
            self._counts[name, labels] = max(value, self._counts.get((name, labels), value))

    def take(self) -> Counts:
        """All counts, which are zero afterwards."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def give_back(self, counts: Counts) -> None:
        """Counts that could not be kept."""
        for (name, labels), value in counts.items():
            if is_latest(name):
                self.latest(name, *labels, value=value)
            else:
                with self._lock:
                    self._counts[name, labels] = self._counts.get((name, labels), 0.0) + value

    def _put(self, metric: Metric, key: Key, by: float) -> None:
        with self._lock:
            self._counts[key] = self._counts.get(key, 0.0) + by


def is_latest(name: str) -> bool:
    """Whether the greatest value is kept rather than the sum."""
    return name in METRICS and METRICS[name].kind == "latest"


TALLY: Final = Tally()
"""The counts of this process, which are everybody's as the log is."""
