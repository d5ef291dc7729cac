"""Rules: finding one among 100, 1,000 and 10,000, and checking 10,000 of them against `promtool check rules`.

- Matching: microseconds an alert, warm, in three forms of rules: one equality, two matchers (a regex of two words and
  an equality), one regex. "New" are alerts whose values were never seen, against rules of one regex. Alertmanager 0.25
  (Go, one CPU) was measured at 174, 4,940 and 4,300 us with 10,000 routes.
- Dry-run: seconds for 10,000 alerts against 10,000 rules of two matchers, from the start of the command to the end of
  its JSON: in 500 webhook bodies of 20, and as a bare list that makes 10,000 groups, each with its own messages.
  `amtool config routes test` takes one label set a call: a few, times 10,000.
- Deciding: milliseconds for a notification of 20 alerts and of 1,000 with the shipped rules, with two channels and
  with 50 channels and 30 teams, in turns.
- Checking: seconds of wall clock from the start of the command to its end, cold, both on 10,000 rules of about the same
  size, in turns. promtool is left out where it is not installed.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import harness

from responder import bootstrap
from responder.model.problem import Position
from responder.model.rule import Action, Matcher, Op, Rule
from responder.receive.alertmanager import parse
from responder.triage.decide import decide
from responder.triage.rule_index import RuleIndex

SIZES = (100, 1_000, 10_000)
ALERTS = 2_000

Form = Callable[[int], tuple[Matcher, ...]]

FORMS: dict[str, tuple[Form, Callable[[int], dict[str, str]]]] = {
    "one equality": (
        lambda n: (Matcher("alertname", Op.EQUAL, f"Alert{n}"),),
        lambda n: {"alertname": f"Alert{n}", "severity": "critical", "service": "plato"},
    ),
    "two matchers": (
        lambda n: (Matcher("severity", Op.REGEX, "critical|warning"), Matcher("team", Op.EQUAL, f"team-{n}")),
        lambda n: {"alertname": "Down", "severity": "critical", "team": f"team-{n}"},
    ),
    "one regex": (
        lambda n: (Matcher("cluster", Op.REGEX, f"prod-{n}-.*"),),
        lambda n: {"alertname": "Down", "severity": "critical", "cluster": f"prod-{n}-eu"},
    ),
}
HEAD = """\
platform: {environment: prod, namespace: shop}
severities:
  P3: {meaning: m, response: r, respond_within: 4h, responders: one, pages: false, pagerduty: info,
    page_budget: 30s, next_update: 4h}
probes:
  health: {kind: http, url: "${health}"}
  error-ratio: {kind: promql, headline: errors, expr: "sum(rate(http_requests_total{${selector}}[5m]))"}
defaults: {channels: [slack]}
rules:
"""


def rules(count: int, form: Form) -> tuple[Rule, ...]:
    """The given number of rules, and one that matches everything."""
    return (*(rule(number, form(number)) for number in range(count)), rule(count, ()))


def rule(number: int, matchers: tuple[Matcher, ...]) -> Rule:
    return Rule(
        id=f"r{number}",
        matchers=matchers,
        severity="P3",
        symptom="",
        runbook=None,
        first_step="Look.",
        probes=(),
        channels=("slack",),
        action=Action.NOTIFY,
        position=Position("rules.yaml", 1, 1),
    )


def micros(matching: RuleIndex, alerts: list[dict[str, str]]) -> float:
    """Microseconds an alert, the best of five passes: the machine is shared."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for labels in alerts:
            matching.first(labels)
        best = min(best, time.perf_counter() - began)
    return best / len(alerts) * 1e6


def match() -> None:
    chance = random.Random(7)
    rows = []
    for name, (form, labels) in FORMS.items():
        found = []
        for size in SIZES:
            matching = RuleIndex(rules(size, form))
            alerts = [labels(chance.randrange(size)) for _ in range(ALERTS)]
            for each in alerts:
                matching.first(each)
            found.append(micros(matching, alerts))
        rows.append((name, *(f"{each:.2f}" for each in found), f"{found[-1] / found[0]:.1f}"))
        harness.goal(f"{name}, 10,000 rules", found[-1], unit="us an alert", below=5)
        harness.goal(f"{name}, 10,000 rules to 100", found[-1] / found[0], unit="times", below=2)
    harness.table(("us an alert, warm", *(f"{size:,} rules" for size in SIZES), "times"), rows)
    new()


def new() -> None:
    """Alerts with unseen values, against rules of one regex."""
    matching = RuleIndex(rules(10_000, FORMS["one regex"][0]))
    alerts = [{"alertname": "Down", "cluster": f"prod-{number}-x{number}"} for number in range(0, 10_000, 200)]
    began = time.perf_counter()
    for labels in alerts:
        matching.first(labels)
    took = (time.perf_counter() - began) / len(alerts) * 1e6
    harness.goal("one regex, 10,000 rules, every value new", took, unit="us an alert", below=100)


OURS = """\
  - id: high-error-rate-{n}
    match: alertname="HighErrorRate{n}", service=~"cart|payments"
    severity: P3
    symptom: answers with errors
    first_step: See which address the errors come from, and whether they began with a rollout.
    probes: [health, error-ratio]
    channels: [slack]
"""
THEIRS = """\
      - alert: HighErrorRate{n}
        expr: sum by (service) (rate(http_requests_total{{service=~"cart|payments", code=~"5.."}}[5m])) > {n}
        for: 5m
        labels: {{severity: warning, team: shop}}
        annotations:
          summary: "{{{{ $labels.service }}}} answers with errors."
"""


def files(folder: Path, count: int) -> tuple[Path, Path]:
    """The same number of rules for either tool, of about the same size."""
    ours, theirs = folder / "rules", folder / "prometheus.yaml"
    ours.mkdir()
    last = "  - {id: unknown, match: [], severity: P3, first_step: Read it.}\n"
    (ours / "rules.yaml").write_text(HEAD + "".join(OURS.format(n=n) for n in range(count)) + last)
    head = "groups:\n  - name: all\n    rules:\n"
    theirs.write_text(head + "".join(THEIRS.format(n=n) for n in range(count)))
    return ours, theirs


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise harness.CorrectnessError(
            f"{command[0]} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}"
        )
    return time.perf_counter() - began


def check(rounds: int) -> None:
    with harness.folder() as name:
        ours, theirs = files(Path(name), 10_000)
        tools = {"responder rules check": [sys.executable, "-m", "responder", "rules", "check", str(ours)]}
        if promtool := shutil.which("promtool"):
            tools["promtool check rules"] = [promtool, "check", "rules", str(theirs)]
        took: dict[str, list[float]] = {tool: [] for tool in tools}
        for _ in range(rounds):
            for tool, command in tools.items():
                took[tool].append(seconds(command))
    middle = {tool: harness.median(times) for tool, times in took.items()}
    harness.table(("10,000 rules, cold", "s"), [(tool, f"{value:.2f}") for tool, value in middle.items()])
    mine, *others = middle.values()
    for peer in others:
        harness.goal("rules check", mine / peer * 100, unit="% of promtool's time", below=100)


def alerts(count: int) -> list[dict[str, object]]:
    """The given number of alerts, each of another rule."""
    chance = random.Random(11)
    shared = {"severity": "critical", "namespace": "shop", "cluster": "prod-eu"}
    return [
        {
            "status": "firing",
            "labels": {"alertname": f"HighErrorRate{n}", "service": chance.choice(("cart", "payments")), **shared},
            "annotations": {"summary": "Answers with errors."},
            "startsAt": "2026-11-24T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": f"{n:016x}",
        }
        for n in range(count)
    ]


def payloads(members: list[dict[str, object]]) -> list[dict[str, object]]:
    """The alerts twenty a webhook."""
    whole = {"version": "4", "status": "firing", "receiver": "all", "externalURL": "", "truncatedAlerts": 0}
    rest: dict[str, object] = {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}
    starts = range(0, len(members), 20)
    return [{**whole, **rest, "groupKey": f"{{}}:{{{at}}}", "alerts": members[at : at + 20]} for at in starts]


def routes(count: int) -> str:
    """Alertmanager's configuration with as many routes as rules."""
    matchers = [[f'alertname="HighErrorRate{n}"', 'service=~"cart|payments"'] for n in range(count)]
    tree = {"receiver": "all", "routes": [{"receiver": "all", "matchers": each} for each in matchers]}
    return json.dumps({"route": tree, "receivers": [{"name": "all"}]})


def dry_run(rounds: int) -> None:
    with harness.folder() as name:
        folder = Path(name)
        ours, _ = files(folder, 10_000)
        forms = {"500 bodies of 20": payloads(alerts(10_000)), "10,000 groups of one": alerts(10_000)}
        command = [sys.executable, "-m", "responder", "dry-run", "--output=json", f"--rules={ours}"]
        mine = {}
        for form, sent in forms.items():
            (folder / "alerts.json").write_text(json.dumps(sent))
            mine[form] = harness.median([seconds([*command, str(folder / "alerts.json")]) for _ in range(rounds)])
        rows = [(f"responder dry-run, {form}", f"{took:.2f}") for form, took in mine.items()]
        if amtool := shutil.which("amtool"):
            (folder / "routes.yml").write_text(routes(10_000))
            call = [
                amtool,
                "config",
                "routes",
                "test",
                f"--config.file={folder / 'routes.yml'}",
                "alertname=HighErrorRate5000",
            ]
            theirs = harness.median([seconds([*call, "service=cart"]) for _ in range(rounds)]) * 10_000
            rows.append(("amtool config routes test, a call an alert", f"{theirs:.0f}"))
    harness.table(("10,000 alerts against 10,000 rules", "s"), rows)
    for form, took in mine.items():
        harness.goal(f"dry-run, {form}", took, unit="s", below=3)


def decide_teams(rounds: int) -> None:
    """Compare decisions with two channels and with many channels and teams."""
    folders = {"two channels": harness.ROOT / "rules"}
    with harness.folder() as name:
        many = Path(shutil.copytree(harness.ROOT / "rules", Path(name) / "rules"))
        for path in many.glob("*.yaml"):
            path.write_text(path.read_text().replace("channels: [pagerduty, slack]", harness.OWN_TEAM))
        (many / "02-teams.yaml").write_text(harness.many_teams()[0])
        folders["many"] = many
        books = {
            name: bootstrap.load_rules(str(folder), str(harness.ROOT / "runbooks")) for name, folder in folders.items()
        }
    tables = {name: RuleIndex(book.rules) for name, book in books.items()}
    for size in (20, 1_000):
        group = parse(harness.a_webhook(size))
        took: dict[str, list[float]] = {name: [] for name in books}
        for _ in range(rounds * 20):
            for name, book in books.items():
                began = time.perf_counter()
                decide(group, book, tables[name], None, 1, datetime.now(UTC))
                took[name].append((time.perf_counter() - began) * 1000)
        two, all_of_them = (harness.median(times) for times in took.values())
        harness.table(
            (f"{size:,} alerts", "ms"), [(name, f"{harness.median(times):.3f}") for name, times in took.items()]
        )
        what = f"{harness.CHANNELS} channels and {harness.TEAMS} teams, {size:,} alerts, ratio to two channels"
        harness.goal(what, all_of_them / two, unit="times", below=1.1)


def main() -> None:
    wanted = harness.options(__doc__, rounds=3, seconds=0)
    match()
    decide_teams(wanted.rounds)
    dry_run(wanted.rounds)
    check(wanted.rounds)


if __name__ == "__main__":
    harness.run(main)
