"""The scene: what was read about the subject of an alert, at one moment. Causes are pure functions of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.hosts import FAILED_LOOKUP, hosts_in, with_namespace
from responder.diagnose.cluster.index import Templates, by_owner
from responder.diagnose.cluster.objects import Object
from responder.model.clock import ago

_FAILURE = re.compile(
    r"error|fatal|fail|exception|refused|time[sd]? ?out|timeout|deadline|unreachable|reset|unavailable|\b5\d\d\b|"
    r"too many requests|"
    r"\bwait(?:ing|s)?\b.{0,20}\b(?:for|on)\b",
    re.IGNORECASE,
)
#: Errors of which the other end may be the cause. A missing variable or a wrong password is none.
_REMOTE = re.compile(
    r"refused|time[sd]? ?out|timeout|deadline|unreachable|reset|unavailable|no such host|unknown ?host|lookup|"
    r"name resolution|resolve host|getaddrinfo|connect|\b5(?:\d\d|xx)\b|broken pipe|"
    r"\bwait(?:ing)? for\b|\bEOF\b|closed|pool|down\b",
    re.IGNORECASE,
)

_SCALER = "HorizontalPodAutoscaler"
#: Kinds that run pods, in the order in which a name is looked up.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The names an alert gives, each checked as a Kubernetes name; empty where the alert does not say.

    ``workload`` is a name without a kind, from a label such as ``service`` or ``app``. ``named`` are names by kind,
    from labels such as ``deployment``, ``pod``, ``node`` or ``persistentvolumeclaim``. ``address`` is of a scraped pod
    or host. ``depends_on`` are names of the catalog of what the service uses, ``health`` port and path of its health.
    """

    namespace: str = ""
    workload: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    depends_on: tuple[str, ...] = ()
    health: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The last lines of a container, oldest first, redacted. ``previous`` is True for the run before the present one.

    ``problem`` says why there are none: an answer of the API (``there was no earlier run``).
    """

    namespace: str
    pod: str
    container: str
    previous: bool
    lines: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer of a pod about its health. ``problem`` says what is wrong, empty if nothing is.

    ``status`` is 0 where the pod gave no answer to judge by.
    """

    url: str
    status: int = 0
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Something that could not be read, why, and the line to add to the role where a right is missing.

    ``what`` is a resource such as ``pods/log``. ``why`` is a phrase: ``no right to get pods/log in namespace pay``.
    ``where`` is the end of such a phrase, `` in namespace pay``; empty for the whole cluster.
    """

    what: str
    why: str
    change: str = ""
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that was read. ``began`` is the start of the alert.

    ``objects`` are by kind; a kind that is absent was not read, an empty tuple means that there is none. ``health`` are
    the answers of single pods, by pod name. ``reads`` are the kinds with the namespaces in which they were read.
    """

    place: Place
    now: datetime
    began: datetime
    objects: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    logs: tuple[Log, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    health: Mapping[str, Health] = field(default_factory=dict)
    reads: frozenset[tuple[str, str]] = frozenset()

    def of(self, kind: str, namespace: str | None = None) -> tuple[Object, ...]:
        """Return the objects of a kind, of the alert's namespace unless another is given (empty for all)."""
        wanted = self.place.namespace if namespace is None else namespace
        if not wanted:
            return self.objects.get(kind, ())
        key, here = (kind, wanted), {wanted, ""}
        if key not in self._in_namespace:
            found = self.objects.get(kind, ())
            self._in_namespace[key] = tuple(each for each in found if objects.namespace(each) in here)
        return self._in_namespace[key]

    @cached_property
    def _in_namespace(self) -> dict[tuple[str, str], tuple[Object, ...]]:
        return {}

    def was_read(self, kind: str) -> bool:
        """Return True if the objects of this kind were read here, so that their absence means something."""
        here = {(kind, self.place.namespace), (kind, "")}
        return kind in self.objects and (not self.place.namespace or not self.reads or not self.reads.isdisjoint(here))

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return the object of that kind and name, of the alert's namespace unless another is given (empty for all)."""
        return next((each for each in self.of(kind, namespace) if objects.name(each) == name), None)

    @cached_property
    def workload(self) -> Object | None:
        """The workload that the alert is about: named by kind, owner of the named pod, or of the subject's name.

        Where no workload has the name, a Service of that name leads to the workload whose pods it selects, or would
        select but for one label.
        """
        for kind in WORKLOADS:
            if (name := self.place.named.get(kind)) and (found := self.find(kind, name)):
                return self.top(found)
        if (name := self.place.named.get("Pod")) and (pod := self.find("Pod", name)):
            return self.top(pod)
        if (name := self.place.named.get(_SCALER)) and (scaler := self.find(_SCALER, name)):
            scaled = objects.at(scaler, "spec", "scaleTargetRef")
            return self.find(objects.text(scaled, "kind"), objects.text(scaled, "name"))
        if (name := self.place.named.get("PodDisruptionBudget")) and (budget := self.find("PodDisruptionBudget", name)):
            return self._selected(objects.at(budget, "spec", "selector"))
        for kind in WORKLOADS:
            if self.place.workload and (found := self.find(kind, self.place.workload)):
                return self.top(found)
        scraped = objects.at_address(self.of("Pod"), self.place.address)
        return self._behind_service() or (self.top(scraped[0]) if scraped else self._worst())

    @property
    def is_wide(self) -> bool:
        """True if the alert names no object: it is about a whole namespace, or the cluster."""
        return not self.place.workload and not self.place.named

    @cached_property
    def unready_workloads(self) -> Mapping[str, tuple[int, int, Object]]:
        """The workloads of the namespace with pods that are not ready: how many are, of how many."""
        found = {}
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for each in self.of(kind):
                pods = self.pods_of(each)
                ready = sum(objects.is_true(pod, "Ready") for pod in pods)
                if ready < len(pods):
                    found[objects.reference(each)] = (ready, len(pods), each)
        return found

    def _worst(self) -> Object | None:
        """Return the workload with the largest part of its pods not ready, for an alert that names none."""
        ranked = sorted(self.unready_workloads.values(), key=lambda each: each[0] / each[1]) if self.is_wide else []
        return ranked[0][2] if ranked else None

    def _behind_service(self) -> Object | None:
        service = self.find("Service", self.place.named.get("Service") or self.place.workload)
        if service is None and (ingress := self.find("Ingress", self.place.named.get("Ingress", ""))):
            names = (name for _, name, _ in objects.backends(ingress))
            behind = [self.behind(each) for name in names if (each := self.find("Service", name)) is not None]
            unready = (each for each in behind if each and objects.reference(each) in self.unready_workloads)
            return next(unready, next(iter(behind), None))
        return self.behind(service) if service is not None else None

    def behind(self, service: Object) -> Object | None:
        """Return the workload whose pods a Service selects; else the one that carries most of the selected labels."""
        wanted = objects.pairs(service, "spec", "selector")
        namespace = objects.namespace(service)
        known = self._templates.get(namespace)
        best = known.nearest(wanted, objects.name(service)) if known is not None else None
        return self.top(best) if best is not None else None

    def _selected(self, selector: object) -> Object | None:
        known = self._templates.get(self.place.namespace, ())
        return next((self.top(each) for each, labels in known if objects.selects(selector, labels)), None)

    @cached_property
    def _templates(self) -> Mapping[str, Templates]:
        """The workloads of each namespace."""
        found: dict[str, Templates] = {}
        for kind in WORKLOADS:
            for each in self.objects.get(kind, ()):
                found.setdefault(objects.namespace(each), Templates()).add(each)
        return found

    def owned(self, kind: str, owner: Object) -> tuple[Object, ...]:
        """Return the objects of a kind whose controlling owner is ``owner``, by uid."""
        if kind not in self._by_owner:
            self._by_owner[kind] = by_owner(self.objects.get(kind, ()))
        return self._by_owner[kind].get(objects.uid(owner), ())

    @cached_property
    def _by_owner(self) -> dict[str, Mapping[str, tuple[Object, ...]]]:
        return {}

    def top(self, found: Object) -> Object:
        """Return the outermost owner of an object that was read: a pod's Deployment, a Job's CronJob."""
        for _ in range(4):
            kind, name, uid = objects.controller(found)
            owner = self.find(kind, name, objects.namespace(found))
            if owner is None or (uid and objects.uid(owner) and uid != objects.uid(owner)):
                return found
            found = owner
        return found

    def pods_of(self, workload: Object | None) -> tuple[Object, ...]:
        """Return the pods that a workload owns, directly or through its ReplicaSets and Jobs, without those that end.

        Evicted pods are left out too: they stay as Failed, and others take their place.
        A pod that has been ending for longer than its grace period still counts: something keeps it.
        """
        if workload is None:
            return ()
        owners = [workload, *self.owned("ReplicaSet", workload)]
        if objects.kind(workload) == "CronJob" and (job := self.job_of(workload)) is not None:
            owners.append(job)
        over = frozenset() if objects.kind(workload) in {"Job", "CronJob"} else frozenset({"Failed", "Succeeded"})
        return tuple(
            each
            for owner in owners
            for each in self.owned("Pod", owner)
            if not self._ends(each) and objects.text(each, "status", "phase") not in over
        )

    def _ends(self, pod: Object) -> bool:
        deleted = objects.when(pod, "metadata", "deletionTimestamp")
        return deleted is not None and deleted > self.now

    def job_of(self, cron: Object) -> Object | None:
        """Return the Job of a CronJob that the alert names, else the newest one; None without any."""
        jobs = self.owned("Job", cron)
        named = next((each for each in jobs if objects.name(each) == self.place.named.get("Job")), None)
        return named or max(jobs, key=lambda each: objects.text(each, "metadata", "creationTimestamp"), default=None)

    @cached_property
    def lost_nodes(self) -> frozenset[str]:
        """The nodes that post no status any more: what pods on them say of themselves is old."""
        return frozenset(
            objects.name(each)
            for each in self.objects.get("Node", ())
            if objects.text(objects.condition(each, "Ready"), "status") == "Unknown"
        )

    @cached_property
    def dependencies(self) -> tuple[Object, ...]:
        """The workloads that log lines about a failure name, by Service or address; then those of the catalog."""
        return self._behind((*self.named_in_logs, *self.place.depends_on))

    @cached_property
    def called(self) -> tuple[Object, ...]:
        """The workloads that log lines about a failure name."""
        return self._behind(self.named_in_logs)

    def explaining(self, reason: str) -> tuple[str, ...]:
        """Return the dependencies that may explain an error: those it names, all if it names none.

        Empty if it is about something else than a connection.
        """
        if reason and not _REMOTE.search(reason):
            return ()
        return tuple(objects.reference(each) for each in self._behind(hosts_in(reason)) or self.dependencies)

    def _behind(self, names: Iterable[str]) -> tuple[Object, ...]:
        """Return the workloads behind names and addresses of Services and pods, without the subject."""
        services = {f"{objects.name(each)}.{objects.namespace(each)}": each for each in self.of("Service", "")}
        addresses = {
            address: each for each in self.of("Service") if (address := objects.text(each, "spec", "clusterIP"))
        }
        pods = {address: each for each in self.of("Pod") if (address := objects.text(each, "status", "podIP"))}
        found: dict[str, Object] = {}
        for name in names:
            full = name if name in services else f"{name}.{self.place.namespace}"
            service = services.get(full) or addresses.get(name)
            behind = self.behind(service) if service is not None else None
            if (pod := pods.get(name) or self._member(name)) is not None:
                behind = self.top(pod)
            if behind is not None and behind is not self.workload:
                found.setdefault(objects.uid(behind) or objects.reference(behind), behind)
        return tuple(found.values())

    @cached_property
    def named_in_logs(self) -> tuple[str, ...]:
        """Words that may be hosts in log lines about a failure, of the latest lines first."""
        return tuple(dict.fromkeys(name for line in (*self.failures, *self.uncalled) for name in hosts_in(line)))

    @cached_property
    def uncalled(self) -> tuple[str, ...]:
        """Messages of the API server about webhooks that do not answer when pods of the subject are created."""
        if self.workload is None:
            return ()
        failed = objects.condition(self.workload, "ReplicaFailure")
        events = self.events_of(self.workload, *self.owned("ReplicaSet", self.workload))
        said = [objects.text(each, "message") for each in (failed, *events)]
        return tuple(dict.fromkeys(each for each in said if "failed calling webhook" in each and "x509" not in each))

    @cached_property
    def failures(self) -> tuple[str, ...]:
        """The log lines about a failure, of each log the latest first."""
        return tuple(line for log in self.logs for line in reversed(log.lines) if _FAILURE.search(line))

    @cached_property
    def other_namespaces(self) -> tuple[str, ...]:
        """The other namespaces of hosts in log lines about a failure, and of webhooks that cannot be called."""
        found = dict.fromkeys(
            namespace
            for line in (*self.failures, *self.uncalled)
            for host, namespace in with_namespace(line)
            if self._member(f"{host}.{namespace}") is None
        )
        return tuple(each for each in found if each != self.place.namespace)

    def _member(self, host: str) -> Object | None:
        """Return the pod of a host such as ``kafka-1.kafka``: the name of a pod and a Service of this namespace."""
        pod, _, service = host.partition(".")
        return self.find("Pod", pod) if self.find("Service", service) is not None else None

    @cached_property
    def fails_lookups(self) -> bool:
        """True if a log line is about a name that does not resolve."""
        return any(FAILED_LOOKUP.search(line) for log in self.logs for line in log.lines)

    def about(self, workload: Object) -> "Scene":
        """Return the same scene with another subject, perhaps of another namespace."""
        name = objects.name(workload)
        namespace = objects.namespace(workload)
        place = Place(namespace=namespace, workload=name, named={objects.kind(workload): name})
        own = {objects.name(each) for each in self.pods_of(workload)}
        return replace(self, place=place, logs=tuple(log for log in self.logs if log.pod in own), health={})

    def events_of(self, *about: Object) -> tuple[Object, ...]:
        """Return the events about these objects, newest first: by uid, else by kind and name."""
        uids = {objects.uid(each) for each in about} - {""}
        names = {objects.reference(each) for each in about}
        found = [
            each
            for each in self.objects.get("Event", ())
            if objects.text(each, "involvedObject", "uid") in uids or involved(each) in names
        ]
        return tuple(sorted(found, key=lambda each: last_seen(each) or self.began, reverse=True))

    def minutes(self, moment: datetime | None) -> str:
        """Return the time since ``moment`` as ``14 min ago``; empty for None."""
        return f"{ago(self.now, moment)} ago" if moment else ""

    def with_more(
        self, found: Mapping[str, Iterable[Object]], logs: Iterable[Log], unseen: Iterable[Unseen]
    ) -> "Scene":
        """Return the scene with the answers of another wave."""
        merged = {key: tuple(each) for key, each in self.objects.items()}
        for key, more in found.items():
            # Two lists of one wave may have the same object: the pods of a namespace, and those of a node.
            once = {objects.uid(each) or id(each): each for each in reversed((*merged.get(key, ()), *more))}
            merged[key] = tuple(reversed(once.values()))
        return replace(self, objects=merged, logs=(*self.logs, *logs), unseen=(*self.unseen, *unseen))


def involved(event: Object) -> str:
    """Return the object of an event as ``Kind/name``."""
    return f"{objects.text(event, 'involvedObject', 'kind')}/{objects.text(event, 'involvedObject', 'name')}"


def last_seen(event: Object) -> datetime | None:
    """Return the last time of an event. Newer reporters leave ``lastTimestamp`` null (events.k8s.io/v1 series)."""
    return (
        objects.when(event, "series", "lastObservedTime")
        or objects.when(event, "lastTimestamp")
        or objects.when(event, "eventTime")
        or objects.created(event)
    )


def times(event: Object) -> int:
    """Return how often an event was seen; a lower bound, since bursts are dropped."""
    return max(objects.number(event, "series", "count"), objects.number(event, "count"), 1)
