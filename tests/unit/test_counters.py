"""Counters: shared by the workers of one instance, never by what an alert says, and never in the way of paging."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from responder.counters import COUNTERS, METRICS, Counters
from responder.store.database import Database
from responder.web.metrics import StoreCollector
from responder.web.multiprocess import CounterFiles
from tests.conftest import Counted, HandClock

_WORKER = """
import sys
from pathlib import Path
from responder.counters import COUNTERS
from responder.web.multiprocess import CounterFiles

COUNTERS.open(CounterFiles(Path(sys.argv[1]), int(sys.argv[2])).open)
COUNTERS.add("responder_rule_matches", "unknown", value=3)
sys.stdin.read()
"""


def count_and_die(folder: Path, slot: int) -> None:
    """A worker that counts and is killed."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", _WORKER, str(folder), str(slot)], env=env, input=b"", check=True)


def scraped(database: Database, files: CounterFiles) -> str:
    """The text of /metrics."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(database=database, clock=HandClock(), counters=files.collect))
    return generate_latest(registry).decode()


def test_workers_add_up_and_a_new_one_continues(tmp_path: Path, counted: Counted) -> None:
    """Counters do not fall when a worker dies, and the directory does not grow with each death."""
    folder = tmp_path / "counters"
    COUNTERS.add("responder_rule_matches", "unknown")
    count_and_die(folder, 1)
    assert counted('responder_rule_matches_total{rule="unknown"}') == 4
    names = sorted(folder.iterdir())
    for number in (2, 3):
        count_and_die(folder, 1)
        assert counted('responder_rule_matches_total{rule="unknown"}') == 1 + 3 * number
    assert sorted(folder.iterdir()) == names


def test_series_are_there_before_the_first_event(counted: Counted) -> None:
    """Prometheus sees the increase from zero to one; a moment that never came is not shown as 1970."""
    assert counted("responder_unmatched_alerts_total") == 0
    assert counted('responder_http_requests_total{route="webhook.receive",status="401"}') == 0
    assert counted("responder_outbound_heartbeat_last_success_timestamp_seconds") is None


def test_a_histogram_is_cumulative(counted: Counted) -> None:
    """Quantiles can be computed from what is shown."""
    for value in (0.01, 0.05, 0.2, 99.0):
        COUNTERS.add("responder_probe_duration_seconds", "dns", "ok", value=value)
    labels = 'probe="dns",verdict="ok"'
    for bound, count in (("0.05", 2), ("0.1", 2), ("0.25", 3), ("10.0", 3), ("+Inf", 4)):
        assert counted(f'responder_probe_duration_seconds_bucket{{le="{bound}",{labels}}}') == count
    assert counted(f"responder_probe_duration_seconds_count{{{labels}}}") == 4
    assert counted(f"responder_probe_duration_seconds_sum{{{labels}}}") == pytest.approx(99.26)


@pytest.mark.usefixtures("counted")
def test_a_full_disk_stops_counting_and_nothing_else(tmp_path: Path, database: Database) -> None:
    """No room for a new series is one named failure: what has room is counted, and the gauges are served."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = CounterFiles(tmp_path / "counters", 0)
    COUNTERS.open(files.open)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with capture_logs() as said:
            for number in range(1000):
                COUNTERS.add("responder_rule_matches", f"rule-{number}")
                COUNTERS.add("responder_rule_matches", f"rule-{number}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [each["event"] for each in said] == ["counters.failed"]
    assert "File too large" in said[0]["reason"]
    text = scraped(database, files)
    assert 'responder_rule_matches_total{rule="rule-0"} 2.0' in text
    assert 'rule="rule-999"' not in text
    assert "responder_counters_ok 0.0" in text
    assert "responder_notifications_waiting 0.0" in text


@pytest.mark.usefixtures("counted")
def test_a_deleted_directory_is_named(tmp_path: Path, database: Database) -> None:
    """Counters that vanish are a failure, never a set of zeros; the gauges of the database are still served."""
    folder = tmp_path / "counters"
    files = CounterFiles(folder, 0)
    COUNTERS.open(files.open)
    assert "responder_counters_ok 1.0" in scraped(database, files)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    COUNTERS.add("responder_incidents", "P1", "opened")
    COUNTERS.add("responder_probe_duration_seconds", "dns", "ok", value=0.1)
    with capture_logs() as said:
        text = scraped(database, files)
    assert "counter_0.db" in said[0]["reason"]
    assert "responder_counters_ok 0.0" in text
    assert "responder_incidents_total" not in text
    assert "responder_notifications_waiting 0.0" in text


@pytest.mark.usefixtures("counted")
def test_a_damaged_file_is_named(tmp_path: Path, database: Database) -> None:
    """A worker that finds a file it cannot continue starts all the same, and a scrape serves the gauges."""
    (tmp_path / "counters" / "counter_1.db").write_bytes(b"\xff\x00" * 4096)
    files = CounterFiles(tmp_path / "counters", 1)
    with capture_logs() as said:
        COUNTERS.open(files.open)
        text = scraped(database, files)
    assert "counter_1.db" in said[0]["reason"]
    assert "responder_counters_ok 0.0" in text
    assert "responder_notifications_waiting 0.0" in text


def test_nothing_is_counted_outside_of_serve() -> None:
    """A command needs no directory; a name that no metric has is still an error."""
    tally = Counters()
    tally.add("responder_redactions", "jwt")
    assert tally.failure == ""
    with pytest.raises(KeyError):
        tally.add("responder_unheard_of")


def test_no_metric_has_a_label_that_an_alert_fills() -> None:
    """Values from an alert cannot fill Prometheus with series."""
    ours = {
        "route",
        "status",
        "state",
        "rule",
        "severity",
        "event",
        "channel",
        "result",
        "probe",
        "verdict",
        "type",
    } | {"reason"}
    assert {label for metric in METRICS.values() for label in metric.labels} <= ours
