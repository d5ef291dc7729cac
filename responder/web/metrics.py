"""``/metrics``: counters of this instance, gauges from the database's indexes, and the rules of this process."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from responder import __version__
from responder.counters import COUNTERS, MAX, MIN, RESULTS
from responder.model.clock import Clock
from responder.model.rule import ExpectedHeartbeat
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.incidents import detectors
from responder.store.maintenance import retention
from responder.store.outbox import backlog, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInfo:
    """The rules of this process: their revision, since when, and how many problems newer files have (0: none).

    ``kept`` is true where they come from the database, since the files were invalid when the process started.
    """

    revision: str
    since: datetime
    refused: int
    kept: bool = False
    heartbeats: tuple[ExpectedHeartbeat, ...] = ()
    severities: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCollector(Collector):
    """Collects the metrics at each scrape.

    ``counters`` reads those of all workers of this instance, and raises OSError. ``rules`` is None in a process without
    an engine; ``limit`` is the most bytes the database may take. No query looks at finished rows: a scrape costs as
    much after a year as on the first day.
    """

    database: Database
    clock: Clock
    limit: int = 8 * 1024**3
    rules: Callable[[], RulesInfo | None] = field(default=lambda: None)
    counters: Callable[[], Iterable[Metric]] = tuple

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not query the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics, named as docs/metrics.md lists them."""
        now, rules = self.clock.now(), self.rules()
        yield _gauge("responder_build_info", "1, with the version.", {__version__: 1.0}, "version")
        yield from self._counted(rules)
        with self.database.read() as connection:
            yield from _waiting(connection, now, rules)
            yield from _space(connection, self.limit)
            if rules is not None:
                yield from _heartbeats(connection, rules)
        if rules is not None:
            yield from _rules(rules)

    def _counted(self, rules: RulesInfo | None) -> Iterable[Metric]:
        """The counters. Where they cannot be read, the gauges of the database are served without them."""
        for channel in rules.channels if rules is not None else ():
            for result in RESULTS:
                COUNTERS.add("responder_attempts", channel, result, value=0.0)
        found: list[Metric] = []
        try:
            found = list(self.counters())
        except OSError as error:
            COUNTERS.fail(str(error))
        text = "0 while counters cannot be written or read (see counters.failed in the log), 1 otherwise."
        return *found, _gauge("responder_counters_ok", text, 0.0 if COUNTERS.failure else 1.0, across=MIN)


def _gauge(
    name: str, text: str, value: float | Mapping[str, float], label: str = "", *, across: str = MAX
) -> GaugeMetricFamily:
    """Return a gauge: a value, or one for each value of ``label``."""
    family = GaugeMetricFamily(name, f"{text} {across}", labels=[label] if label else ())
    for given, each in sorted(value.items()) if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([given] if label else [], each)
    return family


def _waiting(connection: Connection, now: datetime, rules: RulesInfo | None) -> Iterator[Metric]:
    text = "Kept deliveries that triage has not settled."
    yield _gauge("responder_notifications_waiting", text, backlog.undecided(connection))
    text = "Age of the oldest of them; 0 for none."
    yield _gauge("responder_oldest_notification_age_seconds", text, _age(inbox.oldest_new(connection), now))
    yield _gauge("responder_diagnoses_waiting", "Diagnoses that are not finished.", backlog.unfinished(connection))
    severities = dict.fromkeys(rules.severities if rules else (), 0) | backlog.open_by_severity(connection)
    yield _gauge("responder_incidents_open", "Open incidents, by severity.", severities, "severity")
    channels = dict.fromkeys(rules.channels if rules else (), backlog.Backlog()) | backlog.backlogs(connection, now)
    waiting = {name: each.waiting for name, each in channels.items()}
    yield _gauge("responder_messages_waiting", "Messages not sent yet.", waiting, "channel")
    dead = {name: each.dead for name, each in channels.items()}
    yield _gauge("responder_messages_dead", "Messages that were given up.", dead, "channel")
    states = outbox.states_by_channel(connection)
    accepted = {name: each.accepted_at for name, each in states.items() if each.accepted_at is not None}
    text = "When a channel last accepted a message."
    yield _gauge("responder_channel_last_success_timestamp_seconds", text, accepted, "channel")
    failed = {name: each.failed_at for name, each in states.items() if each.failed_at is not None}
    text = "When an attempt on a channel last failed."
    yield _gauge("responder_channel_last_failure_timestamp_seconds", text, failed, "channel")
    overdue = {name: _age(each.oldest, now) for name, each in channels.items()}
    text = "How long the oldest message is overdue; 0 for none."
    yield _gauge("responder_oldest_message_age_seconds", text, overdue, "channel")


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _space(connection: Connection, limit: int) -> Iterator[Metric]:
    used = retention.used(connection, limit)
    yield _gauge("responder_database_size_bytes", "Bytes that the rows of the database take.", used)
    text = "RESPONDER_MAX_DATABASE_BYTES: above it the oldest rows go early."
    yield _gauge("responder_database_limit_bytes", text, limit)
    if (left := retention.free(connection)) is not None:
        text = "Space left for it on its disk (SQLite)."
        yield _gauge("responder_database_free_bytes", text, left, across=MIN)


def _heartbeats(connection: Connection, rules: RulesInfo) -> Iterator[Metric]:
    known = detectors.heartbeat_states(connection)
    seen = {
        each.cluster: heartbeat_state.seen_at.timestamp()
        for each in rules.heartbeats
        if (heartbeat_state := known.get(each.cluster)) and heartbeat_state.seen_at
    }
    gaps = {each.cluster: each.max_gap for each in rules.heartbeats}
    yield _gauge("responder_watchdog_max_gap_seconds", "How long each expected cluster may be silent.", gaps, "cluster")
    text = "When the Watchdog of each expected cluster last arrived."
    yield _gauge("responder_watchdog_last_seen_timestamp_seconds", text, seen, "cluster")


def _rules(rules: RulesInfo) -> Iterator[Metric]:
    text = "1, with the revision of the rules in force in the process asked."
    yield _gauge("responder_rules_info", text, {rules.revision[:12]: 1.0}, "revision")
    text = "1 while the revision kept in the database is in force, since the rule files are invalid, 0 otherwise."
    yield _gauge("responder_rules_kept", text, float(rules.kept))
    text = "0 while newer rule files are refused, 1 otherwise."
    yield _gauge("responder_rules_last_reload_success", text, 0.0 if rules.refused else 1.0, across=MIN)
    text = "Since when these rules are in force."
    yield _gauge("responder_rules_last_reload_timestamp_seconds", text, rules.since.timestamp())
