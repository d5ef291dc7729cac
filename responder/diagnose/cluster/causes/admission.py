"""Pods that the API server refuses to create: quota, limit range, webhook, Pod Security, missing service account."""

import re

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready, ready_of, wanted
from responder.diagnose.cluster.scene import Scene, last_seen, times
from responder.model.clue import Clue, Role
from responder.model.text import cut, sanitize_line

_QUOTA = re.compile(r"exceeded quota: (\S+?), requested: (.+?), used: (.+?), limited: (.+)")
#: A claim of a StatefulSet's pod that cannot be created, and the pod therefore not either.
_CLAIM = re.compile(r"failed to create PVC (\S+?):")
_MUST = re.compile(r"failed quota: (\S+?): must specify (.+)")
#: The containers, which newer versions name: ``limits.cpu for: app; limits.memory for: app``.
_FOR = re.compile(r" for: ([^;]+)")
_SET = "Set it in the template, or give the namespace a default with a LimitRange."
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request: ?(.*)', re.DOTALL)
#: Kyverno's words before the name of the policy.
_BLOCKED = re.compile(r"^(?:resource|policy) \S+ (?:was blocked due to|for resource violation:?)[^:]*? policies:? ?")
_WEBHOOK_DOWN = re.compile(r'failed calling webhook "([^"]+)": ?(.*)', re.DOTALL)
_NO_ENDPOINT = re.compile(r'no endpoints available for service "([^"]+)"')
_SECURITY = re.compile(r'violates PodSecurity "([^"]+)": ?(.*)', re.DOTALL)
_CLASS = re.compile(r'no (PriorityClass) with name (\S+) was found|(RuntimeClass) "([^"]+)" not found')
_ACCOUNT = re.compile(r'serviceaccount "([^"]+)" not found')
#: ``maximum memory usage per Container is 4Gi, but limit is 6Gi``; ``... but no limit is specified``; a ratio.
_LIMIT = re.compile(r"((?:maximum|minimum) \S+ usage per \S+ is .+|\S+ max limit to request ratio per \S+ is .+)")
_DELETED = re.compile(r"unable to create new content in namespace (\S+) because it is being terminated")
_INVALID = re.compile(r'"[^"]*" is invalid: (.+)', re.DOTALL)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the reason for which pods of the subject are not created, unless all are there by now.

    A Deployment says so in a condition; StatefulSets, DaemonSets and Jobs say it by events alone.
    """
    workload = scene.workload
    if workload is None:
        return ()
    if objects.kind(workload) == "CronJob":
        workload = scene.job_of(workload) or workload
    pods = scene.pods_of(workload)
    count, needed = len(pods), wanted(workload)
    if count >= needed and not _new_pods_missing(scene, workload):
        return ()
    failed = objects.condition(workload, "ReplicaFailure")
    said = objects.text(failed, "message") if objects.text(failed, "status") == "True" else ""
    makers = (workload, *scene.owned("ReplicaSet", workload))
    newest = max((moment for pod in pods if (moment := objects.created(pod))), default=None)
    # A pod that was made since shows that the refusal is over: many an install begins with one.
    events = [
        each
        for each in scene.events_of(*makers)
        if objects.text(each, "reason") == "FailedCreate"
        and (seen := last_seen(each)) is not None
        and (newest is None or seen > newest)
    ]
    said = said or (objects.text(events[0], "message") if events else "")
    if not said:
        return ()
    code, why = _why(scene, said)
    has = f"{objects.name(workload)} has {count} of {needed} pods"
    if count >= needed:
        well = f", {ready_of(pods)} old pods still serve" if any(map(is_ready, pods)) else ""
        has = f"the rollout of {objects.name(workload)} gets no new pods{well}"
    quota = _QUOTA.search(said) or _MUST.search(said)
    repeats = times(events[0]) if events else 0
    times_said = f", refused {repeats} times" if repeats > 1 else ""
    return (
        Clue(
            code=code,
            role=Role.CAUSE,
            entity=f"ResourceQuota/{quota[1]}" if quota else objects.reference(workload),
            says=f"{has}: {why}{times_said}",
            detail=said,
            first_step=_SET if _MUST.search(said) else "",
            leads_to=tuple(map(objects.reference, scene.called))
            if code in {"admission-webhook", "admission-endpoint"}
            else (),
        ),
    )


def _new_pods_missing(scene: Scene, workload: Object) -> bool:
    """Return True if a ReplicaSet has fewer pods than it is to have: the old ones may fill the count."""
    return any(
        objects.number(each, "spec", "replicas") > objects.number(each, "status", "replicas")
        for each in scene.owned("ReplicaSet", workload)
    )


def _why(scene: Scene, said: str) -> tuple[str, str]:
    """Return the code and the reason, with the numbers of the API server's message."""
    if match := _QUOTA.search(said):
        numbers = _numbers(match[2], match[3], match[4])
        claim = _CLAIM.search(said)
        by = f" by claim {claim[1]}" if claim else ""
        return "admission-quota", f"quota {match[1]}{_age(scene, match[1])} is exceeded{by} ({numbers})"
    if match := _MUST.search(said):
        what = _FOR.sub("", match[2]).strip(" .").replace("; ", " and ").replace(",", " and ")
        names = ", ".join(dict.fromkeys(each.strip(" .") for each in _FOR.findall(match[2])))
        sets = f"container {names} does not set it" if names else "the pods do not set it"
        return "admission-quota", f"quota {match[1]}{_age(scene, match[1])} makes {what} compulsory, and {sets}"
    if match := _WEBHOOK.search(said):
        why = _BLOCKED.sub("policy ", sanitize_line(match[2], 300))
        return "admission-policy", f"admission webhook {match[1]} denies them: {cut(why, 160)}"
    if match := _WEBHOOK_DOWN.search(said):
        why = match[2].strip().removeprefix("failed to call webhook: ")
        if none := _NO_ENDPOINT.search(why):
            return (
                "admission-endpoint",
                f"admission webhook {match[1]} cannot be called: its Service {none[1]} has no endpoints",
            )
        return "admission-webhook", f"admission webhook {match[1]} cannot be called: {cut(why, 150)}"
    if match := _SECURITY.search(said):
        return "admission-security", f'they violate Pod Security "{match[1]}": {cut(match[2].strip(), 160)}'
    if match := _ACCOUNT.search(said):
        return "admission-account", f"service account {match[1]} does not exist (not found)"
    if match := _CLASS.search(said):
        return "admission-class", f"{match[1] or match[3]} {match[2] or match[4]} does not exist (not found)"
    if match := _LIMIT.search(said):
        ranges = ", ".join(map(objects.name, scene.of("LimitRange")))
        return "admission-limit", f"limit range{f' {ranges}' if ranges else ''} forbids them: {cut(match[1], 150)}"
    if match := _DELETED.search(said):
        return "admission-namespace", f"namespace {match[1]} is being deleted (terminating)"
    if match := _INVALID.search(said):
        return "admission-invalid", f"their template is invalid: {cut(match[1], 160)}"
    return "admission", f"the API server refuses them: {cut(said, 180)}"


def _age(scene: Scene, quota: str) -> str:
    """Return when a quota was created, if that was lately."""
    found = scene.find("ResourceQuota", quota)
    moment = objects.created(found) if found is not None else None
    return f" (created {scene.minutes(moment)})" if is_recent(scene, moment) else ""


def _numbers(requested: str, used: str, limited: str) -> str:
    """Return ``requests.cpu 7800m of 8 used, 500m more requested`` for each resource."""
    asked, taken, hard = (
        dict(each.split("=", 1) for each in part.split(",") if "=" in each) for part in (requested, used, limited)
    )
    return "; ".join(
        f"{key} {taken.get(key, '?')} of {value} used, {asked.get(key, '?')} more requested"
        for key, value in hard.items()
    )
