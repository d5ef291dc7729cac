"""The subject of an alert: the label that names a service of the catalog, and why other labels were rejected."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from responder.model.alert import Labels
from responder.model.decision import Subject
from responder.model.rule import RuleBook, SubjectFrom

_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# Pod names end in a ReplicaSet hash and five characters (Deployment), five (DaemonSet), or a number (StatefulSet).
_POD_TAILS = (
    re.compile(r"-[0-9]+\Z"),
    re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"),
    re.compile(r"-[a-z0-9]{5,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"),
)
_NOTHING: Final = "(?!)"
_SHORT: Final = 128
#: Labels that name the scraped target and not the subject on series of kube-state-metrics.
_SCRAPER: Final = frozenset({"service", "instance", "endpoint", "job"})
#: Labels that Prometheus renames to ``exported_...`` where a target's own would overwrite them.
_MIRRORS: Final = ("service", "pod", "container", "job", "instance", "endpoint")
#: Resource attributes of OpenTelemetry (semantic conventions) and the labels of Prometheus that mean the same.
_ATTRIBUTES: Final = {
    "service.name": "service",
    "host.name": "node",
    "k8s.namespace.name": "namespace",
    "k8s.deployment.name": "deployment",
    "k8s.statefulset.name": "statefulset",
    "k8s.daemonset.name": "daemonset",
    "k8s.node.name": "node",
    "k8s.pod.name": "pod",
    "k8s.container.name": "container",
}


def subject(alert_labels: Labels, book: RuleBook, wanted: SubjectFrom | None = None) -> Subject:
    """Return the subject of an alert.

    If the rule says which label names it (``wanted``) and the alert has that label, that label decides. Otherwise
    labels are tried in the order of ``_CANDIDATES``: the first that names a service of the catalog, or else the first
    that is not rejected, gives the name. ``service`` is always a name of the catalog, never a label's value.
    ``values`` are the labels without those that name an exporter.
    """
    labels = {name: value for name, value in alert_labels.items() if isinstance(name, str) and isinstance(value, str)}
    for attribute, name in _ATTRIBUTES.items():  # Prometheus writes them with dots, or with underscores
        if value := labels.get(attribute) or labels.get(attribute.replace(".", "_")):
            labels.setdefault(name, value)
    namespace = _namespace(labels, book)
    rejected = dict(_rejections(labels, book))
    left = [(way, labels[way.label]) for way in _CANDIDATES if labels.get(way.label) and way.label not in rejected]
    values = _values(labels, namespace, rejected)
    why_not = tuple(f"{label}: {why}" for label, why in rejected.items())
    if wanted is not None and (named := labels.get(wanted.label)):
        service, why = _by_rule(wanted, named, book)
        values.pop("service", None)
        values |= {wanted.label: named} | ({"service": service} if service else {})
        name = service or named
        return Subject(service=service, namespace=namespace, name=name, values=values, why=why, rejected=why_not)
    for way, value in left:
        if found := next((name for name in way.names(value, book) if name in book.services), None):
            values["service"] = found
            why = f'label {way.label}="{value}" names {found}'
            return Subject(service=found, namespace=namespace, name=found, values=values, why=why, rejected=why_not)
    values.pop("service", None)
    name, why = _unknown(left, labels)
    return Subject(service=None, namespace=namespace, name=name, values=values, why=why, rejected=why_not)


@dataclass(frozen=True, slots=True)
class _SubjectSource:
    """A label that may name the subject, and the names that its value may stand for, best first."""

    label: str
    names: Callable[[str, RuleBook], Iterator[str]]


def _plain(value: str, _book: RuleBook) -> Iterator[str]:
    yield value
    yield value.rpartition("/")[2]


def _pod(value: str, _book: RuleBook) -> Iterator[str]:
    yield value
    for tail in _POD_TAILS:
        yield tail.sub("", value)


def _part(value: str, book: RuleBook) -> Iterator[str]:
    """Yield the only service that is a dash-separated part of the value: plato-data, data-plato-0, plato-tls."""
    yield value
    found = [name for name in book.services if f"-{name}-" in f"-{value}-"]
    if len(found) == 1:
        yield found[0]


def _address(value: str, book: RuleBook) -> Iterator[str]:
    """Yield the services whose health address or cluster name is the host of the value."""
    try:
        host = urlsplit(value if "//" in value else f"//{value}").hostname or ""
    except ValueError:
        return
    for name, service in book.services.items():
        cluster = (name, f"{name}.{service.namespace}", f"{name}.{service.namespace}.svc")
        if host in cluster or host == f"{cluster[2]}.cluster.local" or host == urlsplit(service.health).hostname:
            yield name


_CANDIDATES: Final = (
    _SubjectSource("exported_service", _plain),
    _SubjectSource("exported_pod", _pod),
    _SubjectSource("service", _plain),
    _SubjectSource("app", _plain),
    _SubjectSource("app_kubernetes_io_name", _plain),
    _SubjectSource("application", _plain),
    _SubjectSource("deployment", _plain),
    _SubjectSource("statefulset", _plain),
    _SubjectSource("daemonset", _plain),
    _SubjectSource("workload", _plain),
    _SubjectSource("horizontalpodautoscaler", _part),
    _SubjectSource("persistentvolumeclaim", _part),
    _SubjectSource("consumergroup", _part),
    _SubjectSource("node", _plain),
    _SubjectSource("pod", _pod),
    _SubjectSource("container", _plain),
    _SubjectSource("name", _part),
    _SubjectSource("job_name", _part),
    _SubjectSource("job", _plain),
    _SubjectSource("instance", _address),
)


def _by_rule(wanted: SubjectFrom, value: str, book: RuleBook) -> tuple[str | None, str]:
    """Return the service that the label chosen by the rule stands for, and the reason."""
    said = f'label {wanted.label}="{value}" (set by the rule)'
    if value in wanted.mapping:
        return wanted.mapping[value], f"{said} stands for {wanted.mapping[value]}"
    for names in (_plain, _pod, _part, _address):
        if found := next((name for name in names(value, book) if name in book.services), None):
            return found, f"{said} names {found}"
    return None, f"{said} is not in the catalog"


def _rejections(labels: Mapping[str, str], book: RuleBook) -> Iterator[tuple[str, str]]:
    """Yield the labels that name an exporter or the scraped target, with the reason."""
    scraped = labels.get("job", "").endswith("kube-state-metrics")
    for way in _CANDIDATES:
        value = labels.get(way.label, "")
        if not value:
            continue
        if way.label in _MIRRORS and labels.get(f"exported_{way.label}"):
            yield way.label, f"exported_{way.label} has the value of the series"
        elif _is_exporter(value, book):
            yield way.label, f'"{value}" is an exporter'
        elif scraped and way.label in _SCRAPER:
            yield way.label, "the job is kube-state-metrics, which exports other objects"


def _is_exporter(value: str, book: RuleBook) -> bool:
    """Return True if the value names an exporter. Short values are cached, since they repeat."""
    judge = _names_one if len(value) <= _SHORT else _names_one.__wrapped__
    return judge(value, tuple(book.exporters))


@lru_cache(maxsize=4096)
def _names_one(value: str, exporters: tuple[str, ...]) -> bool:
    wanted = _any_of(exporters)
    return any(wanted.match(name.rpartition("/")[2]) for name in (value, *(tail.sub("", value) for tail in _POD_TAILS)))


@lru_cache(maxsize=4)
def _any_of(wildcards: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, wildcards)) or _NOTHING)


def _namespace(labels: Mapping[str, str], book: RuleBook) -> str:
    for label in ("exported_namespace", "namespace"):
        if _DNS_LABEL.fullmatch(value := labels.get(label, "")):
            return value
    return book.namespace


def _values(labels: Mapping[str, str], namespace: str, rejected: Mapping[str, str]) -> dict[str, str]:
    """Return the labels for probes: exported labels under their own names, without those that name an exporter."""
    values = {name: value for name, value in labels.items() if name not in rejected}
    for name in _MIRRORS:
        if value := labels.get(f"exported_{name}"):
            values[name] = value
    return {**values, "namespace": namespace}


def _unknown(left: list[tuple[_SubjectSource, str]], labels: Mapping[str, str]) -> tuple[str, str]:
    if left:
        way, value = left[0]
        return value, f'label {way.label}="{value}" is not in the catalog'
    if name := labels.get("alertname"):
        return name, "no label names the subject"
    return "unknown subject", "the alert has no label that names the subject"
