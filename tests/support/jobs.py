"""Jobs that write incidents, run by hand over a real database."""

from collections.abc import Sequence
from datetime import timedelta

from responder.engine.jobs.scheduler import IncidentJob
from responder.store.database import Database
from tests.conftest import HandClock


class RunJobs:
    """Runs ``jobs`` every ``interval`` while the clock moves."""

    def __init__(self, database: Database, clock: HandClock, interval: timedelta, jobs: Sequence[IncidentJob]) -> None:
        self._database, self._clock, self._interval, self._jobs = database, clock, interval, jobs

    def passes(self, length: timedelta) -> None:
        """Let time pass, with the jobs at their interval."""
        for _ in range(int(length / self._interval)):
            self._clock.move(self._interval.total_seconds())
            for job in self._jobs:
                job.run()

    def sent(self) -> list[tuple[str, str]]:
        """Channel and step of each message."""
        with self._database.read() as connection:
            found = connection.exec_driver_sql("SELECT channel, step FROM messages ORDER BY id").all()
        return [(row[0], row[1]) for row in found]
