"""Reads a cluster: GET of fixed paths, equal reads shared for some seconds, so many calls and bytes a page."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from responder.diagnose.cluster.objects import Object, pruned
from responder.diagnose.cluster.scene import Log, Unseen
from responder.model.clock import Clock, Deadline
from responder.model.message import Response
from responder.model.redaction import redact
from responder.model.text import sanitize_line

#: Calls and bytes of one page.
MOST_CALLS = 20
MOST_BYTES = 2 * 1024 * 1024
#: Objects of one list.
LIST_LIMIT = 500
#: Lines and bytes of one log. The API cuts bytes from the front of the chosen lines, so the bytes are generous.
LOG_LINES = 200
LOG_BYTES = 256 * 1024
#: Seconds for which an answer serves other probes and incidents.
SHARED_SECONDS = 10.0
#: Seconds for a log: the API server waits for the kubelet, and a dead node never answers.
LOG_SECONDS = 2.0

#: Threads of one process that read the cluster or ask its pods at the same time, and so their connections.
MOST_THREADS = 128

#: Media types: objects, and the table that kubectl prints (Kubernetes API concepts, "Table fetches").
OBJECTS = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

_JSON = msgspec.json.Decoder()

#: RFC 1123: a name is a label or several, joined by dots. Nodes and some others have dots.
_NAME = re.compile(r"(?!.{254})[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind that is read: the root of its path and its plural. ``namespaced`` is False for those of the cluster."""

    kind: str
    root: str
    plural: str
    namespaced: bool = True

    @property
    def what(self) -> str:
        """The name of the resource; that of metrics with its group: their plurals are those of pods and nodes."""
        group = self.root.split("/")[2]
        return f"{self.plural}.{group}" if group == "metrics.k8s.io" else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of a list, or of one object. Raises ValueError for what is no Kubernetes name."""
        parts = [self.root]
        if namespace and self.namespaced:
            parts += ["namespaces", segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(segment(name))
        return "/".join(parts)


#: Every kind that is read. The roles in ``deploy/`` and the remarks of ``doctor`` are made from it.
RESOURCES: Mapping[str, Resource] = {
    each.kind: each
    for each in (
        Resource("Pod", "/api/v1", "pods"),
        Resource("Event", "/api/v1", "events"),
        Resource("Service", "/api/v1", "services"),
        Resource("Node", "/api/v1", "nodes", namespaced=False),
        Resource("Namespace", "/api/v1", "namespaces", namespaced=False),
        Resource("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
        Resource("PersistentVolume", "/api/v1", "persistentvolumes", namespaced=False),
        Resource("ResourceQuota", "/api/v1", "resourcequotas"),
        Resource("LimitRange", "/api/v1", "limitranges"),
        Resource("Deployment", "/apis/apps/v1", "deployments"),
        Resource("ReplicaSet", "/apis/apps/v1", "replicasets"),
        Resource("StatefulSet", "/apis/apps/v1", "statefulsets"),
        Resource("DaemonSet", "/apis/apps/v1", "daemonsets"),
        Resource("ControllerRevision", "/apis/apps/v1", "controllerrevisions"),
        Resource("Job", "/apis/batch/v1", "jobs"),
        Resource("CronJob", "/apis/batch/v1", "cronjobs"),
        Resource("HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers"),
        Resource("PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets"),
        Resource("NetworkPolicy", "/apis/networking.k8s.io/v1", "networkpolicies"),
        Resource("Ingress", "/apis/networking.k8s.io/v1", "ingresses"),
        Resource("IngressClass", "/apis/networking.k8s.io/v1", "ingressclasses", namespaced=False),
        Resource("EndpointSlice", "/apis/discovery.k8s.io/v1", "endpointslices"),
        Resource("StorageClass", "/apis/storage.k8s.io/v1", "storageclasses", namespaced=False),
        Resource("VolumeAttachment", "/apis/storage.k8s.io/v1", "volumeattachments", namespaced=False),
        Resource("Lease", "/apis/coordination.k8s.io/v1", "leases"),
        Resource("PriorityClass", "/apis/scheduling.k8s.io/v1", "priorityclasses", namespaced=False),
        Resource(
            "ValidatingWebhookConfiguration",
            "/apis/admissionregistration.k8s.io/v1",
            "validatingwebhookconfigurations",
            namespaced=False,
        ),
        Resource(
            "MutatingWebhookConfiguration",
            "/apis/admissionregistration.k8s.io/v1",
            "mutatingwebhookconfigurations",
            namespaced=False,
        ),
        Resource("PodMetrics", "/apis/metrics.k8s.io/v1beta1", "pods"),
        Resource("NodeMetrics", "/apis/metrics.k8s.io/v1beta1", "nodes", namespaced=False),
        Resource("Certificate", "/apis/cert-manager.io/v1", "certificates"),
        Resource("Application", "/apis/argoproj.io/v1alpha1", "applications"),
        Resource("Kustomization", "/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
        Resource("HelmRelease", "/apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
    )
}


class UnseenError(Exception):
    """Something could not be read. ``unseen`` says what and why."""

    def __init__(self, unseen: Unseen) -> None:
        super().__init__(unseen.why)
        self.unseen = unseen


@dataclass(frozen=True, slots=True)
class Read:
    """A GET of a fixed path. ``what`` is the resource as a role names it.

    ``kind`` is empty for a log; ``pod``, ``container`` and ``previous`` are of a log; ``name`` of an object. ``accept``
    is the media type.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    what: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    pod: str = ""
    container: str = ""
    previous: bool = False
    accept: str = OBJECTS

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path

    @property
    def group(self) -> str:
        """The API group: ``apps`` of ``/apis/apps/v1/...``, empty for ``/api/v1/...``."""
        return self.path.split("/")[2] if self.path.startswith("/apis/") else ""


def segment(name: str) -> str:
    """Return a name that is safe in a path. Raises ValueError for what is no Kubernetes name."""
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no Kubernetes name"
        raise ValueError(message)
    return name


def is_name(name: str) -> bool:
    """Return True for a Kubernetes name: only such a one goes into a path."""
    return _NAME.fullmatch(name) is not None


def listing(kind: str, namespace: str = "", **fields: str) -> Read:
    """Return the read of a list; ``fields`` are selectors such as ``fieldSelector``. Raises ValueError."""
    resource = RESOURCES[kind]
    query = tuple(sorted(fields.items()))
    return Read(
        resource.path(namespace), (*query, ("limit", str(LIST_LIMIT))), resource.what, kind, namespace=namespace
    )


def single(kind: str, name: str, namespace: str = "") -> Read:
    """Return the read of one object. Raises ValueError for what is no Kubernetes name."""
    resource = RESOURCES[kind]
    return Read(resource.path(namespace, name), (), resource.plural, kind, namespace=namespace, name=name)


def log_of(
    namespace: str, pod: str, container: str, *, previous: bool, lines: int = LOG_LINES, timestamps: bool = True
) -> Read:
    """Return the read of the end of a container's log. Raises ValueError for what is no Kubernetes name."""
    path = f"{RESOURCES['Pod'].path(namespace, pod)}/log"
    query = [
        ("container", segment(container)),
        ("limitBytes", str(LOG_BYTES)),
        ("tailLines", str(lines)),
    ]
    if timestamps:
        query.append(("timestamps", "true"))
    if previous:
        query.append(("previous", "true"))
    return Read(path, tuple(query), "pods/log", namespace=namespace, pod=pod, container=container, previous=previous)


class Fetch(Protocol):
    """Sends one GET to the API server, by the deadline and with at most ``cap`` bytes. Raises UnseenError."""

    def __call__(self, target: str, deadline: Deadline, cap: int, accept: str) -> Response:
        """Return the answer, whatever its status."""


class _Flight:
    """A read under way, or its answer. Others wait for it instead of asking again."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.done = threading.Event()
        self.answer: Response | None = None
        self.error: UnseenError | None = None


class SharedReads:
    """Answers of one process, shared by all incidents for `SHARED_SECONDS`. Safe to share between threads.

    ``slots`` is acquired for each thread that reads: an API server that hangs costs a bounded number of them.
    """

    def __init__(self, fetch: Fetch, clock: Clock, close: Callable[[], None] = lambda: None) -> None:
        self.close = close
        self.slots = threading.BoundedSemaphore(MOST_THREADS)
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, str], _Flight] = {}

    def get(self, read: Read, deadline: Deadline, cap: int) -> Response:
        """Return the answer to a read, the present one or one of the last seconds. Raises UnseenError."""
        now, wanted = self._clock.monotonic(), (read.target, read.accept)
        with self._lock:
            self._flights = {key: each for key, each in self._flights.items() if now - each.at <= SHARED_SECONDS}
            flight = self._flights.get(wanted)
            leads = flight is None
            if flight is None:
                flight = self._flights[wanted] = _Flight(now)
        if leads:
            self._fly(read, flight, deadline, cap)
        else:
            flight.done.wait(deadline.left(now))
        if flight.answer is None:
            late = f"no answer within {self._clock.monotonic() - now:.1f} s"
            raise flight.error or UnseenError(Unseen(what=read.what, why=late))
        return flight.answer

    def _fly(self, read: Read, flight: _Flight, deadline: Deadline, cap: int) -> None:
        try:
            answer = self._fetch(read.target, deadline, LOG_BYTES if read.pod else cap, read.accept)
            if len(answer.body) < cap or read.pod:
                flight.answer = answer
            else:  # it was cut, so it is of no use to others either
                flight.error = UnseenError(Unseen(what=read.what, why=f"the answer is larger than {cap >> 10} KiB"))
        except UnseenError as error:
            flight.error = UnseenError(replace(error.unseen, what=error.unseen.what or read.what))
        finally:
            if flight.answer is None or flight.answer.status >= 400:
                with self._lock:  # a failure is not shared with later incidents
                    self._flights.pop((read.target, read.accept), None)
            flight.done.set()


@dataclass(slots=True)
class Allowance:
    """The calls and bytes that a page has left. Safe to share between threads."""

    calls: int = MOST_CALLS
    bytes: int = MOST_BYTES
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, what: str) -> int:
        """Count a call. Returns the bytes that its answer may have. Raises UnseenError where nothing is left."""
        with self.lock:
            if self.calls <= 0 or self.bytes <= 0:
                why = f"not read: a page asks at most {MOST_CALLS} questions and reads {MOST_BYTES >> 20} MiB"
                raise UnseenError(Unseen(what=what, why=why))
            self.calls -= 1
            return self.bytes

    def read(self, length: int) -> None:
        """Count the bytes of an answer."""
        with self.lock:
            self.bytes -= length


class Reader:
    """Reads for one page."""

    def __init__(self, shared: SharedReads, clock: Clock) -> None:
        self.slots = shared.slots
        self._get = shared.get
        self._clock = clock
        self._allowance = Allowance()

    def objects(self, read: Read, deadline: Deadline) -> tuple[Object, ...]:
        """Return the objects of a list, or the one object; none for a 404. Raises UnseenError."""
        answer = self._answer(read, deadline)
        if answer.status == 404:
            return ()
        refuse(answer, read)
        try:
            found = pruned(_JSON.decode(answer.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnseenError(Unseen(what=read.what, why="the answer is not JSON of the Kubernetes API")) from None
        return _objects(found, read)

    def answer(self, read: Read, deadline: Deadline) -> Response:
        """Return the answer to a read; one with a status other than 200 is a 404. Raises UnseenError."""
        answer = self._answer(read, deadline)
        if answer.status != 404:
            refuse(answer, read)
        return answer

    def log(self, read: Read, deadline: Deadline) -> Log:
        """Return the end of a log. Raises UnseenError."""
        answer = self._answer(read, deadline.earlier(LOG_SECONDS, self._clock.monotonic()))
        log = Log(namespace=read.namespace, pod=read.pod, container=read.container, previous=read.previous)
        if answer.status in {400, 404}:  # an answer: no earlier run, or the container is still waiting
            return replace(log, problem=message(answer.body) or "there is no log")
        refuse(answer, read)
        # The API cuts anywhere: the last line may end in half a secret, which has no form to be found by.
        body = answer.body if len(answer.body) < LOG_BYTES else answer.body.rpartition(b"\n")[0]
        text = redact(body.decode("utf-8", "replace"))
        lines = (sanitize_line(line, 500) for line in text.splitlines()[-LOG_LINES:])
        return replace(log, lines=tuple(line for line in lines if line))

    def _answer(self, read: Read, deadline: Deadline) -> Response:
        cap = self._allowance.take(read.what)
        answer = self._get(read, deadline, cap)
        self._allowance.read(len(answer.body))
        return answer


def refuse(answer: Response, read: Read) -> None:
    """Raise UnseenError for a status that is no answer. The API's own words name the right that is missing."""
    status, where = answer.status, f" in namespace {read.namespace}" if read.namespace else ""
    if status == 200:
        return
    if status == 403:
        verb = "get" if read.pod or read.name else "list"
        why = f"no right to {verb} {read.what}{where} (403)"
        verbs = '["get"]' if read.pod else '["get", "list"]'
        change = f'apiGroups: ["{read.group}"], resources: ["{read.what.partition(".")[0]}"], verbs: {verbs}'
        raise UnseenError(Unseen(what=read.what, why=why, change=change, where=where))
    if status == 401:
        raise UnseenError(Unseen(what=read.what, why="the API server refuses the token (401)"))
    if status == 429:
        raise UnseenError(Unseen(what=read.what, why="the API server throttles requests (429)"))
    raise UnseenError(Unseen(what=read.what, why=f"the API server answered {status}"))


def message(body: bytes) -> str:
    """Return the message of a Status of the API; empty where the body is none."""
    try:
        found = _JSON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return sanitize_line(str(found.get("message", "")), 200) if isinstance(found, dict) else ""


def _objects(found: Any, read: Read) -> tuple[Object, ...]:
    if not isinstance(found, dict) or "kind" not in found:
        raise UnseenError(Unseen(what=read.what, why="the answer is not an object of the Kubernetes API"))
    if not isinstance(found.get("items"), list):
        return (found,)
    listed: Sequence[Any] = found["items"]
    # The items of a list do not carry their kind.
    return tuple({**each, "kind": read.kind} for each in listed if isinstance(each, dict))
