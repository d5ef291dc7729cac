"""Codes of conclusions: the few words for a chain, and the first step where a rule gives none of its own.

A code is that of the clue that explains the alert, else of what is wrong and not explained, else of the change before.
`first_steps` of a rule file replaces a step by its code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Code:
    """``short`` follows the name of the object: ``accounts-db`` ``OOM-killed``.

    ``step`` is one sentence in which ``{ref}``, ``{name}`` and ``{in_ns}`` become ``deployment/plato``, ``plato`` and
    `` -n butterfly``, and ``{source}`` the pod and container whose log says more. ``undo`` is True where a rollout
    shortly before the alert explains it: the step is then to undo it.
    """

    short: str
    step: str
    undo: bool = False


_EVENTS: Final = "`kubectl describe {ref}{in_ns}`"

CODES: Final[Mapping[str, Code]] = {
    "node-lost": Code(
        "lost", "Check the machine of node {name} at the provider; replace it if it does not answer within 5 min."
    ),
    "node-gone": Code("is gone", "Find out why node {name} was deleted, and whether the pool replaces it."),
    "node-runtime": Code(
        "not ready", "Cordon node {name} (`kubectl cordon {name}`), then restart its kubelet or container runtime."
    ),
    "node-pressure": Code(
        "under pressure", "Cordon node {name} (`kubectl cordon {name}`), then free what is short on it."
    ),
    "node-noisy": Code(
        "taken by another pod",
        "Move the pod that takes it to another node, or limit it; then see who started it.",
    ),
    "node-full": Code("full", "Move pods to another node, or add one: `kubectl top pods -A --sort-by=cpu`."),
    "cpu-limit": Code("throttled", "Raise the CPU limit, or add replicas.", True),
    "budget-tight": Code("allows no eviction", "Add a replica, or relax the budget: `kubectl edit {ref}{in_ns}`."),
    "budget": Code("allows no eviction", "Bring its pods up; the budget allows evictions again when they are ready."),
    "evicted": Code("evicted", "Lower what its pods use of the short resource, or request it, so that they fit."),
    "volume-lost": Code("lost its volume", f"Do not delete anything; look for the volume at the provider: {_EVENTS}."),
    "volume-class": Code("has no storage class", "Create the storage class, or name an existing one in the claim."),
    "volume-provision": Code(
        "not provisioned", "Fix what the storage refuses (quota, zone, driver), then wait for it."
    ),
    "volume-pending": Code("pending", f"Read the events of the claim: {_EVENTS}."),
    "volume-mount": Code("cannot mount its volume", "Check the storage server that the volume is mounted from."),
    "volume-driver": Code(
        "has no CSI driver", "Check that the pods of the CSI driver run on that node, and restart them if they do not."
    ),
    "volume-read-only": Code(
        "file system is read-only", "Check the volume and its node for disk errors; then restart the pod elsewhere."
    ),
    "volume-full": Code("disk full", "Free space on the volume, or enlarge its claim; delete no data of a database."),
    "volume-resize": Code("not resized", f"Fix what keeps the claim from its new size: {_EVENTS}."),
    "volume-attached": Code(
        "waits for its volume", "Make sure the old pod has stopped, then delete it so that the volume is detached."
    ),
    "schedule-room": Code("does not fit on a node", "Lower the request to what a node has free, or add a node.", True),
    "schedule-preempted": Code(
        "took its place", "Add a node, or scale {name} down; then see whether it needs its priority."
    ),
    "schedule-taint": Code("tolerates no node's taint", "Add the toleration, or free nodes without the taint.", True),
    "schedule-label": Code(
        "finds no node with its label", "Label a node as the pod asks, or correct its selector or affinity.", True
    ),
    "schedule-affinity": Code("kept apart by affinity", "Add a node, uncordon one, or relax the affinity."),
    "schedule-cordon": Code("finds only cordoned nodes", "Uncordon a node, if its maintenance is over."),
    "schedule-volume": Code("has its volume in another zone", "Add a node in the zone of the volume."),
    "schedule-claim": Code("has an unbound claim", f"Read the events of the claim that it names: {_EVENTS}."),
    "schedule-pods": Code("finds only nodes with too many pods", "Add a node: each has as many pods as it may have."),
    "schedule-port": Code("finds its host port taken", "Stop what uses the host port, or add a node."),
    "schedule-spread": Code("kept apart by its spread", "Add a node in the zone that lacks one, or relax the spread."),
    "schedule-gate": Code("held by a scheduling gate", "Find the controller that must remove the gate."),
    "schedule-silent": Code("not scheduled", "Check that the scheduler runs: `kubectl get pods -n kube-system`."),
    "schedule": Code("not scheduled", f"Read why no node takes the pod: {_EVENTS}."),
    "admission-quota": Code("refuses pods", "Raise the quota, or free what it counts: scale down what is idle."),
    "admission-webhook": Code(
        "pods refused by a webhook", "Bring the webhook back, or ask its owner whether it may be skipped meanwhile."
    ),
    "admission-endpoint": Code(
        "pods refused: their webhook has no endpoints", "Bring up the pods of the webhook, or ask its owner to skip it."
    ),
    "admission-policy": Code(
        "pods refused by a policy", "Correct what the policy names, or ask its owner for an exception.", True
    ),
    "admission-security": Code(
        "pods refused by Pod Security", "Remove what the policy forbids from the template.", True
    ),
    "admission-account": Code("service account missing", "Create the service account that the pods name.", True),
    "admission-class": Code("class missing", "Create the class that the pods name, or correct the name.", True),
    "admission-limit": Code(
        "refused by a limit range", "Bring the template within the limit range, or change that.", True
    ),
    "admission-invalid": Code("template invalid", "Correct the field that the API server names.", True),
    "admission-namespace": Code(
        "namespace is being deleted", "Find out who deletes the namespace: nothing new can be created in it."
    ),
    "admission": Code("pods refused", f"Read why the API server refuses the pods: {_EVENTS}.", True),
    "image-tag": Code("image tag missing", "Push the missing tag, or deploy one that exists.", True),
    "image-rights": Code("may not pull its image", "Restore the pull secret, or the rights of its account.", True),
    "image-limit": Code("pull limit reached", "Wait for the limit to reset, or pull through a mirror or an account."),
    "image-registry": Code("registry not reachable", "Check the registry and its name from a node.", True),
    "image-space": Code("no disk for its image", "Free disk on the node: remove unused images."),
    "image-platform": Code("image of another architecture", "Build the image for the node's architecture.", True),
    "image-name": Code("image name invalid", "Correct the name of the image in the template.", True),
    "image-policy": Code("image not on the node", "Set the pull policy to IfNotPresent.", True),
    "image-pulling": Code("pulling its image", "Wait for the pull to end, then see why the node pulls so slowly."),
    "image": Code("cannot pull its image", f"Read what the registry answers: {_EVENTS}.", True),
    "config-key": Code("key missing", "Add the missing key, or correct the name that the template refers to.", True),
    "config-missing": Code("configuration missing", "Create the missing object, or correct the reference to it.", True),
    "config-command": Code("command missing", "Correct the command in the template.", True),
    "config-read-only": Code(
        "root file system is read-only", "Mount a volume where it writes, or allow writes in the template.", True
    ),
    "config-user": Code(
        "may not run as root", "Set a user other than root (runAsUser), or relax the security context.", True
    ),
    "config": Code("cannot start", "Read what the kubelet reports: `kubectl describe {source}{in_ns}`.", True),
    "crash-memory": Code(
        "OOM-killed", "Raise the memory limit if the node has free memory, then find out what uses the memory.", True
    ),
    "crash-heap": Code("heap full", "Raise the heap and the limit, or take load off it; keep a heap dump.", True),
    "crash-command": Code("command cannot start", "Correct the command in the template.", True),
    "crash-hook": Code(
        "killed by its postStart hook", "Correct the command of the postStart hook in the template.", True
    ),
    "crash-platform": Code(
        "image of another architecture",
        "Build the image for the architecture of its nodes, or choose others.",
        True,
    ),
    "crash-probe": Code("killed by its probe", "Give the probe more time; then see what makes the answer slow.", True),
    "crash-probe-path": Code("killed by its probe", "Correct the path or the port of the probe.", True),
    "crash-done": Code("ends by itself", "Correct the command: it must keep running, or be a Job.", True),
    "crash": Code(
        "crash-loops",
        "Fix what the last line of the log says; the whole log: `kubectl logs {source}{in_ns} --previous`.",
        True,
    ),
    "pods-network": Code(
        "get no network", "Check the pods of the network plug-in, and whether it has addresses left for the node."
    ),
    "pods-ending": Code(
        "does not end", "Find the controller of the finalizer; remove it by hand only when its work is done."
    ),
    "probe-path": Code("readiness path missing", "Correct the path of the readiness probe.", True),
    "probe-port": Code("readiness port refused", "Correct the port of the readiness probe.", True),
    "probe-timeout": Code(
        "readiness times out", "See what makes the readiness check slow: load, or a dependency.", True
    ),
    "unready-gate": Code("readiness gate not met", "Check the controller of the gate, such as the load balancer's."),
    "unready-init": Code("waits in an init container", f"Bring up what its init container waits for: {_EVENTS}.", True),
    "unready": Code("not ready", "Fix what the readiness check answers: it names what is not available.", True),
    "ingress-class": Code("ingress class missing", "Name an ingress class that exists.", True),
    "ingress-service": Code("leads to no Service", "Correct the Service that the Ingress names."),
    "ingress-port": Code("leads to no port", "Correct the port that the Ingress names."),
    "ingress": Code("leads nowhere", f"Compare the Ingress with its Services: {_EVENTS}."),
    "certificate": Code("not ready", "Fix what the issuer answers; if it expires soon, put in another certificate."),
    "certificate-expired": Code("expired", "Put in another certificate; then fix what the issuer answers."),
    "certificate-early": Code(
        "not valid yet", "Check the clocks of the issuer and of the node that reports it; then issue it again."
    ),
    "service-selector": Code("selects no pod", "Correct the selector of the Service: `kubectl edit {ref}{in_ns}`."),
    "service-port": Code("target port missing", "Correct the target port of the Service: `kubectl edit {ref}{in_ns}`."),
    "service-endpoints": Code(
        "has no usable endpoints", "Check kube-controller-manager, which writes the endpoints: selector and labels fit."
    ),
    "change-endpoints": Code(
        "gets its requests too", "See whether {name} is to get these requests; if not, change the labels of its pods."
    ),
    "service-unready": Code("has no ready endpoint", "Read why its pods are not ready."),
    "service-loopback": Code(
        "listens on loopback only", "Let the program listen on all addresses (0.0.0.0), not on 127.0.0.1."
    ),
    "policy-blocks": Code("blocks the connection", "Allow the connection in the NetworkPolicy, or undo its change."),
    "policy-dns": Code("blocks DNS", "Allow DNS (port 53) in the NetworkPolicy, or undo its change."),
    "policy-new": Code("is new", "See whether the connection works without the NetworkPolicy, or allow it there."),
    "dns-down": Code("down", "Read the log of CoreDNS: `kubectl logs -n kube-system -l k8s-app=kube-dns`."),
    "dns-upstream": Code(
        "gets no answer outside", "Check the name servers that CoreDNS forwards to, and the way to them from its nodes."
    ),
    "dns-name": Code("does not exist", "Correct the host name that the configuration gives.", True),
    "external": Code("fails at a host outside", "Check the status page of that host, and the way out of the cluster."),
    "call-port": Code("calls a wrong port", "Correct the port that its configuration gives.", True),
    "call-port-edited": Code("lost the port that is called", "Give the Service the port back, or change the callers."),
    "log-error": Code("logs errors", "Check what the error names; it began there or in what it depends on.", True),
    "autoscaler-limit": Code("at its limit", "Raise the maximum of the autoscaler, if its nodes and database bear it."),
    "autoscaler-blind": Code("cannot compute", "Give each container the request that the autoscaler needs.", True),
    "autoscaler-metrics": Code(
        "gets no metrics", "Check the API that serves its metrics: `kubectl get apiservices | grep metrics`."
    ),
    "autoscaler-unable": Code("cannot scale", f"Read the conditions of the autoscaler: {_EVENTS}."),
    "job-failed": Code(
        "failed", "Fix what its log says, then run it again: what it should have done is not done.", True
    ),
    "job-suspended": Code("suspended", "Find out who suspended it; resume it if the reason is over."),
    "job-blocked": Code("blocked by its last run", "End the run that hangs, so that the next can start."),
    "job-missed": Code(
        "no longer started", "Set startingDeadlineSeconds (`kubectl edit {ref}{in_ns}`), and run it once by hand."
    ),
    "job-schedule": Code("not scheduled", f"Read the events of the CronJob: {_EVENTS}."),
    "rollout-stuck": Code("rollout stuck", "Read why the new pods are not ready; the old ones still serve.", True),
    "rollout-paused": Code("rollout paused", "Resume or undo the rollout: `kubectl rollout resume {ref}{in_ns}`."),
    "scaled-down": Code("scaled to 0", "Scale it up again: `kubectl scale {ref}{in_ns} --replicas=N`."),
    "pods-old": Code("runs old pods", "Resume the rollout, or find out what holds it.", True),
    "health": Code("pods answer with errors", "Read what the health answer of the pod names as down.", True),
    "pods-unready": Code("pods not ready", f"Read why its pods are not ready: {_EVENTS}.", True),
    "pods-unseen": Code("pods not ready", "Read why its pods are not ready: `kubectl get pods{in_ns}`.", True),
    "change-rollout": Code(
        "rolled out", "Undo the rollout, if the errors began with it: `kubectl rollout undo {ref}{in_ns}`."
    ),
    "change-rollback": Code(
        "rolled back", "Read why it was rolled back; the old version may not bear what the new one wrote."
    ),
    "change-sync": Code("synced", "Revert the commit in Git, if the errors began with the sync."),
    "change-deploy": Code("deployed", "Go back to the version before, if the errors began with the deployment."),
    "change-scale-down": Code("scaled down", "Scale it up again: `kubectl scale {ref}{in_ns} --replicas=N`."),
    "change-scale": Code("scaled", "Scale it back, if the errors began then."),
    "change-created": Code("created", "Compare the new object with what uses it."),
    "change-new": Code("created", "Check whether the errors began with the new object; undo it if so."),
    "change-edit": Code("edited", "Check whether the errors began with the edit; undo it if so."),
}

#: An investigation that found nothing wrong: only for `first_steps`.
NONE: Final = "none"


def code_of(code: str) -> Code | None:
    """Return the entry of a code, or of its beginning: ``crash`` for ``crash-memory``."""
    return closest(code, CODES)


def closest(code: str, known: Mapping[str, Value]) -> Value | None:
    """Return the value of a code or of its longest beginning that is known; None if there is none."""
    while code:
        if code in known:
            return known[code]
        code = code.rpartition("-")[0]
    return None


def is_known(code: str) -> bool:
    """Return True for a code, or the beginning of some."""
    return code == NONE or any(each == code or each.startswith(f"{code}-") for each in CODES)
