"""The title of an incident: what is wrong with what, in the rule's words or the alert's own. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from responder.model.alert import CLUSTER_LABELS, Alert, AlertGroup
from responder.model.clock import TITLE_LIMIT
from responder.model.incident import Decision, Incident
from responder.model.text import sanitize_line

#: Names with a spelling of their own; any case of them is recognized in the name of an alert.
_SPELLINGS: Final = (
    *("MySQL", "PostgreSQL", "MSSQL", "NoSQL", "SQL", "MongoDB", "CouchDB", "InfluxDB", "CockroachDB", "ScyllaDB"),
    *("ClickHouse", "Elasticsearch", "OpenSearch", "Cassandra", "Redis", "Memcached", "etcd", "ZooKeeper", "Kafka"),
    *("RabbitMQ", "NATS", "Pulsar", "PgBouncer", "Patroni", "WALG", "MinIO", "Ceph", "OSD", "Longhorn", "ZFS", "RAID"),
    *("Kubernetes", "CoreDNS", "Prometheus", "Alertmanager", "Grafana", "Thanos", "Mimir", "Loki", "Tempo", "Cortex"),
    *("OpenTelemetry", "Otel", "Jenkins", "GitLab", "GitHub", "ArgoCD", "Velero", "Vault", "Consul", "Nomad", "Istio"),
    *("Linkerd", "Envoy", "Traefik", "HAProxy", "NGINX", "Cilium", "Windows", "systemd", "JVM", "GC", "SLO", "SLA"),
    *("AWS", "EC2", "RDS", "SQS", "GCP", "Azure", "VM", "VMware", "SNMP", "IPMI", "SMART", "NTP", "DNS", "HTTP"),
    *("HTTPS", "gRPC", "TLS", "SSL", "TCP", "UDP", "API", "CPU", "GPU", "IO", "OOM", "HPA", "PVC", "PV", "PDB", "CRD"),
    *("QPS", "RPS", "TSDB", "WAL", "ID", "URL", "IP", "UPS"),
)
_CANONICAL: Final = {each.lower(): each for each in _SPELLINGS}
#: ``ArgoCD`` is also written ``ArgoCd``, ``Argocd`` and ``ARGOCD``.
_LONG_FIRST: Final = sorted(
    {
        form
        for each in _SPELLINGS
        for form in (each, each.capitalize(), each.upper(), re.sub("[A-Z]{2,}$", lambda end: end[0].capitalize(), each))
    },
    key=len,
)
_WORD = re.compile(
    rf"(?:{'|'.join(map(re.escape, reversed(_LONG_FIRST)))})(?![a-z])|[Pp]\d\d+|[1-5]xx"
    r"|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\sA-Za-z0-9_\-]+"
)
#: awesome-prometheus-alerts ends each summary with it; the subject says so already.
INSTANCE = re.compile(r"\s*\(instance [^)]*\)")
#: The end of each of its descriptions; the labels are on the page already.
VALUES = re.compile(r"\.?\s*\bVALUE = (\S+)\s+LABELS\b.*")
#: ``is down``, ``volume is filling up``: an optional noun, the verb, the rest.
_PREDICATE = re.compile(r"(?:(\w+) )??(is|has|was|does|did|cannot|\w+s) (\S.*)")
_PLURAL_VERBS: Final = {"is": "", "has": "have", "was": "", "does": "do", "did": "did", "cannot": "cannot"}
_NOUNS: Final = {
    "pod": "pod",
    "node": "node",
    "service": "service",
    "deployment": "deployment",
    "statefulset": "statefulset",
    "persistentvolumeclaim": "volume",
    "pvc": "volume",
    "consumergroup": "consumer group",
    "queue": "queue",
    "instance": "instance",
    "job": "job",
    "job_name": "job",
    "hostname": "host",
    "Hostname": "host",
    "nodename": "host",
}
_NAME_LIMIT: Final = 63
#: Objects that a title names; the others are counted.
_NAMED: Final = 2


def name(decision: Decision) -> str:
    """Return the name of the incident's subject."""
    return sanitize_line(decision.subject.name, _NAME_LIMIT) or "unnamed subject"


def stem(decision: Decision, group: AlertGroup, incident: Incident) -> str:
    """Return the title without a finding and without the cluster: severity, headline, re-fires."""
    again = f", re-fired ×{incident.flaps}" if incident.flaps else ""
    return sanitize_line(f"[{decision.severity.name}] {headline(decision, group)}{again}", TITLE_LIMIT)


def cluster(decision: Decision, group: AlertGroup) -> str:
    """Return the clusters that the firing alerts name, two at most; empty if one is the subject itself."""
    main = decision.match.alert
    alerts = [main, *(each.alert for each in decision.matches if each.alert.firing or not main.firing)]
    named = [
        next((each.labels[key] for key in CLUSTER_LABELS if each.labels.get(key)), group.cluster) for each in alerts
    ]
    found = list(dict.fromkeys(filter(None, named)))
    if len(found) > _NAMED:
        return f"{len(found)} clusters"
    return "" if decision.subject.name in found else sanitize_line(", ".join(found), 40)


def headline(decision: Decision, group: AlertGroup) -> str:
    """Return what is wrong with what: of one subject, of several of one kind, or of the worst and the others' names."""
    shown = [match for match in decision.matches if match.alert.firing] or list(decision.matches)
    main = decision.match
    subjects = list(dict.fromkeys(each.title for each in (decision.subject, *decision.also)))
    count = len(subjects) + decision.uncounted
    text = _of_several(decision, group, subjects, count) if count > 1 else _of_one(decision, group)
    others = list(dict.fromkeys(match.alert.name for match in shown if match.alert.name != main.alert.name))
    return f"{text}; also {_listed(list(filter(None, others)), len(others))}" if others else text


def own_words(alert: Alert, group: AlertGroup) -> str:
    """Return the alert's own summary, title or message, or the description of one without a name, in one line."""
    notes = {**(group.common_annotations if len(group.alerts) > 1 else {}), **alert.annotations}
    keys = ("summary", "title", "message", *(() if alert.name else ("description",)))
    text = next((notes[key] for key in keys if notes.get(key)), "")
    return INSTANCE.sub("", sanitize_line(text, 300)).rstrip(".")


def in_words(alertname: str) -> str:
    """``KubePodCrashLooping`` -> ``kube pod crash looping``; known names keep their spelling, acronyms their case."""
    return " ".join(map(_spelled, _WORD.findall(sanitize_line(alertname, 100))))


def _spelled(word: str) -> str:
    if known := _CANONICAL.get(word.lower()):
        return known
    return word if word.isupper() and len(word) > 1 and not word[-1].isdigit() else word.lower()


def _of_one(decision: Decision, group: AlertGroup) -> str:
    alert, about = decision.match.alert, sanitize_line(decision.subject.title, 100) or "unnamed subject"
    if decision.rule.symptom:
        return f"{about} {decision.rule.symptom}"
    said, words = own_words(alert, group), in_words(alert.name)
    if not said and not words:
        return f"{about}: an alert without a name"
    known = about == sanitize_line(alert.name, 100) or about == "unknown subject"
    if said and (_mostly_in(words, said) or said.startswith(f"{about}: ")):
        words = ""
    named = known or (not words and all(_names(each, said) for each in about.split(" on ")))
    return ": ".join(filter(None, ("" if named else about, words, said)))


def _mostly_in(words: str, text: str) -> bool:
    """Return True if a text has at least half of the words."""
    each, found = words.lower().split(), set(re.findall(r"\w+", f"{text} {in_words(text)}".lower()))
    said = (word in found or (len(word) > 3 and any(one.startswith(word) for one in found)) for word in each)
    return sum(said) >= 0.5 * len(each)


def _names(name: str, text: str) -> bool:
    """Return True if a text has the whole name."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None


def _of_several(decision: Decision, group: AlertGroup, subjects: Sequence[str], count: int) -> str:
    names = _listed(subjects, count)
    found = _PREDICATE.fullmatch(decision.rule.symptom)
    if found is None:
        said = decision.rule.symptom or _shared_words(decision, group)
        return f"{said} ({count}): {names}"
    noun, verb, rest = found.groups()
    noun = noun or _noun(decision)
    plural = _PLURAL_VERBS.get(verb, verb.removesuffix("s"))
    return f"{count} {noun}s {plural} {rest}: {names}".replace("  ", " ")


def _shared_words(decision: Decision, group: AlertGroup) -> str:
    shared = decision.match.alert.annotations.get("summary", "") == group.common_annotations.get("summary")
    return (own_words(decision.match.alert, group) if shared else "") or in_words(decision.match.alert.name) or "alerts"


def _noun(decision: Decision) -> str:
    subject = decision.subject
    return "service" if subject.service == subject.name else _NOUNS.get(subject.label, "alert")


def _listed(names: Sequence[str], count: int) -> str:
    """``capsule, nexus and 3 more``; all of them if there are no more than three."""
    short = [sanitize_line(each, 40) for each in names[: _NAMED + 1]]
    if count <= min(_NAMED + 1, len(short)):
        return " and ".join(filter(None, (", ".join(short[:-1]), short[-1])))
    return f"{', '.join(short[:_NAMED])} and {count - len(short[:_NAMED])} more"
