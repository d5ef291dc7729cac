"""The shipped rules: they load, each can be reached, the real alert names match the right ones, nothing is lost."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from responder.bootstrap import examine_rules, load_rules
from responder.diagnose.probes.promql import PromqlSpec
from responder.model.rule import Action, Op, Rule, RuleBook, SeverityFrom
from responder.model.secret import Secret
from responder.notify.channels.slack_room import SlackRoom
from responder.notify.report.compose import compose
from responder.triage.decide import severity_of
from responder.triage.rule_index import RuleIndex
from tests.support.builders import NOW, a_content, a_draft, a_letter, an_alert

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "rules").glob("*.yaml"))


@cache
def book() -> RuleBook:
    """The shipped rule book with the shipped runbooks."""
    return load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))


@cache
def matching() -> RuleIndex:
    """Its rules, ready for matching."""
    return RuleIndex(book().rules)


def decide(**labels: str) -> tuple[str, str]:
    """The rule and the severity of an alert with these labels only."""
    rule = matching().first(labels)
    severity, _ = severity_of(rule, replace(an_alert(), labels=labels), book())
    return rule.id, severity.name


def test_the_severities_are_those_of_the_definitions() -> None:
    """P1 to P4 promise what the severity definitions promise."""
    found = [
        (s.name, s.priority, s.respond_within, s.pages, s.pagerduty, s.page_budget, s.next_update)
        for s in book().severities.values()
    ]
    assert found == [
        ("P1", 1, 900.0, True, "critical", 8.0, 1800.0),
        ("P2", 2, 3600.0, True, "error", 15.0, 3600.0),
        ("P3", 3, 14400.0, False, "warning", 30.0, 14400.0),
        ("P4", 4, None, False, "info", 30.0, 86400.0),
    ]


def test_the_dead_mans_switch_can_be_switched_on(tmp_path: Path) -> None:
    """Removing the signs in front of the example is all it takes: what is then there passes every check."""
    folder = tmp_path / "rules"
    folder.mkdir()
    for path in FILES:
        (folder / path.name).write_text(path.read_text().replace("#> ", ""))
    examined = examine_rules(str(folder), str(ROOT / "runbooks"))
    assert examined.problems == ()
    found = examined.book()
    assert found is not None
    [heartbeat] = found.heartbeats
    assert (heartbeat.cluster, heartbeat.rule.severity, len(heartbeat.rule.probes)) == (book().environment, "P1", 5)


def test_the_channel_of_an_incident_is_the_one_that_the_template_names() -> None:
    """P1 and P2 have a Slack channel of their own, and their first message names it."""
    assert [name for name, severity in book().severities.items() if severity.room] == ["P1", "P2"]
    room = SlackRoom(Secret("token"), "U0ANN")
    for name in ("P1", "P2"):
        record = replace(a_content().decision, severity=name, templates=book().severities[name].templates)
        report = compose(replace(a_content(), decision=record), a_draft(), NOW)
        letter = a_letter(report, channel="slack_room", step="create")
        named = json.loads(room.render(letter).body)["name"]
        assert report.fields["Channel"] == f"#{named}"


def test_the_status_page_can_be_switched_on(tmp_path: Path) -> None:
    """With the signs removed, incidents of P1 about nexus may be published, and nothing is published by itself."""
    for path in FILES:
        (tmp_path / path.name).write_text(path.read_text().replace("#> ", ""))
    found = examine_rules(str(tmp_path), str(ROOT / "runbooks")).book()
    assert found is not None
    assert [name for name, severity in found.severities.items() if severity.status_pages] == ["P1"]
    assert [name for name, service in found.services.items() if "statuspage" in service.components] == ["nexus"]
    assert not any(rule.publishes for rule in found.rules)


def test_the_catalog_is_complete() -> None:
    """Each of the five services has an owner, an impact in words, a health address and a dashboard."""
    services = book().services
    assert list(services) == ["capsule", "odyssey", "perception", "plato", "nexus"]
    for name, service in services.items():
        assert service.health == f"http://{name}:8080/actuator/health"
        assert service.owner
        assert service.impact.endswith(".")
        assert all(link.href.startswith("https://grafana.butterfly.example.com/") for link in service.dashboards)
        assert service.dashboards
    assert [contact.role for contact in book().escalation][:2] == ["On-Call Primary", "On-Call Secondary"]
    assert {link.text for link in book().urls} == {"Grafana", "Prometheus", "PagerDuty", "Status Page"}


def _sample(rule: Rule) -> dict[str, str]:
    """Labels that the rule's matchers hold for, taken from the first alternative of each regex."""
    labels = {}
    for matcher in rule.matchers:
        first = matcher.value.split("|")[0]
        labels[matcher.name] = first.replace(".*", "Xyz") if matcher.op is Op.REGEX else matcher.value
    return labels


def test_every_rule_is_reached() -> None:
    """No shipped rule is dead: each decides the alert it was written for."""
    for rule in book().rules:
        assert matching().first(_sample(rule)) is rule, rule.id


def test_every_name_in_a_rule_is_reached() -> None:
    """No alert name stands in a rule that an earlier rule keeps it from."""
    for rule in book().rules:
        sample = _sample(rule)
        for matcher in rule.matchers:
            for name in matcher.value.split("|") if matcher.name == "alertname" else ():
                labels = sample | {"alertname": name.replace(".*", "Xyz")}
                assert matching().first(labels) is rule, (rule.id, name)


@pytest.mark.parametrize("name", ["Watchdog", "InfoInhibitor", "PrometheusAlertmanagerE2eDeadManSwitch"])
def test_the_watchdog_never_notifies(name: str) -> None:
    """An alert that always fires does not page, whatever severity and service it claims."""
    rule = matching().first({"alertname": name, "severity": "critical", "service": "plato"})
    assert rule.action in {Action.HEARTBEAT, Action.DROP}
    assert not rule.channels
    assert not rule.probes


UNKNOWN = [
    ({"alertname": "NeverSeen", "severity": "critical"}, "P2"),
    ({"alertname": "NeverSeen", "severity": "warning"}, "P3"),
    ({"alertname": "NeverSeen", "severity": "info"}, "P4"),
    ({"alertname": "NeverSeen", "severity": "none"}, "P4"),
    ({"alertname": "NeverSeen", "severity": "purple"}, "P2"),
    ({"alertname": "NeverSeen"}, "P3"),
    ({"severity": "critical"}, "P2"),
    ({}, "P3"),
]


@pytest.mark.parametrize(("labels", "severity"), UNKNOWN)
def test_an_unknown_alert_falls_to_the_last_rule(labels: dict[str, str], severity: str) -> None:
    """An alert without a rule of its own is notified with its own severity."""
    assert decide(**labels) == ("unknown", severity)
    assert book().rules[-1].channels
    assert book().rules[-1].probes


WORDS = ("critical", "page", "info")

CLASSIC = [
    ({"alertname": "ServiceDown", "service": "plato", "severity": "critical"}, "service-down", "P1"),
    ({"alertname": "TargetDown", "service": "plato", "severity": "warning"}, "target-down-service", "P2"),
    ({"alertname": "TargetDown", "job": "node-exporter", "severity": "warning"}, "target-down", "P3"),
    ({"alertname": "PrometheusTargetMissing", "severity": "critical"}, "target-down", "P2"),
    ({"alertname": "HighErrorRate", "service": "plato", "severity": "critical"}, "high-error-rate", "P1"),
    ({"alertname": "HighLatency", "severity": "warning"}, "high-latency", "P3"),
    ({"alertname": "KubePodCrashLooping", "severity": "warning"}, "crash-loop", "P2"),
    ({"alertname": "KubernetesContainerOomKiller", "severity": "warning"}, "out-of-memory", "P2"),
    ({"alertname": "KubeDeploymentReplicasMismatch", "severity": "warning"}, "replicas-not-ready", "P3"),
    ({"alertname": "KubeNodeNotReady", "severity": "warning"}, "node-not-ready", "P2"),
    ({"alertname": "KubePersistentVolumeFillingUp", "severity": "critical"}, "volume-filling", "P1"),
    ({"alertname": "KubePersistentVolumeFillingUp", "severity": "warning"}, "volume-filling", "P3"),
    ({"alertname": "HikariConnectionsExhausted", "severity": "critical"}, "database-connections-exhausted", "P1"),
    ({"alertname": "HighHeapUsage", "severity": "warning"}, "high-heap", "P3"),
    ({"alertname": "CertManagerCertExpirySoon", "severity": "warning"}, "certificate-expiry", "P3"),
    ({"alertname": "SslCertificateExpiry(<7Days)", "severity": "critical"}, "certificate-expires-soon", "P2"),
    ({"alertname": "KafkaConsumerGroupLag", "severity": "warning"}, "kafka-lag", "P3"),
    ({"alertname": "KafkaTopicsReplicas", "severity": "critical"}, "kafka-trouble", "P2"),
    ({"alertname": "KubeHpaMaxedOut", "severity": "warning"}, "autoscaler-at-its-limit", "P3"),
    ({"alertname": "PrometheusRuleFailures", "severity": "critical"}, "monitoring", "P2"),
    ({"alertname": "CPUThrottlingHigh", "severity": "info"}, "throttling", "P4"),
]


@pytest.mark.parametrize(("labels", "rule", "severity"), CLASSIC)
def test_the_classic_alerts_have_their_rules(labels: dict[str, str], rule: str, severity: str) -> None:
    """The alerts that Kubernetes and Spring Boot installations really have meet the rule written for them."""
    assert decide(**labels) == (rule, severity)


def test_what_asks_to_page_pages_and_what_only_informs_wakes_nobody() -> None:
    """Every rule reads severity="page" like "critical", and severity="info" never pages by itself."""
    mapped = [rule for rule in book().rules if isinstance(rule.severity, SeverityFrom)]
    found = {
        rule.id: [severity_of(rule, replace(an_alert(), labels={"severity": word}), book())[0] for word in WORDS]
        for rule in mapped
    }
    assert len(mapped) > 20
    for name, (critical, page, info) in found.items():
        assert critical == page, name
        assert not info.pages, name


CRITICAL = ("Critical", "CRITICAL", "emergency", "fatal", "page", "sev1", "SEV-1", "high", "error", "major", "1", "2")


@pytest.mark.parametrize("folder", [ROOT, ROOT / "responder" / "presets" / "base"], ids=["own", "starter"])
def test_words_in_use_are_understood(folder: Path) -> None:
    """In the shipped rules and in those of `responder init`, no word people use for a page is quietly a ticket.

    A word that is in no map pages by the mildest severity that does, and `none` never pages.
    """
    found = load_rules(str(folder / "rules"), str(folder / "runbooks"))
    mildest = max((each for each in found.severities.values() if each.pages), key=lambda each: each.priority)
    words = (*CRITICAL, "critical", "p1", "P1", "warning", "Warning", "3", "none", "None", "ticket", "purple")
    for rule in (each for each in found.rules if isinstance(each.severity, SeverityFrom)):
        given = {word: severity_of(rule, replace(an_alert(), labels={"severity": word}), found)[0] for word in words}
        assert {given[word] for word in CRITICAL} == {given["critical"]}, rule.id
        assert given["p1"] is given["P1"] is found.severities["P1"]
        assert given["Warning"] is given["3"] is given["warning"], rule.id
        assert not given["none"].pages, rule.id
        assert not given["None"].pages, rule.id
        assert not given["ticket"].pages, rule.id
        assert given["purple"].pages, rule.id
        assert given["purple"].priority <= mildest.priority, rule.id


def test_every_rule_tells_people_what_to_do() -> None:
    """Each page of a shipped rule has a runbook section, a first step, probes and somewhere to go."""
    for rule in book().rules:
        if rule.action is not Action.NOTIFY:
            continue
        assert rule.runbook, rule.id
        assert rule.runbook.section, rule.id
        assert rule.first_step.endswith("."), rule.id
        assert rule.channels == ("pagerduty", "slack"), rule.id
        assert 2 <= len(rule.probes) <= 14, rule.id
        if isinstance(rule.severity, SeverityFrom):
            assert rule.severity.names == ("severity",)


def without_cluster(book: RuleBook) -> list[str]:
    """Return the rules that notify and do not investigate the cluster."""
    kinds = {name: probe.kind for name, probe in book.probes.items()}
    return [
        rule.id
        for rule in book.rules
        if rule.action is Action.NOTIFY and "kubernetes" not in [kinds[name] for name in rule.probes]
    ]


def test_every_rule_investigates_the_cluster() -> None:
    """Pages of each rule and severity show what the cluster says, where there is access to one."""
    assert without_cluster(book()) == []


def test_every_probe_is_used() -> None:
    """No shipped probe is dead weight."""
    used = {name for rule in book().rules for name in rule.probes}
    assert set(book().probes) == used


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_says_what_it_is_for(path: Path) -> None:
    """A reader of a rule file learns on its first line what is in it."""
    assert re.match(r"# [A-Z].+", path.read_text())
    assert max(map(len, path.read_text().splitlines())) <= 120


def test_no_shipped_probe_reads_missing_data_as_well() -> None:
    """Without kube-state-metrics, no probe reports that all nodes are ready or that no pod is pending."""
    specs = {name: probe.spec for name, probe in book().probes.items() if isinstance(probe.spec, PromqlSpec)}
    assert not [name for name, spec in specs.items() if re.search(r"or vector\(\d+\)\s*$", spec.expr)]
