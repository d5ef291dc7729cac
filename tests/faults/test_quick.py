"""The quick part of the fault suite: a few seeds, so that every change is tried against things that break."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.play import play
from tests.real.conftest import need

pytestmark = pytest.mark.real


@pytest.mark.parametrize("seed", [87, 58])
def test_nothing_is_lost_and_nothing_is_late_while_things_break(seed: int, tmp_path: Path) -> None:
    """Workers are killed, disks fill up, PagerDuty is away: every alert still has its one page, in time."""
    need("prometheus-alertmanager")
    result = play(seed, tmp_path)
    assert not result.problems, f"make faults SEED={seed}\n{result.timeline}\n" + "\n".join(result.problems)


@pytest.mark.parametrize("seed", [7])
def test_in_a_flood_the_digest_and_what_is_unlike_it_are_in_time_while_things_break(seed: int, tmp_path: Path) -> None:
    """Dozens of alerts alike are a digest and few pages; each has its incident, and a P1 unlike them its own page."""
    need("prometheus-alertmanager")
    result = play(seed, tmp_path, floods=True)
    assert not result.problems, f"make faults SEED={seed} FLOODS=1\n{result.timeline}\n" + "\n".join(result.problems)
