"""Routes for Kubernetes and Prometheus: liveness, readiness, reload and metrics."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from responder.model.clock import Clock
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import check_write, oldest_new
from responder.store.outbox.claims import untried
from responder.web.app import Guard, line
from responder.web.metrics import StoreCollector

#: For so long a successful check of the disk, the tables and the backlog is believed.
_TRY_SECONDS = 1.0
#: A notification that is undecided, or a page of the worst severity that no process tries to send, for so long after
#: its time makes the instance unready.
OVERDUE = timedelta(minutes=1)
#: Time for reading the rule files, in seconds.
RELOAD_SECONDS = 70.0
_UNAVAILABLE = "the database is not available; the reason is in the log, and here for requests with valid credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthConfig:
    """Dependencies of the routes. ``alive`` is true while every loop of this process runs; ``note`` follows an "ok".

    ``failing`` returns a sentence about loops of this instance that fail again and again, empty if none does.
    Only requests with credentials of ``guard`` get what PostgreSQL said, since it may name hosts. ``reload`` reads the
    rule files: it returns their problems, or none and makes every worker use them. ``metrics_guard`` protects the
    metrics.
    """

    guard: Guard
    database: Database
    clock: Clock
    metrics: StoreCollector
    alive: Callable[[], bool] = field(default=lambda: True)
    failing: Callable[[], str] = field(default=lambda: "")
    note: Callable[[], str] = field(default=lambda: "")
    reload: Callable[[], tuple[str, ...]] = tuple
    metrics_guard: Guard = field(default=Guard((), ()))


def blueprint(given: HealthConfig) -> Blueprint:
    """``/healthz``, ``/readyz`` and ``/metrics``. None of them depends on PagerDuty, Slack or a probe target.

    ``/-/healthy``, ``/-/ready`` and ``/-/reload`` are the names that Prometheus and Alertmanager use.
    """
    routes = Blueprint("ops", __name__)
    registry, keeping = CollectorRegistry(), _WriteCheck(given.database, given.clock)
    ProcessCollector(pid=os.getppid, registry=registry)  # the gunicorn master
    registry.register(given.metrics)

    def unavailable(error: StoreError) -> Response:
        public = given.database.is_sqlite or given.guard.admits(request.headers.get("Authorization", ""))
        return line(503, str(error) if public else _UNAVAILABLE)

    @routes.get("/-/healthy")
    @routes.get("/healthz")
    def healthz() -> Response:
        if not given.alive():
            return line(503, "an engine thread has stopped")
        return line(200, "ok")

    @routes.get("/-/ready")
    @routes.get("/readyz")
    def readyz() -> Response:
        if not given.alive():
            return line(503, "an engine thread has stopped")
        try:
            reason = given.failing() or keeping.reason()
        except StoreError as error:
            return unavailable(error)
        return line(503, reason) if reason else line(200, "; ".join(filter(None, ("ok", given.note()))))

    @routes.post("/-/reload")
    def reload() -> Response:
        if not given.guard.admits(request.headers.get("Authorization", "")):
            return line(401, "use the credentials of the webhook")
        request.environ.get("responder.allow_seconds", _allow)(RELOAD_SECONDS)
        problems = given.reload()
        if problems:
            return line(500, "\n".join(("the rule files are invalid, the rules in force stay:", *problems)))
        return line(200, "ok")

    @routes.get("/metrics")
    def metrics() -> Response:
        if not given.metrics_guard.admits(request.headers.get("Authorization", "")):
            return line(401, "use the credentials of the webhook (RESPONDER_METRICS_AUTH)")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        try:
            return Response(encode(registry), content_type=content_type)
        except StoreError as error:
            return unavailable(error)

    return routes


class _WriteCheck:
    """Checks that webhooks can be kept and are worked on. Anybody may ask: it writes once a second at most."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._kept_at = float("-inf")

    def reason(self) -> str:
        """The reason why the instance is not ready, empty if it is. Raises StoreError."""
        if self._clock.monotonic() - self._kept_at < _TRY_SECONDS:
            self._database.check()
            return ""
        check_write(self._database)
        failing = self._database.damage or self._overdue(self._clock.now())
        if not failing:
            self._kept_at = self._clock.monotonic()
        return failing

    def _overdue(self, now: datetime) -> str:
        """A sentence about what the engine leaves undone, empty if nothing."""
        with self._database.read() as connection:
            received, page = oldest_new(connection), untried(connection, now, OVERDUE)
        if received is not None and now - received > OVERDUE:
            return f"a notification is undecided {(now - received).total_seconds():.0f} s after it was received"
        if page is not None:
            return f"a page for {page[0]} was due {(now - page[1]).total_seconds():.0f} s ago and is not being sent"
        return ""


def _allow(_seconds: float) -> None:
    """Extend nothing: without gunicorn a request has no limit."""
