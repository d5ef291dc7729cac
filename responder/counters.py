"""Counters: every metric that cannot be read from the database, its labels, and how this process counts it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog

_log = structlog.get_logger()

Key = tuple[str, tuple[str, ...]]
Write = Callable[[float], None]
Open = Callable[["Metric", str, tuple[str, ...]], Write]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. Label values are fixed words or come from the configuration, never from an alert.

    ``buckets`` are a histogram's upper bounds. ``known`` are label values that are shown from the start, with zero:
    Prometheus sees no increase in a series that begins at 1.
    """

    kind: Literal["counter", "histogram", "gauge"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()

    @property
    def help(self) -> str:
        """The HELP text, which says how to aggregate over replicas."""
        return f"{self.text} {MAX if self.kind == 'gauge' else SUM}"


SUM: Final = "Sum across replicas."
MAX: Final = "Take the maximum across replicas."
MIN: Final = "Take the minimum across replicas."

#: Results of an attempt to send a message: accepted, retried later, retried in the plain form, given up.
RESULTS: Final = ("sent", "later", "plain", "dead")

METRICS: Final[Mapping[str, Metric]] = {
    "responder_http_requests": Metric(
        "counter",
        "Requests answered, by route and status.",
        ("route", "status"),
        known=(("webhook.receive", "202"), ("webhook.receive", "401"), ("webhook.receive", "503")),
    ),
    "responder_rejected_payloads": Metric(
        "counter", "Authenticated bodies refused and set aside.", ("status",), known=(("400",), ("413",), ("415",))
    ),
    "responder_actions": Metric(
        "counter",
        "Actions of people: applied, unchanged (done before), refused, or on an unknown incident of a vendor.",
        ("result",),
        known=(("applied",), ("unchanged",), ("refused",), ("unknown",)),
    ),
    "responder_slack_connections": Metric(
        "counter",
        "Connections of Slack's Socket Mode: opened, attempts that failed, and lost without an announcement.",
        ("event",),
        known=(("opened",), ("failed",), ("lost",)),
    ),
    "responder_aborted_webhooks": Metric(
        "counter",
        "Webhooks that were not taken because the connection ended: within the body (cut_off) or after it (hung_up).",
        ("reason",),
        known=(("cut_off",), ("hung_up",)),
    ),
    "responder_slow_connections": Metric(
        "counter",
        "Connections closed because the head of a request (head) or all of it with its answer (request) took more than "
        "10 s, or to make room for newer ones (room).",
        ("reason",),
        known=(("head",), ("request",), ("room",)),
    ),
    "responder_notifications_triaged": Metric(
        "counter", "Deliveries that triage has settled, by how.", ("state",), known=(("decided",), ("failed",))
    ),
    "responder_alerts": Metric("counter", "Alerts in decided notifications, by their status.", ("status",)),
    "responder_rule_matches": Metric("counter", "Alerts that a rule decided.", ("rule",)),
    "responder_unmatched_alerts": Metric(
        "counter", "Alerts that only the last rule, which takes all, knew.", known=((),)
    ),
    "responder_unknown_severity_words": Metric(
        "counter",
        "Alerts whose word for the severity the rule does not understand; `responder doctor` names the words.",
        ("rule",),
    ),
    "responder_unknown_teams": Metric(
        "counter", "Notifications with a label or annotation that should name a team and names none.", ("rule",)
    ),
    "responder_dropped_alerts": Metric("counter", "Alerts that a rule with `action: drop` dropped.", ("rule",)),
    "responder_incidents": Metric("counter", "Incidents that were opened and resolved.", ("severity", "event")),
    "responder_attempts": Metric(
        "counter", "Attempts to deliver a message: sent, later, plain or dead.", ("channel", "result")
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
    "responder_outbound_heartbeats": Metric(
        "counter",
        "Pings of the outbound heartbeat, by result.",
        ("result",),
        known=(("accepted",), ("failed",), ("withheld",)),
    ),
    "responder_outbound_heartbeat_last_success_timestamp_seconds": Metric(
        "gauge", "When the outbound heartbeat was last accepted."
    ),
}


class Counters:
    """The counters of this process, until ``open`` without effect: only ``serve`` has a scrape that reads them.

    Counting raises neither for a full disk nor for a deleted directory: paging goes on. ``failure`` is the reason why
    something is not counted, empty while everything is.
    """

    def __init__(self) -> None:
        self.failure = ""
        self._opened: Open | None = None
        self._writes: dict[Key, Write] = {}

    def open(self, opened: Open) -> None:
        """Count with what ``opened`` returns for a name and its label values. Call it before threads start."""
        self.failure, self._opened, self._writes = "", opened, {}
        for name, metric in METRICS.items():
            for labels in metric.known:
                self.add(name, *labels, value=0.0)

    def close(self) -> None:
        """Count nothing any more."""
        self.failure, self._opened, self._writes = "", None, {}

    def add(self, name: str, *labels: str, value: float = 1.0) -> None:
        """Add to a counter, observe a histogram's value, or set a gauge. Raises KeyError for an unknown name."""
        write = self._writes.get((name, labels))
        if write is None:
            write = self._writes[name, labels] = self._write(METRICS[name], name, labels)
        write(value)

    def fail(self, reason: str) -> None:
        """Log why the counters are incomplete, once for each reason."""
        if reason != self.failure:
            _log.error("counters.failed", reason=f"{reason}; free the space or restore the directory, then restart")
        self.failure = reason

    def _write(self, metric: Metric, name: str, labels: tuple[str, ...]) -> Write:
        """Reserve the space of one series. What finds none is not counted by this process."""
        if self._opened is None:
            return _drop
        try:
            return self._opened(metric, name, labels)
        except OSError as error:
            self.fail(f"{name} is not counted: {error}")
            return _drop


def _drop(_value: float) -> None:
    """Count nothing."""


#: The counters of this process. They are global, as the log is.
COUNTERS: Final = Counters()
