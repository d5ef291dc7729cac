"""kubectl commands of runbooks: what responder's own client reads in their place. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from responder.runbooks.words import Flags, Refused, Word, is_value

#: Kinds that may be read, and what kubectl calls them besides their names in lower case, singular and plural.
KINDS: Final[Mapping[str, str]] = {
    "Pod": "pods po",
    "Event": "events ev",
    "Service": "services svc",
    "Node": "nodes no",
    "Namespace": "namespaces ns",
    "PersistentVolumeClaim": "persistentvolumeclaims pvc",
    "PersistentVolume": "persistentvolumes pv",
    "ResourceQuota": "resourcequotas quota",
    "LimitRange": "limitranges limits",
    "Deployment": "deployments deploy",
    "ReplicaSet": "replicasets rs",
    "StatefulSet": "statefulsets sts",
    "DaemonSet": "daemonsets ds",
    "ControllerRevision": "controllerrevisions",
    "Job": "jobs",
    "CronJob": "cronjobs cj",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers hpa",
    "PodDisruptionBudget": "poddisruptionbudgets pdb",
    "NetworkPolicy": "networkpolicies netpol",
    "Ingress": "ingresses ing",
    "IngressClass": "ingressclasses",
    "EndpointSlice": "endpointslices",
    "StorageClass": "storageclasses sc",
    "VolumeAttachment": "volumeattachments",
    "Lease": "leases",
    "PriorityClass": "priorityclasses pc",
    "Certificate": "certificates cert certs",
}
_BY_WORD = {word: kind for kind, words in KINDS.items() for word in (kind.lower(), *words.split())}
#: Workloads that a rollout or a log may name.
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})

#: Flags that name the namespace.
NAMESPACE_FLAGS: Final = frozenset({"-n", "--namespace"})
_SHARED = dict.fromkeys(NAMESPACE_FLAGS, "-n")
_SELECT = {"-l": "-l", "--selector": "-l"}
_VERBS: Final[Mapping[str, Flags]] = {
    "get": Flags(
        {
            **_SHARED,
            **_SELECT,
            "-o": "-o",
            "--output": "-o",
            "-L": "-L",
            "--label-columns": "-L",
            "--field-selector": "--field-selector",
            "--sort-by": "--sort-by",
        },
        {"--no-headers": "--no-headers", "--show-labels": "--show-labels", "--ignore-not-found": "--ignore-not-found"},
    ),
    "describe": Flags({**_SHARED, **_SELECT}),
    "logs": Flags(
        {
            **_SHARED,
            **_SELECT,
            "-c": "-c",
            "--container": "-c",
            "--tail": "--tail",
            "--since": "--since",
            "--max-log-requests": "--max-log-requests",
        },
        {
            "-p": "-p",
            "--previous": "-p",
            "--prefix": "--prefix",
            "--timestamps": "--timestamps",
            "--all-containers": "--all-containers",
        },
    ),
    "top": Flags(
        {**_SHARED, **_SELECT, "--sort-by": "--sort-by"},
        {"--containers": "--containers", "--no-headers": "--no-headers"},
    ),
    "rollout status": Flags({**_SHARED, "--timeout": "--timeout"}),
    "rollout history": Flags(_SHARED),
}
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "-o": re.compile(r"wide|name|json"),
    "-l": re.compile(r"[A-Za-z0-9_./=!,() -]{1,500}", re.ASCII),
    "--field-selector": re.compile(r"[A-Za-z0-9_./=!,-]{1,500}", re.ASCII),
    "-L": re.compile(r"[A-Za-z0-9_./,-]{1,300}", re.ASCII),
    "--sort-by": re.compile(r"(?:\{)?\.[A-Za-z0-9_.]{1,200}(?:\})?|cpu|memory", re.ASCII),
    "-c": re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII),
    "--tail": re.compile(r"-1|\d{1,6}", re.ASCII),
    "--since": re.compile(r"\d{1,5}[smh]", re.ASCII),
    "--timeout": re.compile(r"\d{1,4}[smh]", re.ASCII),
    "--max-log-requests": re.compile(r"\d{1,2}", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class KubectlCall:
    """A read of the cluster. ``verb`` is get, describe, logs, top, rollout status or rollout history.

    ``options`` have kubectl's short names; a switch has an empty value.
    """

    verb: str
    kind: str
    names: tuple[str, ...]
    namespace: str
    options: Mapping[str, str] = field(default_factory=dict)


def call_of(words: Sequence[Word], namespace: str, namespaces: frozenset[str]) -> KubectlCall:
    """Return the read that the arguments of kubectl ask for, in one of ``namespaces``. Raises Refused."""
    verb, rest = _verb(words)
    found, options = _VERBS[verb].read(rest)
    for name, pattern in _FORMS.items():
        if name in options and not pattern.fullmatch(options[name].text):
            raise Refused(f"'{options[name].text}' is not allowed for {name}", options[name].column)
    given = options.pop("-n", None)
    if given is not None and given.text not in namespaces:
        raise Refused(f"namespace '{given.text}' is not one of the service catalog", given.column)
    where = given.text if given else namespace
    if not where:
        raise Refused("the command names no namespace, and the rules have no default: add -n", 1)
    kind, names = _object(verb, found)
    if names and "-l" in options:
        raise Refused("a name and a selector exclude each other", options["-l"].column)
    if verb == "logs" and not names and "-l" not in options:
        raise Refused("logs needs a pod, a workload or a selector", 1)
    return KubectlCall(verb, kind, names, where, {name: word.text for name, word in options.items()})


def _verb(words: Sequence[Word]) -> tuple[str, list[Word]]:
    """Return the subcommand, and the other words. A namespace may stand before it."""
    left, before = list(words), []
    while left and left[0].text.partition("=")[0] in _SHARED:
        before.append(left.pop(0))
        if "=" not in before[-1].text and left:
            before.append(left.pop(0))
    first = left.pop(0) if left else Word("", 1)
    verb = first.text
    if verb == "rollout" and left:
        verb = f"rollout {left.pop(0).text}"
    if verb not in _VERBS:
        raise Refused(f"kubectl {verb or 'without a subcommand'} is not allowed: {', '.join(_VERBS)}", first.column)
    return verb, [*before, *left]


def _object(verb: str, found: Sequence[Word]) -> tuple[str, tuple[str, ...]]:
    """Return kind and names: ``TYPE``, ``TYPE NAME...``, ``TYPE/NAME``; for logs also ``NAME`` of a pod."""
    if verb == "logs":
        if not found:
            return "Pod", ()
        if len(found) > 1:
            raise Refused("logs takes one pod or workload; a container is named by -c", found[1].column)
        if "/" not in found[0].text:
            return "Pod", (_name(found[0]),)
    if not found:
        raise Refused(f"kubectl {verb} needs a kind", 1)
    word, slash, name = found[0].text.partition("/")
    kind = _kind(word, found[0].column)
    if verb == "top" and kind not in {"Pod", "Node"}:
        raise Refused("kubectl top is for pods and nodes", found[0].column)
    if verb in {"logs", "rollout status", "rollout history"} and kind not in _WORKLOADS | (
        {"Pod"} if verb == "logs" else set()
    ):
        raise Refused(f"kubectl {verb} is not for {word}", found[0].column)
    if slash:
        if len(found) > 1:
            raise Refused("one object at a time, as TYPE/NAME", found[1].column)
        return kind, (_name(Word(name, found[0].column)),)
    names = tuple(_name(each) for each in found[1:])
    if verb.startswith("rollout") and len(names) != 1:
        raise Refused(f"kubectl {verb} needs one workload, as deployment/NAME", found[0].column)
    return kind, names


def _kind(word: str, column: int) -> str:
    if word in _BY_WORD:
        return _BY_WORD[word]
    if word.rstrip("s") in {"secret", "configmap", "cm"}:
        raise Refused(f"{word}: Secrets and ConfigMaps are never read", column)
    raise Refused(f"'{word}' is not a kind that responder reads", column)


def _name(word: Word) -> str:
    if not is_value(word.text) or word.text.lower() != word.text:
        raise Refused(f"'{word.text}' is not a Kubernetes name", word.column)
    return word.text
