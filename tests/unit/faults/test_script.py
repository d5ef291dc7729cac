"""Stream and faults of a run as decided by its seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.catalog import FAULTS
from tests.faults.floods import LIMIT, flood, rules
from tests.faults.play import engine_of, possible
from tests.faults.schedule import Planned, schedule
from tests.faults.stream import stream

SEEDS = range(1, 101)


def planned(seed: int) -> tuple[Planned, ...]:
    """The faults of a seed."""
    return schedule(seed, possible(engine_of(seed)))


def test_a_seed_always_means_the_same() -> None:
    """A seed that failed last night fails for the same reason this morning."""
    for seed in SEEDS:
        assert stream(seed) == stream(seed)
        assert flood(seed) == flood(seed)
        assert planned(seed) == planned(seed)


def test_every_fault_strikes_within_a_hundred_seeds() -> None:
    """Nothing in the catalog is there for show."""
    assert {each.name for seed in SEEDS for each in planned(seed)} == set(FAULTS)


def test_faults_of_one_lane_never_overlap() -> None:
    """PagerDuty cannot answer 500 and hang at once, so a schedule does not ask for it."""
    for seed in SEEDS:
        whole = planned(seed)
        for queue in {each.fault.queue for each in whole}:
            ours = [each for each in whole if each.fault.queue == queue]
            ends = [each.at + each.seconds for each in ours]
            assert all(end < later.at for end, later in zip(ends, ours[1:], strict=False))


def test_a_group_is_over_when_its_first_alert_is() -> None:
    """The verdict reads from the first alert when a group began and ended."""
    for seed in SEEDS:
        for group in stream(seed):
            first = group.alerts[0].episodes[0]
            assert all(each.episodes[0].begins >= first.begins for each in group.alerts)
            assert first.until is None or all(
                (each.episodes[0].until or 1e9) <= first.until for each in group.alerts[1:]
            )


def test_a_flood_is_one_of_two_severities_with_one_unlike_it(tmp_path: Path) -> None:
    """Every seed has more alike than its rules page one by one, and exactly one that no digest may hide."""
    for seed in SEEDS:
        groups = flood(seed)
        alike = Counter(group.severity for group in groups if group.alertname == "Storm")
        assert min(alike.values()) >= 2 * LIMIT
        assert set(alike) == {"P1", "P2"}
        assert [group.severity for group in groups if group.unlike] == ["P1"]
    assert f"flood_above: {LIMIT}" in (rules(tmp_path) / "all.yaml").read_text()
