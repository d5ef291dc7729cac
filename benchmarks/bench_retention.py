"""A year of storms in minutes: whether the database stays bounded, and whether webhooks wait while it is pruned.

The clock is moved by hand, a day at a time, through 365 days. On each, DELIVERIES webhooks of 20 alerts are stored and
decided; a tenth of them open an incident with three messages and findings, which resolves after an hour; on every 30th
day a storm brings ten times as much. One incident stays open and one notification undecided all the time.
Retention runs six times a day, as shipped, with 90 days to keep and LIMIT bytes; a storm is a quarter of that.

Then webhooks are kept one after the other for some seconds, first alone, then while the job deletes half of the rest.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import harness
import structlog
from sqlalchemy import text

from responder.engine.jobs.retention import RetentionJob
from responder.model.clock import Deadline
from responder.model.delivery import DiagnosisRequest
from responder.notify.report.compose import compose_message
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from responder.store.outbox import claims, outbox
from responder.store.schema.migrate import migrate
from tests.support.builders import NOW, a_content, a_draft, a_subject, an_incident

DELIVERIES = 25
STORM = 10
LIMIT = 25_000_000
DAYS = 365
QUEUE = claims.ChannelQueue((), rest=True)


class HandClock:
    """Moved by hand; the monotonic clock is the real one."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """The moved time."""
        return self.at

    def monotonic(self) -> float:
        """The real one."""
        return time.monotonic()


class Past:
    """Fills a database as the engine does, in fewer transactions."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self._database = database
        self._clock = clock
        self._inbox = Inbox(database)
        self._chance = random.Random(1)
        self._body = harness.a_webhook(20)
        self._number = 0

    def body(self) -> bytes:
        """A unique payload."""
        return self._body.replace(b"benchmark", self._chance.randbytes(16).hex().encode())

    def keep(self) -> int:
        """Store one notification and leave it undecided."""
        return self._inbox.keep(self.body(), "", self._clock.now())

    def opened(self, notification: int, *, over: bool = True) -> None:
        """An incident, its messages sent and its findings kept, and most often over."""
        now, self._number = self._clock.now(), self._number + 1
        name = f"INC-{self._number:010}"
        incident = replace(
            an_incident(), id=name, dedup_key=name, open=not over, notification=notification, opened_at=now,
            resolved_at=now + timedelta(hours=1) if over else None,
        )  # fmt: skip
        work = DiagnosisRequest(
            incident=name,
            ordering_key=name,
            priority=1,
            probes=("health",),
            subject=a_subject(),
            channels=("slack",),
        )
        messages = [
            a_draft(incident=name, ordering_key=name, channel="slack", step=step, due_at=now)
            for step in ("post", "reply", "edit")
        ]
        with self._database.transaction() as connection:
            incidents.save(connection, [incident], [])
            incidents.save_contents(connection, [replace(a_content(), incident=name)], (), now)
            outbox.write(connection, messages, now)
            for job in incidents.write_diagnoses(connection, [(work, now)], now, now):
                incidents.finish_diagnosis(connection, job, now)
            for _ in messages:
                for row in claims.claim(connection, QUEUE, now, now, 10):
                    outbox.sent(connection, compose_message(row, now), {"ts": "17.5"}, now)

    def day(self, notifications: int, *, over: bool = True) -> None:
        """One day's webhooks."""
        numbers = [self.keep() for _ in range(notifications)]
        with self._database.transaction() as connection:
            inbox.settle(connection, [(number, "decided", None, "new") for number in numbers])
        for number in numbers[::10]:
            self.opened(number, over=over)


def files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("responder.db*"))


def year(folder: Path, database: Database, clock: HandClock) -> tuple[int, int]:
    """Live through it; the largest size of the files, and the bytes that came."""
    past = Past(database, clock)
    retention = RetentionJob(database, clock, timedelta(days=90), LIMIT)
    past.day(1, over=False)
    largest, came, rows = 0, 0, []
    for day in range(1, DAYS + 1):
        notifications = DELIVERIES * (STORM if day % 30 == 0 else 1)
        past.day(notifications)
        came += notifications * len(past.body())
        for _ in range(6):
            clock.at += timedelta(hours=4)
            retention.run()
        largest = max(largest, files(folder))
        if day % 60 == 0 or day == DAYS:
            with database.read() as connection:
                kept = connection.execute(
                    text("SELECT count(*), min(received_at) FROM notifications WHERE state <> 'new'")
                ).one()
            age = (clock.at.timestamp() - kept[1]) / 86400
            rows.append((day, f"{came / 1e6:.0f}", kept[0], f"{age:.0f}", f"{files(folder) / 1e6:.1f}"))
    harness.table(("day", "MB came", "deliveries kept", "oldest, days", "files MB"), rows)
    return largest, came


def measured(inbox_: Inbox, body: Callable[[], bytes], now: datetime, seconds: float) -> list[float]:
    """Keep webhooks one after the other; the milliseconds that each took."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        blob, began = body(), time.perf_counter()
        inbox_.keep(blob, "", now)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.002)
    return sorted(took)


def main() -> None:
    wanted = harness.options(__doc__, rounds=1, seconds=5)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with harness.folder() as place:
        folder, clock = Path(place), HandClock()
        database = Database(f"sqlite:///{folder / 'responder.db'}")
        migrate(database)
        undecided = Past(database, clock).keep()
        largest, came = year(folder, database, clock)
        with database.read() as connection:
            still = inbox.oldest_undecided(connection, 10)
            opened = connection.execute(text("SELECT count(*) FROM incidents WHERE open")).scalar_one()
        if [each.id for each in still] != [undecided] or opened != 1:
            raise harness.CorrectnessError("the open incident or the undecided delivery is gone")
        past = Past(database, clock)
        alone = measured(Inbox(database), past.body, clock.at, wanted.seconds)
        tight = RetentionJob(database, clock, timedelta(days=90), LIMIT // 2)
        deadline = Deadline(time.monotonic() + wanted.seconds)
        pruner = threading.Thread(target=lambda: list(tight.by_size(deadline)))
        pruner.start()
        beside = measured(Inbox(database), past.body, clock.at, wanted.seconds)
        pruner.join()
        database.close()
    rows = [
        (name, len(took), f"{took[len(took) // 2]:.1f}", f"{took[len(took) * 99 // 100]:.1f}", f"{took[-1]:.1f}")
        for name, took in (("alone", alone), ("beside pruning", beside))
    ]
    harness.table(("webhooks kept", "number", "p50 ms", "p99 ms", "max ms"), rows)
    harness.goal("largest size of the files", largest / LIMIT * 100, unit="% of the limit", below=125)
    harness.goal("what came", came / LIMIT, unit="times the limit", at_least=5)
    harness.goal("p99 beside pruning", beside[len(beside) * 99 // 100], unit="ms", below=100)


if __name__ == "__main__":
    harness.run(main)
