"""A title says what is wrong with what: in the words of the rule, or in the alert's own."""

from dataclasses import replace
from typing import Any

import pytest

from responder.model.alert import AlertGroup
from responder.model.incident import Decision
from responder.model.rule import Rule
from responder.notify.report.content import summary
from responder.notify.report.titles import cluster, headline
from responder.triage.decide import decide
from responder.triage.rule_index import RuleIndex
from tests.support.builders import NOW, a_book, a_group, a_rule, an_alert

CRASH = a_rule(id="crash", matchers=(), symptom="is crash-looping", severity="P2")
WORDLESS = a_rule(id="any", matchers=(), symptom="", severity="P2")


def decided(rule: Rule, *alerts: tuple[dict[str, str], dict[str, str]], **group: Any) -> tuple[Decision, AlertGroup]:
    """The decision about a group of alerts, given as labels and annotations."""
    made = [
        replace(an_alert(fingerprint=f"{number:016x}"), labels=labels, annotations=notes)
        for number, (labels, notes) in enumerate(alerts)
    ]
    book = a_book(rule)
    whole = a_group(*made, common_labels={}, common_annotations={}, **group)
    return decide(whole, book, RuleIndex(book.rules), None, 1, NOW), whole


def services(*names: str) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Alerts of one name about services."""
    return [({"alertname": "PodCrashLooping", "service": name}, {}) for name in names]


GROUPS = [
    (["plato"], "plato is crash-looping"),
    (["capsule", "nexus"], "2 services crash-looping: capsule and nexus"),
    (["capsule", "nexus", "plato"], "3 services crash-looping: capsule, nexus and plato"),
    (
        ["capsule", "nexus", "plato", "odyssey", "perception"],
        "5 services crash-looping: capsule, nexus and 3 more",
    ),
]


@pytest.mark.parametrize(("names", "title"), GROUPS)
def test_a_group_counts_its_members(names: list[str], title: str) -> None:
    """One member is named, up to three are listed, more are counted."""
    assert headline(*decided(CRASH, *services(*names))) == title


def test_several_alerts_of_one_subject_are_not_counted_as_several() -> None:
    """The count is that of the subjects."""
    assert headline(*decided(CRASH, *services("plato", "plato"))) == "plato is crash-looping"


def test_a_large_group_of_one_service_names_one_subject() -> None:
    """Three hundred pods of a service are not counted as services."""
    labels = {"alertname": "PodCrashLooping", "service": "plato"}
    pods: list[tuple[dict[str, str], dict[str, str]]] = [
        ({**labels, "pod": f"plato-{each}"}, {}) for each in range(300)
    ]
    assert headline(*decided(CRASH, *pods)) == "plato is crash-looping"


def test_a_large_group_counts_all_its_alerts() -> None:
    """Beyond the subjects that are read, each alert counts as one more."""
    found = decided(CRASH, *services(*(f"service-{each}" for each in range(250))))
    assert headline(*found) == "250 services crash-looping: service-0, service-1 and 248 more"


PLURALS = [
    ("is down", "2 services down: capsule and nexus"),
    ("has lost its database", "2 services have lost its database: capsule and nexus"),
    ("volume is filling up", "2 volumes filling up: capsule and nexus"),
    ("lags behind its topic", "2 services lag behind its topic: capsule and nexus"),
    ("cannot scale out further", "2 services cannot scale out further: capsule and nexus"),
    ("out of memory", "out of memory (2): capsule and nexus"),
]


@pytest.mark.parametrize(("symptom", "title"), PLURALS)
def test_the_plural_is_made_from_the_symptom(symptom: str, title: str) -> None:
    """Symptoms are predicates in the singular; words that are none come before the count."""
    rule = a_rule(matchers=(), symptom=symptom, severity="P2")
    assert headline(*decided(rule, *services("capsule", "nexus"))) == title


def test_of_several_alert_names_the_worst_leads() -> None:
    """Of equal severities the alert whose own label is worse leads; the others are named."""
    found = decided(
        WORDLESS,
        ({"alertname": "KubePodCrashLooping", "pod": "checkout-api-6d8f9c7b5d-x2k4q", "severity": "warning"}, {}),
        (
            {"alertname": "CheckoutErrors", "deployment": "checkout-api", "severity": "critical"},
            {"summary": "5xx at 31 %"},
        ),
    )
    assert headline(*found) == "checkout-api: checkout errors: 5xx at 31 %; also KubePodCrashLooping"


@pytest.mark.parametrize(
    ("better", "worse"),
    [("sev2", "sev1"), ("P2", "P1"), ("high", "critical"), ("purple", "crit"), ("error", "Critical"), ("info", "low")],
)
def test_words_for_the_same_severity_have_an_order(better: str, worse: str) -> None:
    """Of alerts with one severity the one whose own word is worse leads, whatever its spelling."""
    said = headline(
        *decided(
            WORDLESS,
            ({"alertname": "Slow", "app": "shop", "severity": better}, {}),
            ({"alertname": "Down", "app": "shop", "severity": worse}, {}),
        )
    )
    assert said == "shop: down; also Slow"


OWN_WORDS = [
    (
        {"alertname": "MySQLDown", "instance": "orders-mysql-0:9104"},
        "MySQL not up.",
        "orders-mysql-0: MySQL not up",
    ),
    (
        {"alertname": "ArgoCdAppOutOfSync", "deployment": "payments-api"},
        "An ArgoCD Application is Out Of Sync.",
        "payments-api: An ArgoCD Application is Out Of Sync",
    ),
    (
        {"alertname": "KubePersistentVolumeFillingUp", "persistentvolumeclaim": "data-orders-postgres-0"},
        "PersistentVolume is filling up.",
        "data-orders-postgres-0: PersistentVolume is filling up",
    ),
    (
        {"alertname": "KubeAPIDown", "job": "kube-apiserver"},
        "Target disappeared from Prometheus target discovery.",
        "kube-apiserver: kube API down: Target disappeared from Prometheus target discovery",
    ),
    (
        {"alertname": "HostOutOfMemory", "nodename": "web-1"},
        "Host out of memory (instance 10.0.3.14:9100)",
        "web-1: Host out of memory",
    ),
    ({"alertname": "DiskFull", "node": "worker-3"}, "Disk full on worker-3", "Disk full on worker-3"),
    (
        {"alertname": "CertManagerCertNotReady", "job_name": "shop-tls"},
        "Certificate shop-tls is not ready",
        "Certificate shop-tls is not ready",
    ),
    (
        {"alertname": "InterfaceDown", "job": "snmp", "instance": "core-sw-1", "ifName": "ge-0/0/1"},
        "Interface ge-0/0/1 down on core-sw-1",
        "Interface ge-0/0/1 down on core-sw-1",
    ),
    ({"alertname": "QueryError", "app": "orders"}, "orders: it failed", "orders: it failed"),
    ({"instance": "db-1"}, "replication is 40 minutes behind", "db-1: replication is 40 minutes behind"),
    ({"alertname": "LagHigh", "service": "plato"}, "", "plato: lag high"),
]


@pytest.mark.parametrize(("labels", "summary", "title"), OWN_WORDS)
def test_without_a_symptom_the_alert_speaks_for_itself(labels: dict[str, str], summary: str, title: str) -> None:
    """The alert's name and summary are in the title, without saying the same twice."""
    assert headline(*decided(WORDLESS, (labels, {"summary": summary} if summary else {}))) == title


def test_an_alert_without_a_name_is_described_by_its_description() -> None:
    """The description stands in the title only where neither a name nor a summary says what is wrong."""
    notes = {"description": "Queue SALES has 90000 messages."}
    assert headline(*decided(WORDLESS, ({"instance": "mq-1"}, notes))) == "mq-1: Queue SALES has 90000 messages"
    assert headline(*decided(WORDLESS, ({"alertname": "QueueDeep", "instance": "mq-1"}, notes))) == "mq-1: queue deep"


def test_the_cluster_is_that_of_the_alert() -> None:
    """The cluster is in the title unless it is the subject."""
    labels = {"alertname": "MySQLDown", "instance": "orders-mysql-0:9104"}
    assert cluster(*decided(WORDLESS, ({**labels, "cluster": "prod-eu-1"}, {}))) == "prod-eu-1"
    assert cluster(*decided(WORDLESS, ({**labels, "k8s.cluster.name": "prod-us-1"}, {}))) == "prod-us-1"
    assert cluster(*decided(WORDLESS, ({**labels, "kubernetes_cluster": "gke-prod-2"}, {}))) == "gke-prod-2"
    assert cluster(*decided(WORDLESS, ({"alertname": "KubeCPUOvercommit", "cluster": "prod-eu-1"}, {}))) == ""


def test_a_group_of_several_clusters_names_them() -> None:
    """A title does not name the cluster of one alert for the alerts of all; more than two clusters are counted."""
    none = dict[str, str]()
    eu, us, ap = (
        ({"alertname": "MySQLDown", "instance": f"db-{each}", "cluster": each}, none) for each in ("eu", "us", "ap")
    )
    assert cluster(*decided(WORDLESS, eu, us)) == "eu, us"
    assert cluster(*decided(WORDLESS, eu, us, ap)) == "3 clusters"


def test_the_worst_three_members_are_probed() -> None:
    """The subjects that are probed are the incident's and the two next worst."""
    alerts = services("capsule", "nexus", "plato", "odyssey")
    alerts[3][0]["severity"] = "critical"
    found, _ = decided(CRASH, *alerts)
    assert [each.name for each in found.probed] == ["odyssey", "capsule", "nexus"]


def test_the_labels_at_the_end_of_a_description_are_left_out() -> None:
    """awesome-prometheus-alerts ends each with the value and all labels, which the page has already."""
    ending = "\n  VALUE = 42\n  LABELS = map[queue:q instance:a]"
    notes = {"summary": "Queue full (instance a)", "description": f"A queue grows.{ending}"}
    assert summary(*decided(WORDLESS, ({"alertname": "QueueFull", "queue": "q"}, notes))) == "A queue grows (value 42)"
