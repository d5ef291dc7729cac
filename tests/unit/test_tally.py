"""What is counted: once for all processes, cheaply, and never by what an alert says."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, generate_latest

from responder.engine.counting import Counting
from responder.store import tallies
from responder.store.database import Database
from responder.tally import METRICS, Tally
from responder.web.metrics import StoreCollector
from tests.conftest import HandClock


def scraped(database: Database) -> str:
    """The text of /metrics."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(database=database, clock=HandClock()))
    return generate_latest(registry).decode()


def test_processes_add_up(database: Database) -> None:
    """Two workers that count the same thing show one sum, whoever is asked."""
    for _ in range(2):
        tally = Tally()
        tally.add("responder_rule_matches", "unknown", by=3)
        tally.latest("responder_channel_last_success_timestamp_seconds", "slack", value=9.0)
        Counting(database, tally).step()
    late = Tally()
    late.latest("responder_channel_last_success_timestamp_seconds", "slack", value=4.0)
    Counting(database, late).step()
    text = scraped(database)
    assert 'responder_rule_matches_total{rule="unknown"} 6.0' in text
    assert 'responder_channel_last_success_timestamp_seconds{channel="slack"} 9.0' in text
    assert "responder_unmatched_alerts_total 0.0" in text


def test_a_histogram_is_cumulative(database: Database) -> None:
    """Quantiles can be computed from what is shown."""
    tally = Tally()
    for value in (0.01, 0.05, 0.2, 99.0):
        tally.observe("responder_probe_duration_seconds", "dns", "ok", value=value)
    Counting(database, tally).step()
    text = scraped(database)
    labels = 'probe="dns",verdict="ok"'
    for bound, count in (("0.05", 2), ("0.1", 2), ("0.25", 3), ("10", 3), ("+Inf", 4)):
        assert f'responder_probe_duration_seconds_bucket{{le="{bound}",{labels}}} {count}.0' in text
    assert f"responder_probe_duration_seconds_count{{{labels}}} 4.0" in text
    assert f"responder_probe_duration_seconds_sum{{{labels}}} 99.26" in text


def test_many_processes_may_add_at_a_time(database: Database) -> None:
    """No count is lost when all workers write at the same moment."""

    def work() -> None:
        for _ in range(10):
            tally = Tally()
            for name in ("ok", "bad", "unknown"):
                tally.add("responder_redactions", name)
            Counting(database, tally).step()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert set(tallies.read(connection).values()) == {40.0}


def test_no_metric_has_a_label_that_an_alert_fills() -> None:
    """Whoever can shape an alert cannot fill Prometheus with series."""
    ours = {"route", "status", "state", "rule", "severity", "event", "channel", "result", "probe", "verdict", "type"}
    assert {label for metric in METRICS.values() for label in metric.labels} <= ours
