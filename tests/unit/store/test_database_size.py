"""A file that does not grow for ever: the long run at a small scale (benchmarks/bench_retention.py is a whole year)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from responder.engine.jobs.retention import RetentionJob
from responder.store.database import Database
from tests.conftest import HandClock
from tests.contracts.test_retention import an_old_incident
from tests.support.builders import NOW


def test_once_the_retention_time_is_over_the_file_grows_no_more(
    database: Database, clock: HandClock, tmp_path: Path
) -> None:
    """The days of the third week take the room of those of the first: the disk that was enough stays enough."""
    retention = RetentionJob(database, clock, timedelta(days=3), 10**12)
    an_old_incident(database, "INC-open", at=NOW, over=False)
    sizes = []
    for day in range(20):
        for n in range(2):
            an_old_incident(database, f"INC-{day}-{n}", at=clock.now())
        clock.move(86400)
        retention.run()
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("responder.db*")))
    assert max(sizes[7:]) <= max(sizes[:7])
    assert (tmp_path / "responder.db-wal").stat().st_size == 0
