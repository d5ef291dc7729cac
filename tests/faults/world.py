"""The world of one seed: two Alertmanagers, the door, the replicas, their database, and the stand-ins around them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.butterfly import ButterflyStandIn
from responder.standins.monitoring import alertmanager, alertmanager_config
from responder.standins.pagerduty import PagerEvent
from responder.standins.processes import Program, free_port
from responder.standins.slack import SlackStandIn
from responder.standins.stage import stage
from tests.faults.disk import small_disk
from tests.faults.door import Door
from tests.faults.people import DAY_SECONDS, SECRET
from tests.faults.presses import Presses
from tests.faults.replica import Replica
from tests.faults.stream import MAX_BODY_BYTES, Group
from tests.faults.timeline import Timeline
from tests.support.pagerduty_account import PagerDutyAccount
from tests.support.postgres import Postgres, postgres

RULES = Path(__file__).parent / "rules"
RUNBOOKS = Path(__file__).parents[2] / "runbooks"

#: A seed holds the alerts of an hour in ten seconds, and what a vendor takes in a minute has tests of its own.
#:
#: Pages that PagerDuty rejects are posted to Slack, with the on-call group mentioned.
_SETTINGS = {
    "RESPONDER_PAGERDUTY_EVENTS_PER_MINUTE": "6000",
    "RESPONDER_SLACK_MESSAGES_PER_MINUTE": "6000",
    "RESPONDER_SLACK_ONCALL_GROUP": "S0123ABCD",
    "RESPONDER_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
    "RESPONDER_PAGERDUTY_WEBHOOK_SECRET": SECRET,
    "RESPONDER_PAGERDUTY_API_TOKEN": "u+of-the-suite",  # its incidents have no key: they are found by their alerts
    "RESPONDER_RECONCILE_EVERY": "86400",  # the Alertmanager of the silences does not list the stream
}


@dataclass(frozen=True, slots=True)
class OutdatedRules:
    """A revision that must not decide any more, and the incidents that were there by then."""

    revision: str
    incidents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All running processes, and targets of faults. ``disk`` holds SQLite's file, if it is a disk of its own.

    ``postgres`` is the server, where the replicas share one. ``silences`` is an Alertmanager that keeps the silences of
    people: in one of the pair they would mute the stream. ``large`` holds the groups of a fault, with their start.
    """

    timeline: Timeline
    database_url: str
    rules: Path
    disk: Path | None
    postgres: Postgres | None
    replicas: Sequence[Replica]
    door: Door
    alertmanagers: Sequence[str]
    pagerduty: PagerDutyAccount
    slack: SlackStandIn
    butterfly: ButterflyStandIn
    silences: AlertmanagerStandIn
    presses: Presses
    outdated: list[OutdatedRules] = field(default_factory=list)
    large: dict[Group, float] = field(default_factory=dict)


@contextlib.contextmanager
def world(folder: Path, timeline: Timeline, *, engine: str, rules: Path = RULES, disk: bool = True) -> Iterator[World]:
    """Start everything in an empty folder: two replicas on PostgreSQL, or one on SQLite (``disk``: a small one)."""

    def on_event(kind: str, record: Any) -> None:
        if isinstance(record, PagerEvent):
            timeline.note(f"{kind}: {record.summary or record.dedup_key[:12]}")

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres()) if engine == "postgres" else None
        data = folder / "disk"
        data.mkdir()
        has_disk = disk and stack.enter_context(small_disk(data))
        own_rules = shutil.copytree(rules, folder / "rules")
        around = stack.enter_context(stage(folder, rules=own_rules, runbooks=RUNBOOKS, on_event=on_event))
        pagerduty = stack.enter_context(PagerDutyAccount(on_event=on_event))
        database_url = server.create("responder") if server else f"sqlite:///{data / 'responder.db'}"
        silences = stack.enter_context(AlertmanagerStandIn())
        settings = {
            **around.settings,
            **_SETTINGS,
            "RESPONDER_DATABASE_URL": database_url,
            "RESPONDER_PAGERDUTY_URL": pagerduty.url,
            "RESPONDER_PAGERDUTY_API_URL": pagerduty.url,
            "RESPONDER_ALERTMANAGER_URL": silences.url,
            "RESPONDER_SLACK_APP_TOKEN": around.slack.app_token,
            "RESPONDER_SLACK_SIGNING_SECRET": around.slack.people.signing_secret,
        }
        servers = [_replica(f"replica-{n}", settings, folder, timeline) for n in range(2 if server else 1)]
        for each in servers:
            stack.callback(each.close)
            each.start()
        around.slack.people.request_url = f"http://{servers[0].address}"
        url = f"http://{servers[0].address}/pagerduty/webhooks"
        pagerduty.webhooks.subscribe(url, SECRET, day=DAY_SECONDS)
        door = Door([each.address for each in servers], around.token, timeline)
        stack.enter_context(door)
        config = alertmanager_config(
            f"{door.url}/webhook/alertmanager",
            around.token,
            group_by=("alertname", "shard"),
            group_wait="200ms",
            group_interval="2s",
        )
        pair = stack.enter_context(alertmanager_pair(folder, config))
        yield World(
            timeline=timeline,
            database_url=database_url,
            rules=own_rules,
            disk=data if has_disk else None,
            postgres=server,
            replicas=servers,
            door=door,
            alertmanagers=[each.url for each in pair],
            pagerduty=pagerduty,
            slack=around.slack,
            butterfly=around.butterfly,
            silences=silences,
            presses=Presses(around.slack, timeline),
        )


def _replica(name: str, settings: dict[str, str], folder: Path, timeline: Timeline) -> Replica:
    own = {**settings, "RESPONDER_LISTEN": f"127.0.0.1:{free_port()}"}
    return Replica(name, own, folder / name, timeline)


@contextlib.contextmanager
def alertmanager_pair(folder: Path, config: str) -> Iterator[tuple[Program, Program]]:
    """Two Alertmanagers that know of each other, as Prometheus sends to both: high availability. Raises DidNotStart."""
    one, two = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with (
        alertmanager(folder, config, name="alertmanager-a", cluster=(one, two)) as a,
        alertmanager(folder, config, name="alertmanager-b", cluster=(two, one)) as b,
    ):
        yield a, b
