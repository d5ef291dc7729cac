"""Kubernetes probe: an investigation of the subject in the cluster, with a finding for each thing it sees."""

import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from responder.diagnose.cluster.causes import investigate, unseen
from responder.diagnose.cluster.causes.named import NamedCause
from responder.diagnose.cluster.collect import collect
from responder.diagnose.cluster.health import PodHealth
from responder.diagnose.cluster.reader import Reader, is_name
from responder.diagnose.cluster.scene import Place
from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer
from responder.diagnose.plan import endpoint, service_of
from responder.model.clock import Deadline
from responder.model.clue import Clue, Role
from responder.model.conclusion_codes import is_known
from responder.model.finding import Finding, Origin, Verdict
from responder.model.rule import ProbeSpec

#: Labels of kube-state-metrics, cAdvisor and rules that name an object, and its kind.
KINDS: Final = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "replicaset": "ReplicaSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "pod": "Pod",
    "exported_pod": "Pod",
    "service": "Service",
    "exported_service": "Service",
    "node": "Node",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "poddisruptionbudget": "PodDisruptionBudget",
    "hpa": "HorizontalPodAutoscaler",
    "ingress": "Ingress",
    "exported_ingress": "Ingress",
    # Of the metrics of cert-manager; the name of something else is no Certificate.
    "name": "Certificate",
}

#: What is checked, in a finding without a clue: ``cluster: no answer within 3.0 s``.
_TARGET: Final = "cluster"

#: Code of a cause of the operator's own, and the characters of a text by which it is found.
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
#: Characters of a text by which the operator names a cause, at least.
_SHORTEST_TEXT: Final = 4
#: An instance that is an address of IPv4 with a port.
_ADDRESS: Final = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}):\d+")

_VERDICTS: Final = {
    Role.CAUSE: Verdict.BAD,
    Role.SYMPTOM: Verdict.BAD,
    Role.CHANGE: Verdict.OK,
    Role.FACT: Verdict.OK,
    Role.FINE: Verdict.OK,
    Role.UNSEEN: Verdict.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSpec:
    """Everything about the subject is read: workload, pods, revisions, events, Services, quotas, policies, nodes."""

    causes: dict[str, NamedCause] = field(
        default_factory=dict,
        metadata={
            "help": "causes of your own by code: {contains: text in a log line or event, says: cause, step: ...}"
        },
    )


def check(spec: KubernetesSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems = []
    for code, cause in spec.causes.items():
        if not _CODE.fullmatch(code) or is_known(code):
            problems.append(
                f"causes: {code!r} is no code of your own: lower case, digits and dashes, none of responder's"
            )
        if len(cause.contains.strip()) < _SHORTEST_TEXT:
            problems.append(f"causes: {code}: contains needs at least {_SHORTEST_TEXT} characters")
        if not cause.says.strip():
            problems.append(f"causes: {code}: says is empty")
    return tuple(problems)


def questions(probe: ProbeSpec[KubernetesSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the investigation of what the alert names; none without access to a cluster.

    Names that are no Kubernetes names are left out. An alert of another cluster gets a question that reads nothing.
    """
    if elsewhere := probe_context.elsewhere:
        target = f"{_TARGET} {elsewhere}"
        return (_question(probe, target, ""),)
    if not probe_context.cluster:
        return ()
    place = place_of(probe_context)
    where = f" in namespace {place.namespace}" if place.namespace else ""
    named = ", ".join(f"{kind}/{each}" for kind, each in place.named.items()) or place.workload or "all workloads"
    return (
        replace(
            _question(probe, _TARGET, f"kubectl get pods,events,deployments,replicasets,services{where}, for {named}"),
            wire=(place, probe_context.began, probe.spec.causes),
            endpoint="the Kubernetes API server",
        ),
    )


def _question(probe: ProbeSpec[KubernetesSpec], target: str, query: str) -> ProbeQuestion:
    return ProbeQuestion(
        probe=probe.name,
        kind="kubernetes",
        origin=Origin.CLUSTER,
        target=target,
        query=query,
        timeout=probe.timeout,
    )


def place_of(probe_context: ProbeContext) -> Place:
    """Return the names that the subject gives, without those that are no Kubernetes names."""
    subject = probe_context.subject
    values = {label: value for label, value in subject.values.items() if is_name(value)}
    named = {kind: values[label] for label, kind in KINDS.items() if label in values}
    namespace = subject.namespace if is_name(subject.namespace) else ""
    name = subject.service or subject.name
    space, _, short = name.partition("/")
    if is_name(space) and is_name(short) and namespace in {"", space}:  # the job of a PodMonitor
        namespace, name = space, short
    service = service_of(probe_context)
    scraped = _ADDRESS.fullmatch(subject.values.get("instance", ""))
    address = scraped[1] if scraped else ""
    # Where no label names the subject, the namespace or the cluster does; a workload may have the same name.
    wide = {values.get("namespace"), values.get("cluster"), namespace}
    is_wide = name in wide and name not in (
        each for label, each in values.items() if label not in {"namespace", "cluster"}
    )
    return Place(
        namespace=namespace,
        workload=name if is_name(name) and not is_wide and name != address else "",
        named=named,
        address=address,
        depends_on=service.depends_on if service is not None else (),
        health=_health(service.health) if service is not None else None,
    )


def _health(url: str) -> tuple[int, str] | None:
    """Return port and path of a health address of the catalog; None for one with TLS, or none that can be used."""
    try:
        found = endpoint(url)
    except ValueError:
        return None
    return None if found.secure else (found.port, urlsplit(url).path or "/")


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> tuple[Finding, ...]:
    """Read the cluster, and return a finding for each clue; a single unknown one without access to a cluster."""
    if question.wire is None:
        return (answer(question, Verdict.UNKNOWN, "another cluster, not looked up"),)
    if tools.cluster is None:
        return (answer(question, Verdict.UNKNOWN, "no access to a Kubernetes cluster is configured"),)
    place, began, causes = question.wire
    started = tools.clock.monotonic()
    now = tools.clock.now()
    reader = Reader(tools.cluster, tools.clock)
    pods = PodHealth(tools.pod_networks, tools.outgoing.send, tools.clock, reader.slots) if tools.pod_networks else None
    scene = collect(place, reader, deadline, tools.clock, began or now, pods)
    clues = (*investigate(scene, causes=causes), *unseen(scene))
    took = tools.clock.monotonic() - started
    if not clues:
        what = f"{place.workload or 'the subject'} is not found" if scene.was_read("Pod") else "could not be read"
        return (answer(question, Verdict.UNKNOWN, what, duration=took),)
    return tuple(finding_of(question, clue, took) for clue in clues)


def finding_of(question: ProbeQuestion, clue: Clue, took: float) -> Finding:
    """Return the finding of a clue."""
    return answer(
        question,
        _VERDICTS[clue.role],
        clue.says,
        detail=clue.detail,
        duration=took,
        judged=clue.role not in {Role.FACT, Role.CHANGE},
        clue=clue,
    )


KIND = ProbeKind(
    name="kubernetes",
    spec=KubernetesSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"\x16\x03",
    of_group=False,
    setting="kubeconfig",
)
