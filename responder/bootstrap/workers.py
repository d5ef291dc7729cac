"""Build the workers of ``responder serve``. Imported before the fork, so that they share the memory of its modules."""

import contextlib
import os
import random
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Flask

from responder import bootstrap
from responder.bootstrap import entries
from responder.counters import COUNTERS
from responder.engine.jobs import (
    fallback,
    flood,
    heartbeat,
    outbound_heartbeat,
    own_incidents,
    pager_incidents,
    paging_windows,
    postmortems,
    recheck,
    reconcile,
    reminders,
    retention,
    unresolved_pages,
)
from responder.engine.jobs.alertmanager_client import AlertmanagerClient
from responder.engine.jobs.scheduler import Job
from responder.engine.runtime import Engine, working
from responder.engine.workers.integrity import IntegrityCheck
from responder.engine.workers.loop import Loop
from responder.engine.workers.loop_failures import LoopFailures
from responder.engine.workers.rule_reloader import LoadedRules, RuleReloader, problems_of
from responder.engine.workers.triage import IncidentWriter
from responder.model.clock import Clock
from responder.model.problem import InvalidRules
from responder.model.rule import RuleBook
from responder.model.secret import Secret
from responder.notify.contract import Channel
from responder.outgoing import (
    smtp,  # noqa: F401 - or each worker would import them with what it sends first
)
from responder.settings import Settings
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.maintenance import kept_rules
from responder.web import health, not_found, webhook
from responder.web.app import create_app, guard
from responder.web.metrics import RulesInfo, StoreCollector
from responder.web.multiprocess import CounterFiles

#: How long a stopping worker may take to finish what it is sending.
DRAIN_SECONDS = 8.0
#: How long Socket Mode may take to end a step, and again to answer what it has received.
_LEAVE_SECONDS = 1.0
#: Rest of a loop that has nothing left to do.
_REST_SECONDS = 3600.0
#: Interval of checks for deleted or replaced files of SQLite: a lost commit is noticed within a second.
_FILES_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process: the web application and, unless the role is web, the engine.

    ``leave`` ends Slack's Socket Mode, within some seconds.
    """

    app: Flask
    engine: Engine | None
    database: Database
    loops: tuple[Loop, ...]
    leave: Callable[[], None]

    def reload(self) -> None:
        """Read the rule files now."""
        if self.engine is not None:
            self.engine.reload()

    def stop(self) -> None:
        """Drain and close: nothing is acknowledged after it."""
        self.leave()
        if self.engine is not None:
            self.engine.stop(DRAIN_SECONDS)
        for loop in self.loops:
            loop.stop(1.0)
        self.database.close()


class DatabaseOpener:
    """Migrates a database that could not be reached at the start, and refuses its use until then.

    Afterwards it watches the files of SQLite.
    """

    def __init__(self, settings: Settings, database: Database, away: str) -> None:
        self._settings = settings
        self._database = database
        self._waiting = bool(away)
        database.refuse(away)

    def step(self) -> float:
        """Try once. One process migrates, the others wait for it. Returns the seconds to rest."""
        if self._waiting:
            try:
                bootstrap.prepare_store(self._settings)
            except StoreError as error:
                self._database.refuse(str(error))
                raise
            self._waiting = False
            self._database.refuse("")
        self._database.verify_files()
        return _FILES_SECONDS if self._database.is_sqlite else _REST_SECONDS


@contextlib.contextmanager
def counters_directory() -> Iterator[Path | None]:
    """Make the directory of the counters of one instance; None, with an error in the log, where that fails.

    It is PROMETHEUS_MULTIPROC_DIR, emptied, or a private temporary directory that is removed at the end.
    """
    made, owner = "", os.getpid()
    try:
        if given := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            Path(given).mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in Path(given).glob("*.db"):
                old.unlink()
        else:
            given = made = tempfile.mkdtemp(prefix="responder-counters-")
    except OSError as error:
        COUNTERS.fail(f"no directory for counters: {error}")
        given = None
    try:
        yield Path(given) if given else None
    finally:
        if made and os.getpid() == owner:  # a forked worker that exits unwinds this frame, too
            shutil.rmtree(made, ignore_errors=True)


def worker(
    settings: Settings,
    first: LoadedRules,
    counters: Path | None,
    slot: int,
    *,
    away: str,
    on_fatal: Callable[[], None],
    failures: LoopFailures,
    first_of_all: Callable[[], bool] = lambda: True,
) -> Worker:
    """Build a worker and start its engine. Call it after the fork: it opens connections and starts threads.

    ``counters`` is the directory of this instance's counters, if there is one; ``slot`` is this worker's alone.
    ``failures`` is shared by the workers of the instance; ``first_of_all`` is True in one of them. ``away`` is not
    empty if the database could not be reached before the fork.
    """
    files = None
    if counters:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counters)  # prometheus-client reads it when a file is opened
        files = CounterFiles(counters, slot)
        COUNTERS.open(files.open)
    clock = bootstrap.SystemClock()
    database = Database(settings.database_url.reveal(), create=False)
    inbox = Inbox(database)
    engine = _engine(settings, database, first, clock, on_fatal, failures) if settings.role != "web" else None
    loops: tuple[Loop, ...] = (
        Loop("opening", DatabaseOpener(settings, database, away).step, on_fatal, failures),
        Loop("integrity", IntegrityCheck(database, clock).step, on_fatal, failures),
    )

    def book() -> RuleBook:
        return (engine.rules.context() if engine else first.context).book

    socket = entries.socket_mode(settings, database, clock, engine.act, book, first_of_all) if engine else None
    listening = Loop("slack", socket.step, on_fatal, failures) if socket else None
    loops = (*loops, listening) if listening else loops
    metrics = StoreCollector(
        database=database,
        clock=clock,
        limit=settings.max_database_bytes,
        rules=lambda: _in_force(engine.rules) if engine else None,
        counters=files.collect if files else tuple,
    )
    alive = working(loops, engine)
    credentials = guard(settings.webhook_token, settings.webhook_basic_auth)
    given = health.HealthConfig(
        guard=credentials,
        database=database,
        clock=clock,
        metrics=metrics,
        alive=alive,
        failing=failures.reason,
        note=lambda: engine.rules.state.note if engine else "",
        reload=lambda: _reload(settings, first),
        metrics_guard=credentials if settings.metrics_auth == "on" else guard(Secret(""), Secret("")),
    )
    takes_webhooks = settings.role != "engine"
    outside = not_found.OutsideRecorder(inbox, clock, not_found.LogThrottle(clock)) if takes_webhooks else None
    parts = [
        health.blueprint(given),
        not_found.blueprint(clock, takes_webhooks=takes_webhooks, outside=outside),
    ]
    if settings.role != "engine":
        config = webhook.WebhookConfig(
            inbox=inbox,
            guard=credentials,
            clock=clock,
            max_body_bytes=settings.max_body_bytes,
            on_kept=engine.wake if engine else lambda: None,
            alive=alive,
            outside=outside,
        )
        parts.append(webhook.blueprint(config))
        parts += entries.routes(settings, database, clock, engine.act if engine else lambda: None, book)
    app = create_app(*parts, prefix=settings.path_prefix)
    for loop in loops:
        loop.start()
    if engine:
        engine.start()

    def leave() -> None:
        if socket is not None and listening is not None:
            listening.stop(_LEAVE_SECONDS)
            socket.close(_LEAVE_SECONDS)

    return Worker(app, engine, database, loops, leave)


def _reload(settings: Settings, first: LoadedRules) -> tuple[str, ...]:
    """Read the rule files, and have every worker of this instance use them if they are valid. Returns problems."""
    try:
        bootstrap.load_changed(settings, _own_channels(first))
    except (InvalidRules, OSError) as error:
        return problems_of(error)
    os.kill(os.getppid(), signal.SIGHUP)  # the gunicorn master, which passes it on
    return ()


def _own_channels(first: LoadedRules) -> dict[str, Channel]:
    """Return the channels of the settings, which no rule file declares."""
    return {name: each for name, each in first.context.channels.items() if name not in first.context.book.channels}


def _in_force(rules: RuleReloader) -> RulesInfo:
    state, context = rules.state, rules.context()
    return RulesInfo(
        revision=state.revision,
        since=state.since,
        refused=state.refused,
        kept=state.kept,
        heartbeats=context.book.heartbeats,
        severities=tuple(context.book.severities),
        channels=tuple(context.channels),
    )


def _engine(
    settings: Settings,
    database: Database,
    first: LoadedRules,
    clock: Clock,
    on_fatal: Callable[[], None],
    failures: LoopFailures,
) -> Engine:
    own = _own_channels(first)
    rules = RuleReloader(
        first,
        lambda: bootstrap.load_changed(settings, own),
        lambda: bootstrap.rule_files(settings),
        clock,
        keep=lambda text: kept_rules.save(database, text, clock.now()),
        last_valid=lambda: bootstrap.last_valid(settings, database, own),
    )
    engine = Engine(
        database=database,
        rules=rules,
        prober=bootstrap.prober(settings, clock),
        deliverer=bootstrap.deliverer(settings, clock),
        clock=clock,
        chance=random.SystemRandom().random,
        on_fatal=on_fatal,
        jobs=lambda writer: jobs(settings, database, writer, rules, clock, lambda: engine.alive),
        failures=failures,
        instance=os.uname().nodename,
        silences=bootstrap.silences(settings, clock),
    )
    return engine


def jobs(
    settings: Settings,
    database: Database,
    writer: IncidentWriter,
    rules: RuleReloader,
    clock: Clock,
    alive: Callable[[], bool],
) -> dict[str, Job]:
    """Return the scheduled jobs of the engine by name. Each run is made by one process of all."""
    common = database, writer, rules.context, clock
    work: dict[str, tuple[timedelta, Callable[[], None]]] = {
        "heartbeats": (heartbeat.EVERY, heartbeat.HeartbeatJob(*common).run),
        "review": (recheck.EVERY, recheck.RecheckJob(*common).run),
        "floods": (flood.EVERY, flood.FloodJob(*common).run),
        "retention": (retention.EVERY, bootstrap.retention(settings, database, clock).run),
        "fallback": (fallback.EVERY, fallback.FallbackJob(*common, settings.fallback_seconds).run),
        "windows": (paging_windows.EVERY, paging_windows.PagingWindowJob(*common).run),
        "reminders": (reminders.EVERY, reminders.ReminderJob(*common).run),
        "unclosed": (unresolved_pages.EVERY, unresolved_pages.UnresolvedPagesJob(*common).run),
        "postmortems": (postmortems.EVERY, postmortems.PostmortemJob(database, rules.context, clock).run),
        "refused": (own_incidents.EVERY, own_incidents.RefusedPayloads(*common).run),
        "rules": (own_incidents.EVERY, own_incidents.InvalidRulesJob(*common, lambda: rules.state).run),
    }
    if any(settings.of_channels[f"pagerduty_{name}"].reveal() for name in ("api_token", "webhook_secret")):
        learn = pager_incidents.PagerIncidentsJob(
            database,
            entries.pagerduty_api(settings, bootstrap.vendors(settings, clock), clock),
            clock,
            entries.PAGERDUTY_KINDS,
            lambda: rules.context().channels,
        )
        work["pager_incidents"] = (pager_incidents.EVERY, learn.run)
    if settings.alertmanager_url:
        client = AlertmanagerClient(bootstrap.outgoing(settings, clock), clock)
        grace = timedelta(seconds=settings.reconcile_grace)
        compare = reconcile.ReconcileJob(*common, client, settings.alertmanager_url, grace)
        work["reconcile"] = (timedelta(seconds=settings.reconcile_every), compare.run)
    if settings.heartbeat_url.reveal():
        urls = {"url": settings.heartbeat_url, "fail_url": settings.heartbeat_fail_url}
        ping = outbound_heartbeat.OutboundHeartbeat(
            database, rules.context, bootstrap.vendors(settings, clock), clock, **urls, alive=alive
        )
        work["outbound_heartbeat"] = (outbound_heartbeat.EVERY, ping.run)
    return {name: Job(name=name, every=every, run=run) for name, (every, run) in work.items()}
