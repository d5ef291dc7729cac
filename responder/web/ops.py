"""What Kubernetes and Prometheus ask: is it alive, can it take deliveries, and what are the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from responder.store import outbox, studies
from responder.store.database import CannotStore, Database
from responder.store.inbox import Inbox


class StoreCollector(Collector):
    """Counts read from the database when asked: right for every worker and replica, and after every restart."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics, named as docs/metrics.md lists them."""
        counts = self._inbox.counts()
        with self._database.read() as connection:
            by_message = outbox.counts(connection)
            by_study = studies.counts(connection)
        deliveries = GaugeMetricFamily("responder_deliveries", "Webhook bodies kept, by state.", labels=["state"])
        for state in ("new", "decided", "failed"):
            deliveries.add_metric([state], counts[state])
        yield deliveries
        yield CounterMetricFamily(
            "responder_rejected_bodies", "Authenticated bodies refused and set aside.", value=counts["rejected"]
        )
        messages = GaugeMetricFamily(
            "responder_messages", "Messages by channel and state.", labels=["channel", "state"]
        )
        for (channel, state), count in sorted(by_message.items()):
            messages.add_metric([channel, state], count)
        yield messages
        diagnoses = GaugeMetricFamily("responder_diagnoses", "Diagnoses by state.", labels=["state"])
        for state, count in sorted(by_study.items()):
            diagnoses.add_metric([state], count)
        yield diagnoses


def blueprint(database: Database, inbox: Inbox, engine_alive: Callable[[], bool]) -> Blueprint:
    """``/healthz``, ``/readyz`` and ``/metrics``. None of them depends on PagerDuty, Slack or a probe target."""
    routes = Blueprint("ops", __name__)
    registry = CollectorRegistry()
    registry.register(StoreCollector(database, inbox))

    @routes.get("/healthz")
    def healthz() -> Response:
        if not engine_alive():
            return Response("an engine thread has ended\n", 503, content_type="text/plain")
        return Response("ok\n", content_type="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        try:
            database.check()
        except CannotStore as error:
            return Response(f"{error}\n", 503, content_type="text/plain")
        return Response("ok\n", content_type="text/plain")

    @routes.get("/metrics")
    def metrics() -> Response:
        try:
            return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        except CannotStore as error:
            return Response(f"{error}\n", 503, content_type="text/plain")

    return routes
