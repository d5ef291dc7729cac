"""An alert is about the service its labels really name, and never about the exporter that reported it."""

from __future__ import annotations

import pytest

from responder.triage.subject import subject
from tests.support.builders import a_book, a_service

BOOK = a_book(exporters=("kube-state-metrics*", "node-exporter*", "prometheus*", "blackbox*", "kafka-exporter*"))

FOUND = [
    ({"service": "plato"}, "plato"),
    ({"exported_service": "nexus", "service": "plato"}, "nexus"),
    ({"app": "capsule", "pod": "plato-0"}, "capsule"),
    ({"application": "odyssey"}, "odyssey"),
    ({"deployment": "nexus", "pod": "kube-state-metrics-5f6d7c8b9d-x2x4z", "job": "kube-state-metrics"}, "nexus"),
    ({"job": "kube-state-metrics", "service": "kube-state-metrics", "pod": "plato-7d9f8b6c5d-x2x4z"}, "plato"),
    ({"job": "monitoring/kube-state-metrics", "pod": "kube-state-metrics-0", "exported_pod": "plato-0"}, "plato"),
    ({"pod": "plato-7d9f8b6c5d-x2x4z"}, "plato"),
    ({"pod": "plato-12"}, "plato"),
    ({"pod": "plato-x2x4z"}, "plato"),
    ({"horizontalpodautoscaler": "plato"}, "plato"),
    ({"service.name": "plato", "host.name": "db-1", "k8s.namespace.name": "butterfly"}, "plato"),
    ({"service_name": "plato", "service": "otel-collector", "job": "otel-collector"}, "plato"),
    ({"job": "butterfly/plato"}, "plato"),
    ({"instance": "http://plato:8080/actuator/health", "job": "blackbox"}, "plato"),
    ({"instance": "plato.butterfly.svc.cluster.local:8080"}, "plato"),
    ({"node": "worker-1", "pod": "nexus-7d9f8b6c5d-x2x4z"}, "nexus"),
]


@pytest.mark.parametrize(("labels", "expected"), FOUND)
def test_the_service_is_found(labels: dict[str, str], expected: str) -> None:
    """The page is about the service, whichever label names it."""
    found = subject(labels, BOOK)
    assert found.service == found.name == found.values["service"] == expected
    assert expected in found.why


NOT_FOUND = [
    ({"node": "worker-1", "instance": "10.0.0.1:9100", "job": "node-exporter"}, "worker-1"),
    ({"pod": "plato-worker-0"}, "plato-worker-0"),
    ({"instance": "plato.evil.example:8080"}, "plato.evil.example"),
    ({"persistentvolumeclaim": "data-plato-0"}, "data-plato-0"),
    ({"consumergroup": "perception-orders"}, "perception-orders"),
    ({"name": "plato-api", "project": "plato"}, "plato-api"),
    ({"horizontalpodautoscaler": "plato-workers"}, "plato-workers"),
    ({"instance": "http://[::1"}, "http://[::1"),
    ({"persistentvolumeclaim": "plato-nexus-shared"}, "plato-nexus-shared"),
    ({"service": "plato$(id)<!channel>"}, "plato$(id)<!channel>"),
    ({"service": "../../plato/.."}, "../../plato/.."),
    ({"alertname": "NeverSeen", "job": "kube-state-metrics"}, "NeverSeen"),
    ({}, "unknown subject"),
]


@pytest.mark.parametrize(("labels", "name"), NOT_FOUND)
def test_what_is_not_in_the_catalog_is_not_made_a_service(labels: dict[str, str], name: str) -> None:
    """A label can only select a service of the catalog; its value never becomes a target."""
    found = subject(labels, BOOK)
    assert found.service is None
    assert found.name == name
    assert "service" not in found.values
    assert found.why


def test_the_explanation_says_what_was_rejected() -> None:
    """The reason says why the exporter's own labels were skipped."""
    labels = {"service": "kube-state-metrics", "pod": "kube-state-metrics-0", "job": "kube-state-metrics"}
    found = subject({**labels, "deployment": "nexus", "instance": "10.0.0.1:8080"}, BOOK)
    assert [line.partition(":")[0] for line in found.rejected] == ["service", "pod", "job", "instance"]
    assert "exporter" in found.rejected[0]
    assert not set(found.values) & {"pod", "job", "instance"}


def test_probes_get_the_labels_of_the_series_itself() -> None:
    """Probes use the pod of the alert, not the pod of the exporter."""
    found = subject({"exported_pod": "plato-0", "pod": "ksm-0", "exported_namespace": "b", "namespace": "m"}, BOOK)
    assert found.values["pod"] == "plato-0"
    assert found.namespace == found.values["namespace"] == "b"


@pytest.mark.parametrize("namespace", ["", "Butterfly", 'b"} or vector(1) #', "a/b", "x" * 64, "butterfly\n"])
def test_a_missing_or_impossible_namespace_stays_missing(namespace: str) -> None:
    """No namespace is invented, and an impossible one is never probed."""
    found = subject({"namespace": namespace, "job": "cron"}, BOOK)
    assert found.namespace == ""
    assert "namespace" not in found.values


def test_a_service_of_the_catalog_brings_its_namespace() -> None:
    """The catalog says where a service runs if the alert does not."""
    assert subject({"service": "plato"}, BOOK).namespace == "butterfly"


ENTRIES = {
    "orders-db": a_service("orders-db", health="", namespace="", aliases=("orders-db-1.acme.example", "pg-orders")),
    "web servers": a_service("web servers", health="", namespace="", patterns=("web-*",)),
    "plato": a_service("plato", patterns=("data-plato-*",)),
}

IN_CATALOG = [
    ({"instance": "orders-db-1.acme.example:9187", "job": "postgres"}, "orders-db", "orders-db"),
    ({"server": "pg-orders:5432", "job": "postgres-exporter"}, "orders-db", "orders-db"),
    ({"instance": "web-3:9100", "job": "node"}, "web servers", "web-3"),
    ({"persistentvolumeclaim": "data-plato-0", "namespace": "butterfly"}, "plato", "data-plato-0"),
    ({"queue": "mailers", "service": "plato"}, "plato", "mailers"),
    ({"name": "backup", "namespace": "plato"}, None, "backup"),
    ({"queue": "mailers", "instance": "web-3:9100"}, None, "mailers"),
]


@pytest.mark.parametrize(("labels", "entry", "name"), IN_CATALOG)
def test_entries_have_aliases_and_patterns(labels: dict[str, str], entry: str | None, name: str) -> None:
    """A host, database or volume is a catalog entry by name, alias or pattern; a pattern leaves the part its name."""
    found = subject(labels, a_book(services=ENTRIES))
    assert (found.service, found.name) == (entry, name)
    assert found.title == (f"{name} ({entry})" if entry and name != entry else name)


def test_the_title_names_the_part_of_a_host() -> None:
    """The mount point comes before the host, and its catalog entry after it."""
    labels = {"instance": "web-3:9100", "job": "node", "mountpoint": "/var"}
    assert subject(labels, a_book(services=ENTRIES)).title == "/var on web-3 (web servers)"


def test_labels_of_the_rule_files_come_first() -> None:
    """An installation can name the labels that say what its alerts are about."""
    labels = {"tenant": "acme", "persistentvolumeclaim": "data-0", "service": "plato"}
    assert subject(labels, a_book(subject_labels=("shard", "tenant"))).name == "acme"


EXPORTERS = [
    "kps-kube-prometheus-node-exporter",
    "prometheus-postgres-exporter",
    "node_exporter",
    "kube-state-metrics",
    "kps-kube-state-metrics-5f6d7c8b9d-x2x4z",
    "blackbox_exporter",
    "kps-kubelet",
    "integrations/node_exporter",
    "opentelemetry-collector",
    "orders-redis-metrics",
]


@pytest.mark.parametrize("value", EXPORTERS)
@pytest.mark.parametrize("label", ["service", "job"])
def test_an_exporter_is_never_the_subject(label: str, value: str) -> None:
    """Exporters and scrape Services are known by pattern, with - or _, also inside the names of Helm releases."""
    found = subject({"alertname": "Down", label: value}, BOOK)
    assert found.name == "Down"
    assert label not in found.values


@pytest.mark.parametrize("value", ["payments-node", "metrics-api", "node-service", "kubernetes-dashboard", "processor"])
def test_an_application_is_no_exporter(value: str) -> None:
    """A name that only resembles that of an exporter is a subject."""
    assert subject({"service": value}, BOOK).name == value


WORKLOADS = [
    ({"pod": "cart-5b8c7d9f6d-q7w8z", "namespace": "shop"}, "cart"),
    ({"pod": "agent-q7w8z", "namespace": "shop"}, "agent"),
    ({"pod": "orders-postgres-0", "namespace": "data"}, "orders-postgres"),
    ({"pod": "bare", "namespace": "shop"}, "bare"),
    ({"deployment": "cart", "namespace": "shop"}, "cart"),
    ({"service": "plato"}, "plato"),
    ({"node": "worker-1"}, None),
]


@pytest.mark.parametrize(("labels", "workload"), WORKLOADS)
def test_probes_get_the_workload(labels: dict[str, str], workload: str | None) -> None:
    """Probes of pods run for every workload, whether the catalog has it or not."""
    assert subject(labels, BOOK).values.get("workload") == workload


@pytest.mark.parametrize("separator", [".", "_"], ids=["UTF-8 names", "translated names"])
def test_attributes_of_opentelemetry_name_the_subject(separator: str) -> None:
    """``service.name`` and ``k8s.namespace.name`` mean what ``service`` and ``namespace`` do, for probes too."""
    labels = {"alertname": "HostDown", "host.name": "db-1", "service.name": "plato", "k8s.namespace.name": "shop"}
    found = subject({name.replace(".", separator): value for name, value in labels.items()}, BOOK)
    assert (found.service, found.name, found.namespace) == ("plato", "plato", "shop")
    assert (found.values["service"], found.values["node"]) == ("plato", "db-1")


def test_labels_of_prometheus_win_over_attributes_of_opentelemetry() -> None:
    """Labels of the series itself decide if both name a subject."""
    assert subject({"service": "plato", "service.name": "nexus"}, BOOK).service == "plato"
