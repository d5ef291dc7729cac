"""The shell of triage and diagnosis: it commits what the story decides, and runs the probes the story asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.diagnose.run import Prober
from responder.engine import process
from responder.engine.desk import Desk
from responder.engine.follow import History, messages
from responder.engine.mishap import mishap
from responder.model.alert import AlertGroup
from responder.model.clock import Clock, Deadline
from responder.model.delivery import Delivery, Effects, Study
from responder.model.incident import Incident
from responder.store import inbox, incidents, outbox, studies
from responder.store.database import CannotStore, Database

_log = structlog.get_logger()

BATCH = 32
"""Deliveries decided in one transaction."""
POLL = 0.5
"""Seconds between looks for what another process left behind; our own work wakes us."""
LEASE = timedelta(seconds=5)
"""How long a diagnosis stays ours without a sign of life."""
MARGIN = timedelta(milliseconds=200)
"""How long before the page is due the findings are written into it, answered or not."""
LATE_SECONDS = 10.0
"""How long a diagnosis may take whose page has left already."""


class Triage:
    """Decides deliveries. One transaction a batch holds the incidents, the pages and the work: the second invariant."""

    def __init__(
        self, database: Database, desk: Callable[[], Desk], clock: Clock, on_effects: Callable[[list[Study]], None]
    ) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._on_effects = on_effects

    def step(self) -> float:
        """Decide what is waiting. Returns the seconds to rest."""
        with self._database.read() as connection:
            if not inbox.any_new(connection):
                return POLL
        with self._database.write() as connection:
            batch = inbox.take(connection, BATCH)
            started = self._commit(connection, batch)
        self._on_effects(started)
        return 0.0 if len(batch) == BATCH else POLL

    def _commit(self, connection: Connection, batch: Sequence[Delivery]) -> list[Study]:
        effects = self._decide(connection, batch)
        now = self._clock.now()
        inbox.settle(
            connection, ((e.delivery, e.state, e.incident.id if e.incident else None, e.outcome) for e in effects)
        )
        for each in effects:
            outbox.write(connection, each.drafts, now)
        due = [(each.work, each.due_at) for each in effects if each.work]
        return studies.write(connection, due, now, now + LEASE)

    def _decide(self, connection: Connection, batch: Sequence[Delivery]) -> list[Effects]:
        """Decide a batch one after the other: what one delivery opens, the next of the same group finds open."""
        desk = self._desk()
        groups = [_read(delivery) for delivery in batch]
        known = _histories(connection, {group.dedup_key for group in groups if isinstance(group, AlertGroup)})
        stored = {history.incident.id for history in known.values() if history.incident}
        touched: dict[str, Incident] = {}
        effects = []
        for delivery, group in zip(batch, groups, strict=True):
            each = _triage(group, delivery, known, desk)
            if each.incident is not None:
                key, report = each.incident.dedup_key, each.drafts[-1].report if each.drafts else None
                known[key] = History(each.incident, report or known.get(key, History()).report)
                touched[each.incident.id] = each.incident
            effects.append(each)
        added = [incident for incident in touched.values() if incident.id not in stored]
        incidents.save(connection, added, [incident for incident in touched.values() if incident.id in stored])
        return effects


def _histories(connection: Connection, dedup_keys: set[str]) -> dict[str, History]:
    latest = incidents.latest(connection, dedup_keys)
    reports = outbox.last_reports(connection, [each.id for each in latest.values() if each.open]) if latest else {}
    return {key: History(incident, reports.get(incident.id)) for key, incident in latest.items()}


def _read(delivery: Delivery) -> AlertGroup | Exception:
    try:
        return process.read(delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a page and not a stopped queue
        return error


def _triage(group: AlertGroup | Exception, delivery: Delivery, known: dict[str, History], desk: Desk) -> Effects:
    """Triage that always answers: one delivery that breaks it must neither be lost nor stop those behind it."""
    if isinstance(group, Exception):
        _log.error("triage.unreadable", delivery=delivery.id, exc_info=group)
        return mishap(delivery, None, group, desk)
    try:
        return process.triage(group, delivery, known.get(group.dedup_key, History()), desk)
    except Exception as error:  # noqa: BLE001 - as above: people are told, and told that nobody judged it
        _log.error("triage.broken", delivery=delivery.id, exc_info=error)
        return mishap(delivery, group, error, desk)


class Diagnosis:
    """Runs the probes of committed studies, a few incidents at a time. The page does not wait for any of it."""

    def __init__(
        self,
        database: Database,
        desk: Callable[[], Desk],
        prober: Prober,
        clock: Clock,
        at_once: int = 8,
    ) -> None:
        self._database = database
        self._desk = desk
        self._prober = prober
        self._clock = clock
        self.on_page: Callable[[], None] = lambda: None
        self._at_once = at_once
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="diagnosis")
        self._held: dict[int, Study] = {}
        self._guard = threading.Lock()

    def begin(self, started: Sequence[Study]) -> None:
        """Run studies that this process holds the claim of."""
        for study in started:
            with self._guard:
                self._held[study.id] = study
            self._pool.submit(self._run, study)

    def step(self) -> float:
        """Renew our claims and take over what a dead worker held. Returns the seconds to rest."""
        now = self._clock.now()
        with self._guard:
            held = list(self._held.values())
        if held:
            with self._database.write() as connection:
                studies.renew(connection, held, now + LEASE)
        if len(held) < self._at_once:
            self._take_over()
        return 1.0

    def _take_over(self) -> None:
        now = self._clock.now()
        with self._database.read() as connection:
            if not studies.any_free(connection, now):
                return
        with self._database.write() as connection:
            started = studies.claim(connection, now, now + LEASE, self._at_once)
        self.begin(started)

    def close(self) -> None:
        """Let go of what is not finished: another worker begins it at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            held = list(self._held.values())
        if held:
            with self._database.write() as connection:
                studies.release(connection, held)

    def _run(self, study: Study) -> None:
        try:
            self._diagnose(study)
        except CannotStore as error:
            _log.error("diagnosis.cannot_store", incident=study.work.incident, reason=str(error))
        except Exception:
            _log.exception("diagnosis.broken", incident=study.work.incident)
            raise
        finally:
            with self._guard:
                self._held.pop(study.id, None)

    def _diagnose(self, study: Study) -> None:
        desk, work = self._desk(), study.work
        findings = self._prober.run(desk.asks(work.probes, work.subject), self._deadline(study))
        now = self._clock.now()
        page, after = process.diagnose(work, findings, now)
        with self._database.write() as connection:
            if not studies.finish(connection, study, findings, now):
                return
            reached = outbox.enrich(connection, work.incident, page, now)
            missed = (desk.channels[name] for name in work.channels if name not in reached and name in desk.channels)
            outbox.write(connection, messages(after, missed, rank=work.rank, due_at=now), now)
        self.on_page()

    def _deadline(self, study: Study) -> Deadline:
        left = (study.due_at - MARGIN - self._clock.now()).total_seconds()
        return Deadline(self._clock.monotonic() + (left if left > 0 else LATE_SECONDS))
