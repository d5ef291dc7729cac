"""Every mistake in the rule files is found at once, at its place, with what to write instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path

import pytest

from responder.model.problem import Problem
from responder.model.rule import (
    Action,
    Adjustment,
    FindingCondition,
    LinkAnnotations,
    Matcher,
    Op,
    RuleBook,
    SeverityFrom,
    SubjectFrom,
)
from responder.model.window import TimeRange
from responder.notify.delivery.named import KINDS
from responder.rulebook.checks import REQUIRED
from responder.rulebook.load import InvalidRules, load
from responder.rulebook.rule_files import RuleReferences
from responder.triage.matchers import parse
from tests.unit.rulebook.test_teams import BAD


@dataclass(frozen=True, slots=True)
class _Spec:
    """Fields of the test kind `ask`."""

    expr: str
    limits: tuple[float, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def _objects(spec: object) -> tuple[str, ...]:
    assert isinstance(spec, _Spec)
    return ("expr must not be empty",) if not spec.expr else ()


@dataclass(frozen=True, slots=True)
class _Kind:
    spec: type = _Spec
    check: Callable[[object], tuple[str, ...]] = _objects


RUNBOOKS = {"common.md": frozenset({"service-down", "high-latency"}), "scaling.md": frozenset[str]()}

GOOD = """\
platform: {environment: prod, namespace: butterfly, exporters: [node-exporter*]}
severities:
  P1:
    meaning: outage
    response: 15 minutes, all hands
    respond_within: 15m
    responders: all hands
    pages: true
    pagerduty: critical
    page_budget: 8s
    next_update: 1h30m
  P2:
    meaning: m
    response: r
    respond_within: null
    responders: w
    pages: false
    pagerduty: info
    page_budget: 30s
    next_update: 1d
services:
  capsule: {health: "http://capsule:8080/actuator/health", owner: a, impact: b}
  plato:
    health: https://plato:8443/actuator/health
    owner: team-plato
    impact: nothing works
    namespace: other
    depends_on: [capsule]
    dashboards: {Overview: "https://grafana.example/d/plato"}
contacts:
  - {role: On-Call, contact: PagerDuty, hours: 24/7}
escalation: [On-Call]
urls:
  - {text: Grafana, href: "https://grafana.example"}
probes:
  health: {kind: ask, expr: up, limits: [1, 2.5], timeout: 2s}
  dns: {kind: ask, expr: x}
  changes: {kind: ask, expr: y}
packs: {basics: [health, dns]}
windows:
  office: {zone: Europe/Berlin, days: [mon, fri], hours: [08:00-12:00, 22:00-24:00], holidays: [2026-12-25]}
defaults: {probes: [health], baseline: [changes, health], channels: [slack], owner: sre}
heartbeats:
  - {cluster: prod-eu, max_gap: 10m, severity: P1, probes: [dns]}
rules:
  - id: watchdog
    match: alertname="Watchdog"
    severity: P2
    first_step: Nothing.
    action: heartbeat
  - id: service-down
    match: ['alertname="ServiceDown",service!=""', namespace=~"a|b"]
    severity: {from: severity, map: {critical: P1}, otherwise: P2}
    symptom: is down
    runbook: common.md#service-down
    first_step: Look.
    probes: [dns]
    channels: [pagerduty, slack]
    adjust:
      - {when: {match: ['tier="gold"'], firing: 5}, raise: P1}
      - {when: [{probe: dns, is: bad}, {probe: health, is: [ok, warning]}], lower: 1}
    subject: [{from: shop, map: {corner: capsule}}, branch]
    pages_in: {P1: office}
    incident_key: [service, namespace]
    note: Nobody is served.
  - id: packed
    match: alertname="Packed"
    severity: P2
    enabled: shadow
    subject: shop
    first_step: Look.
    more_probes: [basics]
    pages_in: office
    owner: team-a
  - id: unknown
    match: []
    severity: P2
    first_step: Read it.
"""


def _load(folder: Path, runbooks: dict[str, frozenset[str]] | None = RUNBOOKS) -> RuleBook:
    return load(
        folder,
        RuleReferences(
            probe_kinds={"ask": _Kind()},
            runbooks=runbooks,
            channels={"pagerduty", "slack"},
            parse=parse,
            channel_kinds=KINDS,
            built_in_channels={"pagerduty", "slack", "log"},
            fallback_channels={"pagerduty", "slack", "smtp"},
        ),
    )


def _problems(tmp_path: Path, text: str, runbooks: dict[str, frozenset[str]] | None = RUNBOOKS) -> list[Problem]:
    folder = tmp_path / "rules"
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(text)
    try:
        _load(folder, runbooks)
    except InvalidRules as error:
        return list(error.problems)
    return []


def test_a_good_folder_becomes_a_rule_book(tmp_path: Path) -> None:
    """The loaded rules equal the files, with defaults and the baseline filled in."""
    assert _problems(tmp_path, GOOD) == []
    book = _load(tmp_path / "rules")
    assert (book.environment, book.namespace, book.exporters) == ("prod", "butterfly", ("node-exporter*",))
    assert [(s.name, s.priority, s.page_budget, s.next_update) for s in book.severities.values()] == [
        ("P1", 1, 8.0, 5400.0),
        ("P2", 2, 30.0, 86400.0),
    ]
    assert (book.severities["P1"].respond_within, book.severities["P2"].respond_within) == (900.0, None)
    assert book.services["plato"].depends_on == ("capsule",)
    assert book.services["capsule"].needed_by == ("plato",)
    assert book.services["plato"].selector == 'namespace="other",service="plato"'
    assert book.services["capsule"].selector == 'namespace="butterfly",service="capsule"'
    assert [contact.role for contact in book.escalation] == ["On-Call"]
    assert book.probes["health"].spec == _Spec(expr="up", limits=(1.0, 2.5))
    assert (book.probes["health"].timeout, book.probes["dns"].timeout) == (2.0, 3.0)
    watchdog, down, packed, unknown = book.rules
    assert (watchdog.action, watchdog.probes, watchdog.channels) == (Action.HEARTBEAT, (), ())
    assert [(m.name, m.op) for m in down.matchers] == [
        ("alertname", Op.EQUAL),
        ("service", Op.NOT_EQUAL),
        ("namespace", Op.REGEX),
    ]
    words = {"critical": "P1", "p1": "P1", "p2": "P2", "none": "P2"}
    assert down.severity == SeverityFrom(names=("severity",), mapping=words, unknown="P2", otherwise="P2")
    assert str(down.runbook) == "common.md#service-down"
    assert (down.probes, down.channels) == (("dns", "changes", "health"), ("pagerduty", "slack"))
    assert (unknown.probes, unknown.channels, unknown.matchers) == (("health", "changes"), ("slack",), ())
    assert str(down.position).startswith("rules/all.yaml:")
    [heartbeat] = book.heartbeats
    assert (heartbeat.cluster, heartbeat.max_gap, heartbeat.rule.id) == ("prod-eu", 600.0, "heartbeat-prod-eu")
    assert (heartbeat.rule.probes, heartbeat.rule.channels) == (("dns", "changes", "health"), ("slack",))
    assert (heartbeat.rule.severity, heartbeat.rule.runbook) == ("P1", None)
    assert down.adjust == (
        Adjustment(matchers=(Matcher("tier", Op.EQUAL, "gold"),), firing=5, to="P1"),
        Adjustment(
            findings=(FindingCondition("dns", ("bad",)), FindingCondition("health", ("ok", "warning"))),
            raises=False,
            steps=1,
        ),
    )
    assert down.subject == (SubjectFrom(label="shop", mapping={"corner": "capsule"}), SubjectFrom(label="branch"))
    assert (down.gather, down.note, down.owner, down.shadow) == (
        ("service", "namespace"),
        "Nobody is served.",
        "sre",
        False,
    )
    office = down.pages_in["P1"]
    assert (office.zone.key, sorted(office.days)) == ("Europe/Berlin", [0, 4])
    assert sorted(office.holidays) == [date(2026, 12, 25)]
    assert office.spans == (TimeRange(time(8), time(12)), TimeRange(time(22), time(0)))
    assert (packed.probes, packed.shadow, packed.owner) == (("health", "dns", "changes"), True, "team-a")
    assert (packed.subject, packed.pages_in) == ((SubjectFrom(label="shop"),), {"P1": office, "P2": office})


def test_the_names_of_link_annotations_replace_the_usual_ones(tmp_path: Path) -> None:
    """A list of names replaces the usual one, also before a file's default runbook; lists not given stay."""
    names = "namespace: butterfly, link_annotations: {runbook: [playbook]}, "
    defaults = "defaults: {runbook: common.md#service-down, "
    text = GOOD.replace("namespace: butterfly, ", names).replace("defaults: {", defaults)
    assert _problems(tmp_path, text) == []
    book = _load(tmp_path / "rules")
    assert book.link_annotations == LinkAnnotations(runbook=("playbook",))
    assert {rule.runbook_from for rule in book.rules if rule.id in {"packed", "service-down"}} == {("playbook",), ()}


def test_a_runbook_from_the_alert_follows_the_link_annotations(tmp_path: Path) -> None:
    """A rule that names an annotation also finds the runbook under the platform's names, so presets need no change."""
    names = "namespace: butterfly, link_annotations: {runbook: [playbook]}, "
    text = GOOD.replace("namespace: butterfly, ", names).replace(
        "    runbook: common.md#service-down\n", "    runbook: {from: runbook_url}\n"
    )
    assert _problems(tmp_path, text) == []
    assert ("runbook_url", "playbook") in {rule.runbook_from for rule in _load(tmp_path / "rules").rules}


# What is replaced in the good file, by what, and the problem's code and the text its place points at.
SAMPLES = [
    ("    meaning: outage", "    meening: outage", "unknown-key", "meening"),
    ("environment: prod, ", "", "missing-key", "platform"),
    ("namespace: butterfly", "namespace: Butter_fly", "bad-value", "Butter_fly"),
    ("    owner: team-plato\n", "", "missing-key", "plato"),
    ("    pages: true", "    pages: yes", "bad-value", "yes"),
    ("    pagerduty: critical", "    pagerduty: critcal", "bad-value", "critcal"),
    ("page_budget: 8s", "page_budget: 8", "bad-value", "8\n"),
    ("next_update: 1h30m", "next_update: 0s", "bad-value", "0s"),
    ("https://plato:8443/actuator/health", "plato:8443", "bad-value", "plato:8443"),
    ("https://plato:8443/actuator/health", "https://u:p@plato/health", "bad-value", "https://u:p@"),
    ("https://plato:8443/actuator/health", "https://plato/health?x=1", "bad-value", "https://plato/health?"),
    ("https://plato:8443/actuator/health", "https://plato:99999/", "bad-value", "https://plato:9"),
    ("https://plato:8443/actuator/health", "ftp://plato/", "bad-value", "ftp://"),
    ("severity: P2\n    first_step: Nothing.", "severity: [P2]\n    first_step: Nothing.", "bad-value", "[P2]"),
    (
        "severity: P2\n    first_step: Nothing.",
        "severity: {from: x}\n    first_step: N",
        "missing-key",
        "severity: {from",
    ),
    ("action: heartbeat", "action: heartbeet", "bad-value", "heartbeet"),
    ("action: heartbeat", "action: heartbeat\n    channels: [slack]", "bad-value", "id: watchdog"),
    ("symptom: is down", "symptom: 5", "bad-value", "5\n"),
    ("symptom: is down", 'symptom: "a\\nb"', "bad-value", '"a'),
    ("id: watchdog", "id: Watch dog", "bad-value", "Watch dog"),
    ("    first_step: Look.\n", "", "missing-key", "id: service-down"),
    ("    symptom: is down", "    symptom: is down\n    probs: [dns]", "unknown-key", "probs"),
    ("defaults: {probes", "default: {probes", "unknown-key", "default"),
    ("escalation: [On-Call]", "escalation: On-Call", "bad-value", "On-Call\nurls"),
    ("id: service-down", "id: watchdog", "duplicate-id", "watchdog\n    match: ["),
    (
        "contacts:\n",
        "contacts:\n  - {role: On-Call, contact: x, hours: y}\n",
        "duplicate-id",
        "{role: On-Call, contact: P",
    ),
    ('"ServiceDown",', '"Service"Down,', "bad-matcher", "Down,"),
    ('alertname="Watchdog"', "Watchdog", "bad-matcher", "\n    severity: P2\n    first_step: Nothing"),
    ('namespace=~"a|b"', 'namespace=~"a|("', "bad-matcher", 'a|("'),
    ('alertname="Watchdog"', '"{}"', "bad-matcher", '"{}"'),
    ("severity: P2\n    first_step: Nothing.", "severity: P5\n    first_step: Nothing.", "unknown-severity", "P5"),
    ("map: {critical: P1}", "map: {critical: P7}", "unknown-severity", "P7"),
    ("otherwise: P2", "otherwise: p2", "unknown-severity", "p2"),
    ("depends_on: [capsule]", "depends_on: [capsle]", "unknown-service", "capsle"),
    ("escalation: [On-Call]", "escalation: [On-Cal]", "unknown-contact", "On-Cal"),
    ("probes: [dns]", "probes: [dnss]", "unknown-probe", "dnss"),
    (
        "    first_step: Nothing.",
        "    first_steps: {crashed: Look.}\n    first_step: Nothing.",
        "unknown-conclusion",
        "Look.",
    ),
    (
        "    first_step: Nothing.",
        "    runbooks: {crashed: common.md#service-down}\n    first_step: Nothing.",
        "unknown-conclusion",
        "common.md#service-down}\n    first_step",
    ),
    (
        "    first_step: Nothing.",
        "    runbooks: {crash: common.md#crash}\n    first_step: Nothing.",
        "unknown-section",
        "common.md#crash}",
    ),
    ("exporters: [node-", "runbooks: {crash: none.md}, exporters: [node-", "unknown-runbook", "none.md"),
    ("exporters: [node-", "runbooks: {crashed: common.md}, exporters: [node-", "unknown-conclusion", "common.md"),
    ("baseline: [changes, health]", "baseline: [chnges]", "unknown-probe", "chnges"),
    ("dns: {kind: ask", "dns: {kind: aks", "unknown-probe-kind", "aks"),
    ("dns: {kind: ask, expr: x}", 'dns: {kind: ask, expr: ""}', "bad-probe", "dns: {"),
    ("dns: {kind: ask, expr: x}", "dns: {kind: ask}", "missing-key", "dns: {"),
    ("dns: {kind: ask, expr: x}", "dns: {kind: ask, expr: x, exp: y}", "unknown-key", "exp: y"),
    ("dns: {kind: ask, expr: x}", "dns: {kind: ask, expr: x, limits: ['1']}", "bad-value", "'1'"),
    ("dns: {kind: ask, expr: x}", "dns: {expr: x}", "missing-key", "dns: {"),
    ("pages_in: {P1: office}", "pages_in: {P1: ofice}", "unknown-window", "ofice"),
    ("pages_in: {P1: office}", "pages_in: ofice", "unknown-window", "ofice"),
    ("next_update: 1d", "next_update: 1d\n    reminders: {window: ofice}", "unknown-window", "ofice"),
    ("next_update: 1d", "next_update: 1d\n    reminders: {escalate: [slak]}", "unknown-channel", "slak"),
    ("next_update: 1d", "next_update: 1d\n    reminders: {escalated: true}", "unknown-key", "escalated"),
    ("next_update: 1d", "next_update: 1d\n    reminders: {escalate: 1}", "bad-value", "1}"),
    ("pages_in: {P1: office}", "pages_in: {P9: office}", "unknown-severity", "P9"),
    ("Europe/Berlin", "Europe/Berln", "unknown-zone", "Europe/Berln"),
    ("22:00-24:00", "22:00-25:00", "bad-value", "22:00-25"),
    ("[2026-12-25]", "[2026-02-30]", "bad-value", "2026-02-30"),
    ("days: [mon, fri]", "days: [mon, fry]", "bad-value", "fry"),
    ("days: [mon, fri], ", "dais: [mon], ", "unknown-key", "dais"),
    ("basics: [health, dns]", "basics: [health, dnss]", "unknown-probe", "dnss"),
    ("packs: {basics", "packs: {dns: [health], basics", "duplicate-id", "dns: [health"),
    ("more_probes: [basics]", "more_probes: [basic]", "unknown-probe", "basic]"),
    ("raise: P1", "raise: P7", "unknown-severity", "P7"),
    ("lower: 1", "lower: P7", "unknown-severity", "P7"),
    ("lower: 1", "lower: 0", "bad-value", "0}"),
    ("raise: P1", "raise: P1, lower: P2", "bad-value", "{when: {match"),
    ("""['tier="gold"']""", """['tier="gold']""", "bad-matcher", "'], firing"),
    ("firing: 5", "firing: 1", "bad-value", "1}"),
    ("probe: dns, is: bad", "probe: dns", "bad-value", "{probe: dns}"),
    ("probe: dns, is: bad", "probe: dns, is: down", "bad-value", "down"),
    ("probe: dns, is: bad", "prob: dns, is: bad", "unknown-key", "prob:"),
    ("corner: capsule", "corner: capsle", "unknown-service", "capsle"),
    ("enabled: shadow", "enabled: false", "bad-value", "false"),
    ("channels: [pagerduty, slack]", "channels: [pager]", "unknown-channel", "pager]"),
    ("channels: [pagerduty, slack]", "channels: []", "unknown-channel", "[]\n    adjust"),
    ("common.md#service-down", "comon.md#service-down", "unknown-runbook", "comon.md"),
    ("common.md#service-down", "https://x.example.com/${alertname|upper}", "unknown-runbook", "https://x"),
    ("common.md#service-down", "common.md#service-donw", "unknown-section", "common.md#"),
    ("common.md#service-down", "{from: runbook_url, otherwise: comon.md}", "unknown-runbook", "comon.md"),
    ("owner: sre", "owner: sre, runbook: common.md#donw", "unknown-section", "common.md#"),
    ("action: heartbeat", "channels: [slack]", "no-heartbeat-rule", "prod-eu, max_gap"),
    ("action: heartbeat", "action: heartbeat\n    enabled: shadow", "no-heartbeat-rule", "prod-eu, max_gap"),
    ("cluster: prod-eu", "cluster: prod eu", "bad-value", "prod eu"),
    ("max_gap: 10m", "max_gap: 10", "bad-value", "10, sev"),
    ("severity: P1, probes", "severity: P8, probes", "unknown-severity", "P8"),
    ("severity: P1, probes", "severity: P1, runbook: comon.md, probes", "unknown-runbook", "comon.md"),
    (
        "  - {cluster: prod-eu",
        "  - {cluster: prod-eu, max_gap: 5m}\n  - {cluster: prod-eu",
        "duplicate-id",
        "prod-eu, max_gap: 10m",
    ),
    ("    match: []\n", '    match: a="b"\n', "no-catch-all", 'a="b"'),
    ("    match: []\n", "    match: []\n    enabled: shadow\n", "no-catch-all", "shadow"),
    ('    match: alertname="Watchdog"\n', "    match: []\n", "after-catch-all", "service-down\n    match"),
    ("platform: {", "# {", "missing-platform", "# {"),
    ("urls:\n", "urls: []\nurls:\n", "duplicate-key", "urls:\n  -"),
    ("symptom: is down", "symptom: *down", "alias", "*down"),
    ("symptom: is down", "symptom: !x down", "tag", "!x"),
    ("escalation: [On-Call]", "escalation: [On-Call", "syntax", ":\n  - {text: Grafana"),
    ("action: heartbeat", "action: drop", "bad-value", "id: watchdog"),
    ("action: heartbeat", "action: drop\n    reason: x\n    channels: [slack]", "bad-value", "id: watchdog"),
    ("action: heartbeat", "action: heartbeat\n    reason: x", "bad-value", "id: watchdog"),
    ("platform: {", "platform: {link_annotations: {runbok: [x]}, ", "unknown-key", "runbok"),
]


@pytest.mark.parametrize(("old", "new", "code", "pointed"), SAMPLES, ids=lambda value: str(value)[:24])
def test_each_mistake_is_found_where_it_is(tmp_path: Path, old: str, new: str, code: str, pointed: str) -> None:
    """A typing error in a rule file is shown at its line and column, with advice."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    problems = [problem for problem in _problems(tmp_path, text) if problem.code == code]
    assert problems, _problems(tmp_path, text)
    line = text.split("\n")[problems[0].position.line - 1 :]
    assert "\n".join(line)[problems[0].position.column - 1 :].startswith(pointed), problems[0]
    assert problems[0].position.path == "rules/all.yaml"
    assert problems[0].message


def test_every_check_has_a_sample() -> None:
    """No check can be added without showing what it finds."""
    shown = {code for _, _, code, _ in (*SAMPLES, *BAD)}
    assert not set(REQUIRED) - shown
    assert {"unknown-key", "missing-key", "bad-value", "duplicate-key", "alias", "tag", "syntax"} <= shown


def test_a_mistake_does_not_set_off_others(tmp_path: Path) -> None:
    """One mistake is one message, without follow-up errors."""
    for old, new, code, _ in SAMPLES:
        found = _problems(tmp_path, GOOD.replace(old, new, 1))
        if old != "defaults: {probes":  # the rules really have no channels then
            assert {problem.code for problem in found} == {code}, (new, found)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """All problems of a rule file are reported at once."""
    text = GOOD
    for old, new, _, _ in [SAMPLES[0], SAMPLES[4], SAMPLES[26], SAMPLES[33], SAMPLES[35], SAMPLES[46]]:
        text = text.replace(old, new, 1)
    found = _problems(tmp_path, text)
    codes = {problem.code for problem in found}
    assert {"unknown-key", "bad-value", "bad-matcher", "unknown-service", "unknown-probe"} <= codes
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("symptom: is down", "symptm: is down", "did you mean 'symptom'?"),
        ("probes: [dns]", "probes: [dnss]", "did you mean 'dns'?"),
        ("pagerduty: critical", "pagerduty: critcal", "did you mean 'critical'?"),
        ("common.md#service-down", "common.md#service-donw", "did you mean 'service-down'?"),
        ("otherwise: P2", "otherwise: medium", "known: P1, P2"),
        ("symptom: is down", "symptom: 5", "put it in quotes"),
    ],
)
def test_a_mistake_comes_with_what_to_write(tmp_path: Path, old: str, new: str, hint: str) -> None:
    """The message names the word that was probably meant."""
    assert hint in {problem.hint for problem in _problems(tmp_path, GOOD.replace(old, new, 1))}


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Which rule wins can be read from the file listing; folders below, and other files, are not rules."""
    folder = tmp_path / "rules"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "cases.yaml").write_text("not: rules")
    (folder / ".hidden.yaml").write_text("not: rules")
    (folder / "README.md").write_text("# not rules")
    base, _, rules = GOOD.partition("\nrules:\n")
    (folder / "00-base.yaml").write_text(base + "\n")
    (folder / "99-rules.yml").write_text("defaults: {channels: [slack]}\nrules:\n" + rules)
    first = '{id: first, match: a="b", severity: P1, first_step: x, channels: [slack]}'
    (folder / "50-first.yaml").write_text(f"rules: [{first}]")
    book = _load(folder)
    assert [rule.id for rule in book.rules] == ["first", "watchdog", "service-down", "packed", "unknown"]
    assert book.rules[0].position.path == "rules/50-first.yaml"
    assert book.rules[-1].probes == ()


def test_the_revision_changes_with_any_byte(tmp_path: Path) -> None:
    """Two processes can compare the revision of their rules."""
    assert _problems(tmp_path, GOOD) == []
    before = _load(tmp_path / "rules").revision
    assert _load(tmp_path / "rules").revision == before
    (tmp_path / "rules" / "all.yaml").write_text(GOOD + "# comment\n")
    assert _load(tmp_path / "rules").revision != before


def test_a_folder_without_rules_is_a_problem(tmp_path: Path) -> None:
    """A wrong path is said to be one, instead of running without rules."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.yaml").write_text("")
    for folder in ("missing", "empty", "file.yaml"):
        with pytest.raises(InvalidRules) as caught:
            _load(tmp_path / folder)
        assert [problem.code for problem in caught.value.problems] == ["no-rules"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A broken file is one message, and nothing is said to be missing that it may have held."""
    folder = tmp_path / "rules"
    folder.mkdir()
    base, _, rules = GOOD.partition("\nrules:\n")
    (folder / "00.yaml").write_text(base + "\na: [")
    (folder / "10.yaml").write_text("\nrules:\n" + rules)
    with pytest.raises(InvalidRules) as caught:
        _load(folder)
    assert [(problem.code, problem.position.path) for problem in caught.value.problems] == [("syntax", "rules/00.yaml")]


@pytest.mark.parametrize("what", ["link to nothing", "link to itself", "pipe"])
def test_rules_that_are_not_there_any_more_are_missed(tmp_path: Path, what: str) -> None:
    """A link that leads nowhere takes no rules out of force unnoticed: the files are refused, and nothing waits."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "00.yaml").write_text(GOOD)
    file = folder / "10.yaml"
    if what == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("10.yaml" if what == "link to itself" else "gone.yaml")
    with pytest.raises(InvalidRules) as caught:
        _load(folder)
    assert [(problem.code, problem.position.path) for problem in caught.value.problems] == [
        ("unreadable", "rules/10.yaml")
    ]


def test_without_a_catalog_runbooks_are_not_checked(tmp_path: Path) -> None:
    """Rules can be checked on their own, without the runbooks."""
    text = GOOD.replace("common.md#service-down", "nowhere.md#x")
    assert _problems(tmp_path, text, None) == []
    [problem] = _problems(tmp_path, text, {})
    assert problem.code == "unknown-runbook"
    assert "--runbooks" in problem.hint


def test_a_mistake_in_one_rule_leaves_the_places_of_the_others(tmp_path: Path) -> None:
    """After a broken rule, messages about the next one still point at the next one."""
    text = GOOD.replace("action: heartbeat", "action: x").replace("probes: [dns]", "probes: [nsd]")
    found = {problem.code: problem for problem in _problems(tmp_path, text)}
    assert text.split("\n")[found["unknown-probe"].position.line - 1] == "    probes: [nsd]"


def test_a_runbook_comes_from_the_rule_the_alert_or_the_file(tmp_path: Path) -> None:
    """A runbook of the rule wins; one read from an annotation, or the file's default, gives way to the alert's own."""
    named = "    runbook: common.md#service-down\n"
    texts = (
        GOOD,
        GOOD.replace(named, "    runbook: {from: [doc], otherwise: scaling.md}\n"),
        GOOD.replace(named, "").replace("owner: sre}", "owner: sre, runbook: scaling.md}"),
        GOOD.replace(named, "    runbook: {from: doc}\n").replace("owner: sre}", "owner: sre, runbook: scaling.md}"),
    )
    found = []
    for number, text in enumerate(texts):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "all.yaml").write_text(text)
        rule = next(each for each in _load(folder).rules if each.id == "service-down")
        found.append((str(rule.runbook), rule.runbook_from))
    own = LinkAnnotations().runbook
    assert found == [
        ("common.md#service-down", ()),
        ("scaling.md", ("doc", *own)),
        ("scaling.md", own),
        ("scaling.md", ("doc", *own)),
    ]
