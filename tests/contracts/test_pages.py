"""Pages of twelve very different alerts by the shipped rules, as each channel shows them, kept as text to be read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest

from responder import __version__
from responder.bootstrap import load_rules
from responder.cli.preview import preview
from responder.cli.samples import Sample
from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.make_finding import answer
from responder.diagnose.probes import PROBES
from responder.engine.effects.context import DecisionContext
from responder.engine.jobs.heartbeat import watch
from responder.model.delivery import Effects
from responder.model.finding import Finding, Verdict
from responder.model.heartbeat import HeartbeatState
from responder.model.report import Report
from responder.model.rule import ExpectedHeartbeat, RuleBook
from responder.notify.report.compose import compose
from responder.notify.report.links import LinkBuilder
from responder.notify.report.sections import metadata, page
from responder.notify.report.sections import preview as preview_of
from responder.triage.rule_index import RuleIndex
from tests.contracts.channel_cases import CASES
from tests.support import teams
from tests.support.builders import NOW, STARTED, a_letter
from tests.support.platform import a_rule
from tests.unit.engine.test_pipeline import CHANNELS_USED

ROOT = Path(__file__).parents[2]
PAGES = Path(__file__).parent / "pages"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
SHOWN = ("pagerduty", "slack", "teams", "smtp")
#: A phone in upright position shows some 22 lines of 44 characters below the title.
PHONE_LINES, PHONE_WIDTH = 22, 44

#: Phrases of the wording guide that no page may contain.
REFUSED = re.compile(
    r"\(bad above|\(bad below|\(warning above|\(warning below|could not look|not asked|\btold\b|\bwe\b"
    r"|fires again|Made by|Do first"
    r"|\bSeen\b|Needed by|in -\d|-\d+(\.\d)? days|\bnan\b|\bNone,|\$\{|\{value|0 resolved|Unknown: the alert"
    r"|unknown: service not in|not set in the rules|1 alerts|1 checks|1 pods|\(fixed by",
    re.IGNORECASE,
)

Found = tuple[Verdict, str, dict[str, Any]]


def good(fact: str) -> Found:
    """A result within its limits."""
    return Verdict.OK, fact, {}


def critical(fact: str) -> Found:
    """A result beyond its limits."""
    return Verdict.BAD, fact, {}


def value(fact: str) -> Found:
    """A value without limits."""
    return Verdict.OK, fact, {"judged": False}


def unknown(fact: str) -> Found:
    """A check without a result."""
    return Verdict.UNKNOWN, fact, {}


@dataclass(frozen=True, kw_only=True)
class Story:
    """A group of alerts, and the results of the probes by name."""

    alerts: tuple[dict[str, str], ...]
    notes: dict[str, str] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    source: str = "https://prometheus.example.com/graph?g0.expr=x&g0.tab=1"


STORIES = {
    "error-rate": Story(
        alerts=({"alertname": "HighErrorRate", "service": "nexus", "namespace": "butterfly", "severity": "critical"},),
        notes={"summary": "nexus answers 14 % of requests with 5xx", "description": "Over 5 % for 5 minutes."},
        found={
            "error-ratio": critical("14.2% of requests fail with 5xx (critical > 5%), up from 0.1% in 1h"),
            "error-where": value("11.3 errors/s on POST /plans (500 TimeoutException), and 2 more"),
            "pool-busy": good("connection pool 40% in use (warning > 80%)"),
            "health": (Verdict.OK, "200 UP in 12 ms", {"names_target": True}),
            "recent-changes": critical("last rollout 6 min ago"),
        },
    ),
    "latency": Story(
        alerts=({"alertname": "HighLatency", "service": "odyssey", "namespace": "butterfly", "severity": "warning"},),
        found={
            "latency-p95": critical("p95 latency 3.2 s (critical > 2 s)"),
            "pool-waiting": critical("34 threads waiting for a connection (critical > 5)"),
            "recent-changes": good("last rollout 9.0 days ago"),
        },
    ),
    "crash-loop": Story(
        alerts=(
            {
                "alertname": "KubePodCrashLooping",
                "namespace": "butterfly",
                "pod": "plato-7d9f6b5c84-x2k4q",
                "container": "plato",
                "severity": "warning",
            },
        ),
        notes={
            "summary": "Pod is crash looping.",
            "description": "Pod butterfly/plato-7d9f6b5c84-x2k4q (plato) is in waiting state (CrashLoopBackOff).",
            "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping",
        },
        found={
            "restarts": critical("7 restarts in the last hour (critical > 3)"),
            "exit-code": value("last exit code: 137"),
            "health": unknown("health check: connection refused after 2 ms"),
        },
    ),
    "node-down": Story(
        alerts=({"alertname": "KubeNodeNotReady", "node": "worker-7", "cluster": "prod-eu", "severity": "critical"},),
        notes={"summary": "Node is not ready.", "description": "worker-7 has been unready for more than 15 minutes."},
        found={"node-ready": critical("node is not ready"), "node-pods": value("12 pods of butterfly on the node")},
    ),
    "full-volume": Story(
        alerts=(
            {
                "alertname": "KubePersistentVolumeFillingUp",
                "namespace": "butterfly",
                "persistentvolumeclaim": "capsule-data",
                "severity": "critical",
            },
        ),
        notes={"description": "The volume claimed by capsule-data is only 2.1% free."},
        found={
            "volume-usage": critical("volume 97.9% full, up from 91% in 6h"),
            "volume-eta": critical("full in 1.5 h at the current rate"),
            "volume-inodes": good("12% of inodes used"),
        },
    ),
    "postgres-replication": Story(
        alerts=(
            {
                "alertname": "PostgresqlReplicationLag",
                "instance": "db-2:9187",
                "job": "postgres-exporter",
                "severity": "warning",
            },
        ),
        notes={"summary": "Postgresql replication lag (instance db-2:9187)", "description": "Lag is 312 s"},
    ),
    "kafka-lag": Story(
        alerts=({"alertname": "KafkaConsumerGroupLag", "consumergroup": "plato", "topic": "orders"},),
        found={
            "kafka-lag": critical("lag 184,000 messages (critical > 100,000)"),
            "kafka-members": unknown("number of members in the group: no data"),
        },
    ),
    "certificate": Story(
        alerts=(
            {
                "alertname": "CertManagerCertExpirySoon",
                "name": "nexus-tls",
                "exported_namespace": "butterfly",
                "namespace": "butterfly",
                "severity": "warning",
            },
        ),
        found={"certificate-days": critical("certificate nexus-tls expired 25.0 h ago")},
    ),
    "grafana-no-data": Story(
        alerts=(
            {
                "alertname": "DatasourceNoData",
                "rulename": "Checkout latency",
                "datasource_uid": "P1809F7CD0C75ACF3",
                "grafana_folder": "shop",
            },
        ),
        notes={"summary": "Checkout latency has no data"},
        source="https://grafana.example.com/alerting/grafana/abc/view?orgId=1",
    ),
    "several-services": Story(
        alerts=tuple(
            {"alertname": "ServiceDown", "service": name, "namespace": "butterfly", "severity": "critical"}
            for name in ("capsule", "nexus", "plato", "odyssey", "perception")
        ),
        found={"health": critical("503 DOWN in 41 ms, db DOWN")},
    ),
    "summary-only": Story(alerts=({},), notes={"summary": "The nightly backup of the wiki did not run"}, source=""),
}


@cache
def context() -> DecisionContext:
    """The shipped rules, and an expected Watchdog."""
    book: RuleBook = load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    rule = a_rule(
        id="heartbeat-prod-eu",
        matchers=(),
        symptom="sends no Watchdog, alerting is down on prod-eu",
        impact="Alerts of prod-eu may not arrive: failures there go unnoticed.",
        first_step="Check that Prometheus and Alertmanager of the cluster run and can reach responder.",
        probes=(),
    )
    expected = ExpectedHeartbeat(cluster="prod-eu", max_gap=600.0, rule=rule)
    book = replace(book, revision="REVISION", heartbeats=(expected,))
    return DecisionContext(
        book=book,
        matching=RuleIndex(book.rules),
        probe_kinds=PROBES,
        channels=CHANNELS_USED,
        links=LinkBuilder(runbook_base_url="https://runbooks.example.com", urls=book.urls),
        prometheus_url="http://prometheus:9090",
    )


def _body(story: Story) -> bytes:
    alerts = [
        {
            "status": "firing",
            "labels": labels,
            "annotations": story.notes,
            "startsAt": STARTED.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": story.source,
            "fingerprint": f"{number:016x}",
        }
        for number, labels in enumerate(story.alerts, 1)
    ]
    shared = {name: text for name, text in story.alerts[0].items() if all(a.get(name) == text for a in story.alerts)}
    group = {name: shared[name] for name in ("alertname",) if name in shared}
    top = {"version": "4", "groupKey": f"{{}}:{group}", "status": "firing", "receiver": "responder"}
    more = {"groupLabels": group, "commonLabels": shared, "commonAnnotations": story.notes, "truncatedAlerts": 0}
    return json.dumps({**top, **more, "externalURL": "https://alertmanager.example.com", "alerts": alerts}).encode()


def _effects(name: str) -> Effects:
    if name == "watchdog-missing":
        gone = HeartbeatState(
            cluster="prod-eu",
            seen_at=NOW - timedelta(minutes=12),
            since=NOW - timedelta(days=1),
            watched_at=NOW - timedelta(seconds=15),
        )
        (effects,) = watch({"prod-eu": gone}, {}, context(), NOW, NOW).effects
        return effects
    story = STORIES[name]

    def probe(questions: tuple[ProbeQuestion, ...]) -> tuple[Finding, ...]:
        asked = [(question, story.found[question.probe]) for question in questions if question.probe in story.found]
        return tuple(answer(question, verdict, fact, **more) for question, (verdict, fact, more) in asked)

    found = preview(Sample(name, _body(story)), context(), NOW, probe).effects
    assert found is not None
    return found


def report_of(name: str) -> Report:
    """The report of the first message."""
    effects = _effects(name)
    assert effects.content is not None
    report = compose(effects.content, effects.messages[0], NOW)
    return replace(report, made_by=report.made_by.replace(__version__, "VERSION"))


def _text(channel: str, report: Report) -> str:
    made = CASES[channel].make()
    request = made.render(a_letter(report, channel=channel, step=made.steps[report.kind][0]))
    return "\n".join(_lines(channel, request))


def _lines(channel: str, request: Any) -> Iterator[str]:
    """The message as a person sees it, without markup."""
    if channel == "smtp":
        yield from CASES[channel].readable(request)[0:1]
        yield from CASES[channel].shown(request).splitlines()
        return
    if channel == "teams":
        (card,) = json.loads(request.body)["attachments"]
        for element in card["content"]["body"]:
            yield "".join(run["text"] for run in element["inlines"])
        yield "buttons: " + " | ".join(each["title"] for each in card["content"].get("actions", ()))
        assert teams.refusal(request.body) == ""
        return
    body = json.loads(request.body)
    if channel == "pagerduty":
        yield f"{body['payload']['severity']}: {body['payload']['summary']}"
        yield from (f"{key}: {text}" for key, text in body["payload"]["custom_details"].items())
        yield "links: " + " | ".join(each["text"] for each in body["links"])
        return
    yield f"notification: {body['text']}"
    for block in body["blocks"]:
        if block["type"] == "actions":
            yield "  ".join(f"[ {each['text']['text']} ]" for each in block["elements"])
            continue
        texts = [block["text"]] if "text" in block else block["elements"]
        yield from (re.sub(r"<[^|>]*\|([^>]*)>", r"[\1]", each["text"]) for each in texts)


NAMES = [*STORIES, "watchdog-missing"]
every = pytest.mark.parametrize("name", NAMES)


@every
def test_the_page_equals_the_one_on_file(name: str) -> None:
    """Each page equals the file that was read and approved, in all four channels."""
    report = report_of(name)
    text = "\n\n".join(f"=== {channel}\n{_text(channel, report)}" for channel in SHOWN) + "\n"
    path = PAGES / f"{name}.txt"
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "differs from the file: run make generate and review the diff"


@every
def test_no_page_uses_a_refused_phrase(name: str) -> None:
    """The phrases that the wording guide replaces are on no page."""
    text = (PAGES / f"{name}.txt").read_text(encoding="utf-8")
    assert [found[0] for found in REFUSED.finditer(text)] == []


@every
def test_probe_names_are_not_on_the_page(name: str) -> None:
    """Names of probes appear in the thread only."""
    shown = "\n".join(each.text for each in (*page(report_of(name)), *metadata(report_of(name))[:-1]))
    known = "|".join(re.escape(probe) for probe in context().book.probes if "-" in probe)
    assert re.findall(rf"(?<![\w-])(?:{known})(?![\w-])", shown.partition("because")[0]) == []


@every
def test_the_first_sections_fit_on_a_phone(name: str) -> None:
    """Summary, impact, likely cause and first step need no scrolling, and the notification begins with the title."""
    report = report_of(name)
    first = [each for each in page(report) if not each.empty and each.name not in {"Changed", "Ruled out", "Note"}]
    lines = [line for each in first for line in wrap(f"{each.name}: {each.linked}", PHONE_WIDTH)]
    assert len(lines) <= PHONE_LINES, "\n".join(lines)
    assert preview_of(report).startswith(report.title)


@every
def test_impact_is_only_that_of_a_rule(name: str) -> None:
    """Only the alerts that mean an impaired service state an impact."""
    assert bool(report_of(name).impact) is (name in {"error-rate", "latency", "several-services", "watchdog-missing"})


def test_the_templates_of_the_platform_have_all_their_fields() -> None:
    """The heading and the fields of the rule files' start template are shown, each for its severities."""
    shown = _text("slack", report_of("several-services"))
    wanted = ("INCIDENT STARTED", "Severity:*", "Service:*", "Status:*", "Lead:*", "Channel:* #incident-2026-02-28-")
    assert [field for field in wanted if field not in shown] == []
    assert "Channel" not in report_of("kafka-lag").fields
