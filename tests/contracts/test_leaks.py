"""A secret of the cluster is followed from the API server into every sink: rows, logs, metrics, pages, threads."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Collection, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import select
from structlog.testing import capture_logs

from responder.bootstrap import SystemClock
from responder.diagnose.cluster.reader import SharedReads
from responder.diagnose.contract import ProbeTools
from responder.diagnose.prober import Prober
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.investigator import in_words
from responder.engine.workers.diagnosis import DiagnosisWorker
from responder.engine.workers.triage import IncidentWriter, TriageWorker
from responder.model.clock import Deadline
from responder.model.delivery import DiagnosisJob
from responder.model.message import OutboxMessage, Response
from responder.model.report import IncidentContent, MessageKind
from responder.notify.report.compose import compose
from responder.outgoing import Outgoing
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from responder.store.outbox import outbox
from responder.store.schema.tables import metadata
from responder.web.metrics import StoreCollector
from tests.contracts.channel_cases import CASES, messages
from tests.support.kubernetes.pages import shipped_context
from tests.support.kubernetes.scenarios import Scenario, load, notification

SCENARIOS = ("crash-missing-env", "rollout-env-value", "quota-exceeded")
#: Secrets, each with the text around it in messages, arguments and log lines.
SEEDS = (
    ("hunter2-ExAmPle", "password={}"),
    ("correct-horse-9", "postgres://app:{}@db:5432/shop"),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "{}"),
    ("AKIAIOSFODNN7EXAMPLE", "key {}"),
)
#: A word that is no secret: if it did not arrive the test could not find one.
MARK = "marker-Quokka"


def everywhere(scenario: Scenario) -> Scenario:
    """Put the secrets into every variable, annotation, argument, message and log of a scenario."""
    said = " ".join(around.format(secret) for secret, around in SEEDS)
    objects = [seeded(deepcopy(dict(each))) for each in scenario.cluster.objects]
    logs = [
        dataclasses.replace(each, text=f"{said}\n{each.text.rstrip()} {said}\nFATAL {MARK} with {said}\n")
        for each in scenario.cluster.logs
    ]
    return dataclasses.replace(scenario, cluster=dataclasses.replace(scenario.cluster, objects=objects, logs=logs))


def seeded(value: Any) -> Any:
    """Return parsed JSON with the secrets where an operator or a program may have put them."""
    if isinstance(value, list):
        return [seeded(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: seeded(each) for key, each in value.items()}
    said = [around.format(secret) for secret, around in SEEDS]
    for key in ("message", "note"):
        if isinstance(found.get(key), str):
            found[key] = f"{found[key]} {' '.join(said)}"
    variables = [{"name": f"DB_{number}", "value": secret} for number, (secret, _) in enumerate(SEEDS)]
    if "creationTimestamp" in found:
        noted = {each["name"]: each["value"] for each in variables}
        last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"env": variables})}
        found["annotations"] = {**(found.get("annotations") or {}), **noted, **last}
    if "image" in found and "name" in found and "imageID" not in found:
        found["env"] = [*found.get("env", ()), *variables]
        found["args"] = [*found.get("args", ()), "--token", *said, *(f"--db-password={each}" for each, _ in SEEDS)]
    return found


@pytest.fixture
def clock() -> SystemClock:
    """The real clock: the prober waits by it."""
    return SystemClock()


def rows(database: Database) -> Iterator[str]:
    """Every column of every row of every table."""
    with database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                yield f"{table.name} {tuple(row)!r}"


def diagnosed(scenario: Scenario, database: Database, clock: SystemClock) -> IncidentContent:
    """Store the alert, decide it, investigate and commit, as ``serve`` does. Returns the content of the incident."""
    context = shipped_context()
    context = dataclasses.replace(context, channels={case.make().name: case.make() for case in CASES.values()})
    outbox.prepare_states(database, context.channels)
    guard = threading.Lock()

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - the names are those of Fetch
        with guard:
            return Response(*scenario.cluster.answer(target))

    outgoing = Outgoing(clock)
    prober = Prober(PROBES, ProbeTools(outgoing=outgoing, clock=clock, cluster=SharedReads(fetch, clock)))
    ended, begun = threading.Semaphore(0), list[DiagnosisJob]()

    def follow(started: list[DiagnosisJob], _channels: Collection[str]) -> None:
        begun.extend(started)

    diagnosis = DiagnosisWorker(
        database, lambda: context, prober, clock, on_end=ended.release, on_page=lambda _channels: None
    )
    try:
        Inbox(database).keep(notification(scenario), "", clock.now())
        TriageWorker(IncidentWriter(database, clock, follow, diagnosis.free_slots), lambda: context).step()
        diagnosis.begin(begun)
        assert begun
        assert ended.acquire(timeout=15)
        diagnosis.step()
    finally:
        diagnosis.close()
        prober.close()
        outgoing.close()
    incident = begun[0].request.incident
    with database.read() as connection:
        return incidents.contents_of(connection, [incident])[incident]


def shown(content: IncidentContent, now: datetime) -> Iterator[str]:
    """The bodies of all messages of all channels, in full and minimal form, threads included."""
    message = OutboxMessage(
        incident=content.incident,
        ordering_key="key",
        channel="",
        step="",
        kind=MessageKind.START,
        priority=1,
        due_at=now,
    )
    report = compose(content, message, now)
    for case in CASES.values():
        channel = case.make()
        for each in messages(channel, report):
            request = channel.render(each)
            yield case.shown(request)
            yield request.body.decode("utf-8", "replace").replace("=\n", "").replace("=\r\n", "")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_secret_of_the_cluster_is_in_no_sink(name: str, database: Database, clock: SystemClock) -> None:
    """No row, log line, metric, page, thread or question to an investigator holds a secret seeded anywhere."""
    now = datetime.now(UTC)
    scenario = everywhere(load(Path(f"tests/scenarios/{name}.yaml"), now))
    with capture_logs() as lines:
        content = diagnosed(scenario, database, clock)
    registry = CollectorRegistry()
    registry.register(StoreCollector(database=database, clock=clock))
    stored = list(rows(database))
    sinks = {
        "rows": "\n".join(stored),
        "log": repr(lines),
        "metrics": generate_latest(registry).decode(),
        "messages": "\n".join(shown(content, now)),
        "investigator": in_words(content),
    }
    assert content.findings
    for secret, _ in SEEDS:
        for sink, text in sinks.items():
            for part in (secret, secret[:12], secret[-12:]):
                assert part not in text, f"{sink}: {text[max(0, text.find(part) - 200) : text.find(part) + 60]}"
    if name == "rollout-env-value":
        assert all(MARK in sinks[sink] and "REDACTED" in sinks[sink] for sink in ("rows", "messages", "investigator"))
