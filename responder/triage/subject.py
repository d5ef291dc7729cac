"""The subject of an alert: the label that names the broken thing, and why other labels were rejected."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from responder.model.alert import Labels
from responder.model.incident import Subject
from responder.model.rule import Rule, RuleBook, SubjectFrom
from responder.triage.subject_labels import (
    ADDRESSES,
    CLUSTER_SCOPED,
    CLUSTERS,
    EXPORTERS,
    HONORED,
    HOST_VALUES,
    HOSTS,
    LAST,
    NAMESPACE_OF,
    OF_HOSTS,
    OF_PRODUCTS,
    OF_SLOS,
    PART_OF_PROXIES,
    PARTS_OF_DATABASES,
    PARTS_OF_HOSTS,
    PRODUCTS,
    PROXIES,
    READ,
    SERVICES,
    SLO_SERVICES,
    SLOS,
    TARGET,
    THINGS,
    TWINS,
)

_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ORDINAL = re.compile(r"-[0-9]+\Z")
# Pod names end in a ReplicaSet hash and five characters (Deployment), five (DaemonSet), or a number (StatefulSet).
_POD_TAILS = (
    re.compile(r"-[a-z0-9]{5,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"),
    re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"),
    _ORDINAL,
)
_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*|localhost")
_JMX = re.compile(r"[\w.]+(?::[^:]*){2,}")
#: A Service by its name in the cluster: name and namespace.
_SERVICE = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?")
#: A state, as of Ceph's health checks: OSD_DOWN.
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_DRIVE = re.compile(r"[A-Za-z]:|HarddiskVolume\d+")
#: A target group or a load balancer of AWS, and an object of a BIG-IP: the name inside its path.
_PATH = re.compile(r"(?:app|net|gwy|targetgroup)/([\w-]+)/[0-9a-f]{16,17}|/Common/([\w.-]+)")
_NOTHING: Final = "(?!)"
#: Characters of a value in which a subject is looked for.
_LONGEST: Final = 256
#: Addresses that may be other words.
_TARGETS: Final = frozenset(ADDRESSES) - {"server", "instance"}
#: Alerts of a group whose subjects are read, at most: those that differ.
MOST_SUBJECTS: Final = 200
#: Labels that differ between the replicas of one service.
_OF_ONE_POD: Final = frozenset({"pod", "instance"})
#: Labels whose values are compared with the patterns of exporters.
_SCRAPED: Final = (*SERVICES, "pod", "container", "job")
#: Labels that name what runs: its catalog entry is given where the subject has none.
_RUNS: Final = (*SERVICES, "pod", "deployment", "statefulset", "daemonset", "workload", "job")
#: Labels that name a workload, whose pods begin with its name.
_WORKLOADS: Final = ("deployment", "statefulset", "daemonset", "rollout", "workload", "horizontalpodautoscaler")


def subject(alert_labels: Labels, book: RuleBook, wanted: Sequence[SubjectFrom] = ()) -> Subject:
    """Return the subject of an alert.

    The first of the rule's labels (``wanted``) that the alert has decides. Otherwise it is the first label in the order
    of ``subject_labels`` of the rule files and of ``subject_labels.py`` that is not rejected. ``service`` is always a
    name of the catalog, never a label's value: that of this label, or of the first other that names one. ``values`` are
    the labels for probes, without those that name an exporter.
    """
    series = _read(alert_labels, book)
    labels = series.labels
    order = [label for label in _order(series, book) if labels.get(label) and label not in series.rejected]
    label = next((label for label in order if _value_is_name(label, series)), "")
    chosen = next((each for each in wanted if labels.get(each.label)), None)
    label, mapping, by_rule = (chosen.label, chosen.mapping, True) if chosen else (label, {}, False)
    value = labels.get(label, "")
    ways = (label, "pod", "instance") if by_rule else (label,)
    service = mapping.get(value) or next(filter(None, (_entry(way, value, book) for way in ways)), "")
    named = value in mapping or label == "pod" or any(_by_name(way, value, book) for way in ways)
    near = (_entry(each, labels[each], book) for each in order if each in _RUNS)
    neighbour = "" if service or by_rule else next(filter(None, near), "")
    name = (named and service) or _shown(label, value) or labels.get("alertname") or "unknown subject"
    namespace = _namespace(label, series) if label else _valid(labels.get("namespace", ""))
    found = service or neighbour
    if not namespace and found:
        namespace = book.services[found].namespace
    source = series.own.get(label, label)
    return Subject(
        service=found or None,
        namespace=namespace,
        name=name,
        values=_values(series, label, value, found, namespace),
        why=_why(source, value, service or "", neighbour, by_rule=by_rule, mapped=value in mapping),
        rejected=tuple(f"{each}: {why}" for each, why in series.rejected.items()),
        part=_part(label, series),
        label=label,
    )


def other_subjects(
    about: Subject, ranked: Sequence[Labels], rule: Rule, book: RuleBook
) -> tuple[tuple[Subject, ...], int]:
    """Return the other subjects of alerts that a rule matched, in their order, and how many alerts were not looked at.

    Alerts with the same labels have one subject, without those that no subject is read from. Their pods and addresses
    may differ where another label names it. ``about`` is the subject of the first alert.
    """
    if len(ranked) == 1:
        return (), 0
    read = READ | {*book.subject_labels, *(each.label for each in rule.subject)}
    names = tuple(read.intersection(chain.from_iterable(ranked)) - _OF_ONE_POD)
    values = [tuple(map(labels.get, names)) for labels in ranked]
    found = {about.title: about}
    known = set() if about.label in _OF_ONE_POD else {values[0]}
    looked = uncounted = 0
    for labels, own in zip(ranked[1:], values[1:], strict=True):
        if own in known:
            continue
        if looked == MOST_SUBJECTS:
            uncounted += 1
            continue
        looked += 1
        one = subject(labels, book, rule.subject)
        found.setdefault(one.title, one)
        if one.label not in _OF_ONE_POD:
            known.add(own)
    return tuple(found.values())[1:], uncounted


@dataclass(frozen=True, slots=True)
class _Series:
    """The labels of an alert by their Prometheus names. ``own`` names the original label of each that was renamed.

    ``of_host`` is True if the exporter of a host reports them, ``honored`` if namespace and pod are the object's.
    ``of_product`` are the labels that name a thing of the product that reports them.
    """

    labels: Mapping[str, str]
    own: Mapping[str, str]
    rejected: Mapping[str, str]
    of_host: bool
    honored: bool
    of_product: tuple[str, ...]


def _read(alert_labels: Labels, book: RuleBook) -> _Series:
    given = {name: value for name, value in alert_labels.items() if isinstance(name, str) and isinstance(value, str)}
    own: dict[str, str] = {}
    for name, twin in TWINS.items():
        plain = given.get(twin, "")
        if twin != "namespace" and plain and not _is_one(plain, (*EXPORTERS, *book.exporters)):
            continue
        spelling = next((each for each in (name, name.replace(".", "_")) if given.get(each)), "")
        if spelling and not (twin == "service" and _is_one(given[spelling], EXPORTERS)):
            own[twin] = spelling
    own |= {name[9:]: name for name, value in given.items() if value and name[:9] == "exported_"}
    labels = {**given, **{name: given[source] for name, source in own.items()}}
    scrapers = [labels[name] for name in ("job", "service") if labels.get(name)]
    of_host = any(_is_one(value, OF_HOSTS) for value in scrapers)
    honored = any(_is_one(value, HONORED) for value in scrapers)
    rejected = dict(_rejections(labels, given, own, book, of_host=of_host, honored=honored))
    about = [labels[name] for name in ("job", "alertname") if labels.get(name)]
    of_product = tuple(chain.from_iterable(_product_labels(value) for value in about))
    return _Series(labels, own, rejected, of_host, honored, of_product)


@lru_cache(maxsize=8192)
def _product_labels(value: str) -> tuple[str, ...]:
    """Return the labels that name a thing of a product, by a job or the name of an alert."""
    named = (labels for pattern, labels in OF_PRODUCTS.items() if _is_one(value, (pattern,)))
    return tuple(chain.from_iterable(named))


def _rejections(
    labels: Mapping[str, str],
    given: Mapping[str, str],
    own: Mapping[str, str],
    book: RuleBook,
    *,
    of_host: bool,
    honored: bool,
) -> Iterator[tuple[str, str]]:
    """Yield the labels that name an exporter or the scraped target, with the reason."""
    foreign = next((source for name, source in own.items() if source[:9] == "exported_" or given.get(name)), "")
    objects = "kube-state-metrics" in f"{labels.get('job', '')} {labels.get('service', '')}".replace("_", "-")
    patterns = (*EXPORTERS, *book.exporters)
    exporter_pod = False
    for label in _SCRAPED:
        value = labels.get(label, "")
        if not value or label in own:
            continue
        if given.get(f"exported_{label}") or (foreign and label in TARGET):
            yield label, f"{foreign} has the value of the series"
        elif value in book.services_by_name:
            continue
        elif _is_one(value, HONORED[:1] if honored and label in ("pod", "container") else patterns):
            exporter_pod |= label == "pod"
            yield label, f'"{value}" is an exporter'
        elif label == "container" and exporter_pod:
            yield label, "it is a container of the exporter"
        elif objects and label in SERVICES:
            yield label, "the job is kube-state-metrics, which exports other objects"
    instance = labels.get("instance", "")
    host, port = _split(instance)
    if instance and "instance" not in own and not of_host:
        if objects:
            yield "instance", "the job is kube-state-metrics, which exports other objects"
        elif (foreign or exporter_pod) and port and _IP.fullmatch(host):
            yield "instance", "it is the address of the exporter"
    job = labels.get("job", "")
    if host and not labels.get("pod") and job not in book.services_by_name and _is_one(job, PRODUCTS):
        yield "job", "it is the name of a product"


def _order(series: _Series, book: RuleBook) -> Iterator[str]:
    """Yield the labels that may name the subject, best first."""
    labels, rejected = series.labels, series.rejected
    pod = "" if "pod" in rejected else labels.get("pod", "")
    yield from book.subject_labels
    yield from series.of_product
    yield from THINGS
    if objective := next((each for each in SLOS if labels.get(each)), ""):
        yield from (each for each in SERVICES if labels.get(each) and not _is_one(labels[each], OF_SLOS))
        yield objective
    if _ORDINAL.search(pod) and not any(labels.get(each) in book.services_by_name for each in SERVICES):
        yield "pod"
    yield from CLUSTERS
    if not pod and "service" not in series.own:
        yield from HOSTS
    yield from (*SERVICES, "type")
    yield "pod"
    yield from HOSTS
    yield from (
        "container",
        "name",
        *(label for label in ("job", "cluster") if series.own.get(label, "")[:9] == "exported_"),
    )
    hosts = [label for label in ADDRESSES if labels.get(label) and not _IP.fullmatch(_host(labels[label]))]
    if "://" in labels.get("instance", ""):
        yield "instance"  # of a probe; a target beside it is its name
    yield from (*hosts, "job", *ADDRESSES, *LAST)


def _value_is_name(label: str, series: _Series) -> bool:
    """True if the value of a label is a name, and not one that only looks like it."""
    value = series.labels[label]
    if label in series.of_product:
        return True
    if label in HOSTS:
        return not _IP.fullmatch(value)
    if label in _TARGETS:
        return not {".", ":"}.isdisjoint(value)
    if label == "type":  # GitLab's services, which have components
        return bool(series.labels.get("component"))
    if label == "name":
        return not series.of_host and not _JMX.fullmatch(value) and not _CONSTANT.fullmatch(value)
    return label != "volume" or not (value.isdecimal() or _DRIVE.fullmatch(value))


def _entry(label: str, value: str, book: RuleBook) -> str:
    """Return the entry of the catalog that a label's value stands for: its name, an alias or a pattern."""
    exact = _by_name(label, value, book)
    if exact or not value or label == "namespace" or book.any_service_pattern is None:
        return exact
    names = (name[:_LONGEST] for name in _names(label, value))
    likely = [name for name in names if book.any_service_pattern.match(name)]
    patterns = book.service_patterns if likely else ()
    return next((entry for pattern, entry in patterns if any(fnmatchcase(each, pattern) for each in likely)), "")


def _by_name(label: str, value: str, book: RuleBook) -> str:
    names = _names(label, value) if value and label != "namespace" else ()
    exact = next((book.services_by_name[name] for name in names if name in book.services_by_name), "")
    return exact or (book.services_by_host.get(_host(value), "") if label in HOST_VALUES else "")


def _names(label: str, value: str) -> tuple[str, ...]:
    """Return the names that a label's value stands for: a pod for its workload, an address for its host."""
    tails = (tail.sub("", value) for tail in _POD_TAILS) if label == "pod" else ()
    hosts = [_host(value)] if label in HOST_VALUES else []
    short = [_shown(label, value)] if ".svc" in value or "/" in value else []
    return (value, value.rpartition("/")[2], *tails, *hosts, *short)


def _split(value: str) -> tuple[str, int]:
    """Return host and port, 0 without one, of an address; the value itself where it is none."""
    try:
        parts = urlsplit(value if "//" in value else f"//{value}")
        return (
            parts.hostname and value[value.lower().index(parts.hostname) :][: len(parts.hostname)]
        ) or value, parts.port or 0
    except ValueError:
        return value, 0


def _host(value: str) -> str:
    return _split(value)[0]


def _shown(label: str, value: str) -> str:
    if found := _PATH.fullmatch(value):
        return found[1] or found[2]
    host = _host(value) if label in HOST_VALUES else value
    found = _SERVICE.fullmatch(host)
    return found[1] if found else host


def _part(label: str, series: _Series) -> str:
    """Return the part of the host or the database server that the alert names, or the objective of a service."""
    labels = series.labels
    objective = next((labels[each] for each in SLOS if labels.get(each)), "")
    if objective and label in (*SLO_SERVICES, *SERVICES):
        return f"SLO {objective}"
    if label == "type":
        return labels.get("component", "")
    if label in PROXIES:
        return labels.get(PART_OF_PROXIES, "")
    parts = list(PARTS_OF_DATABASES) if label in (*ADDRESSES, "pod") else []
    if label in (*HOSTS, *ADDRESSES):
        parts += [each for each in PARTS_OF_HOSTS if series.of_host or each not in {"name", "volume"}]
    return next((labels[each] for each in parts if labels.get(each)), "")


def _namespace(label: str, series: _Series) -> str:
    """Return the namespace of the subject; empty if the alert names none, or only that of the exporter."""
    labels = series.labels
    if value := _valid(labels.get(NAMESPACE_OF.get(label, ""), "")):
        return value
    if found := _SERVICE.fullmatch(_host(labels.get(label, ""))):
        return found[2]
    value = _valid(labels.get("namespace", ""))
    if "namespace" in series.own:
        return value
    if label in series.of_product or (label in CLUSTER_SCOPED and not (label == "cluster" and label in series.own)):
        return ""
    exported = not series.honored and not series.rejected.keys().isdisjoint(TARGET)
    beside = {labels.get("prometheus", "").partition("/")[0], "monitoring"}
    return "" if exported and value in beside and label not in ("pod", *SERVICES) else value


def _valid(value: str) -> str:
    return value if _DNS_LABEL.fullmatch(value) else ""


def _values(series: _Series, label: str, value: str, service: str, namespace: str) -> dict[str, str]:
    """Return the labels for probes: without those that name an exporter, with ``workload`` and the namespace."""
    values = {name: each for name, each in series.labels.items() if name not in series.rejected}
    for name in ("service", "namespace", "workload"):
        values.pop(name, None)
    named = next((series.labels[each] for each in _WORKLOADS if series.labels.get(each)), "")
    pod = values.get("pod", "")
    workload = service or named or next((short for tail in _POD_TAILS if (short := tail.sub("", pod)) != pod), pod)
    if not workload and label in SERVICES:
        workload = value
    return values | {
        name: each for name, each in (("service", service), ("namespace", namespace), ("workload", workload)) if each
    }


def _why(label: str, value: str, service: str, neighbour: str, *, by_rule: bool, mapped: bool) -> str:
    if not label:
        return "no label names the subject"
    said = f'label {label}="{value}"' + (" (set by the rule)" if by_rule else "")
    if service:
        return f"{said} {'stands for' if mapped else 'names'} {service}"
    return f"{said}, with {neighbour} of the catalog" if neighbour else f"{said} is not in the catalog"


def _is_one(value: str, patterns: tuple[str, ...]) -> bool:
    """Return True if a pattern matches the value, or the workload of a pod of that name."""
    return bool(value) and _matches(value[:_LONGEST], patterns)


@lru_cache(maxsize=8192)
def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    plain = value.lower().replace("_", "-")
    wanted = _compiled(patterns)
    return any(wanted.match(name) for name in {plain, *(tail.sub("", plain) for tail in _POD_TAILS)})


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    plain = [each.lower().replace("_", "-") for each in patterns]
    either = (translate(each[1:]) if each[:1] == "^" else f"(?:.*[-/])?{translate(each)}" for each in plain)
    return re.compile("|".join(either) or _NOTHING)
