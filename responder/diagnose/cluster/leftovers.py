"""Pods that ended and that nothing waits for: of Jobs that succeeded since, of owners that are gone. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object


def leftovers(pods: Iterable[Object], jobs: Sequence[Object]) -> Mapping[str, str]:
    """Return why an ended pod is no fault, by the name of the pod: ``its job backup has succeeded since``.

    ``jobs`` are all Jobs of the namespace. The pods of a Job that failed are not among them, unless a later Job of the
    same CronJob succeeded. A ReplicaSet replaces pods that ended, such as evicted ones.
    """
    found: dict[str, str] = {}
    for pod in pods:
        kind, owner, uid = objects.controller(pod)
        if objects.text(pod, "status", "phase") not in {"Failed", "Succeeded"}:
            continue
        if kind == "ReplicaSet":
            found[objects.name(pod)] = "replaced by another pod"
        elif kind == "Job":
            job = next((each for each in jobs if objects.uid(each) == uid), None)
            if job is None:
                found[objects.name(pod)] = f"its job {owner} is gone"
            elif later := _succeeded(job, jobs):
                found[objects.name(pod)] = f"job {later} has succeeded since"
    return found


def _succeeded(job: Object, jobs: Iterable[Object]) -> str:
    """Return the name of a Job that succeeded: this one, or a later one of the same CronJob; empty without one."""
    if objects.is_true(job, "Complete"):
        return objects.name(job)
    cron, made = objects.controller(job)[2], objects.text(job, "metadata", "creationTimestamp")
    later = (
        each
        for each in jobs
        if cron and objects.controller(each)[2] == cron and objects.text(each, "metadata", "creationTimestamp") > made
    )
    return next((objects.name(each) for each in later if objects.is_true(each, "Complete")), "")
