"""An alert is about the service its labels really name, and never about the exporter that reported it."""

from __future__ import annotations

import pytest

from responder.triage.subject import subject
from tests.support.builders import a_book

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
    ({"persistentvolumeclaim": "data-plato-0", "job": "kubelet"}, "plato"),
    ({"horizontalpodautoscaler": "plato"}, "plato"),
    ({"consumergroup": "perception-orders", "job": "kafka-exporter", "instance": "10.0.0.1:9308"}, "perception"),
    ({"name": "nexus-tls", "exported_namespace": "butterfly"}, "nexus"),
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
    ({"instance": "plato.evil.example:8080"}, "plato.evil.example:8080"),
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
def test_a_namespace_that_is_none_is_the_platforms(namespace: str) -> None:
    """An impossible namespace is never probed."""
    assert subject({"namespace": namespace}, BOOK).namespace == BOOK.namespace


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
