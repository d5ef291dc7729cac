"""Jobs and CronJobs: why a run failed, how many of how many, and when one last succeeded."""

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import at_limit, containers, is_oom, logs_of
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.cluster.signature import signature
from responder.diagnose.cluster.usage import eviction
from responder.model.clock import ago
from responder.model.clue import Clue, Role
from responder.model.text import cut

_REASONS = {
    "BackoffLimitExceeded": "backoff limit reached",
    "DeadlineExceeded": "its deadline is exceeded",
    "PodFailurePolicy": "its pod failure policy ended it",
}
_LONGER = "Find out why it takes so long, or raise its deadline, then run it again: its work is not done."
_RUN_AGAIN = "Run it again on another node, with requests for what it uses: what it should have done is not done."


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return why the Job that the alert names failed, or the newest one of its CronJob."""
    workload = scene.workload
    if workload is None or objects.kind(workload) not in {"Job", "CronJob"}:
        return ()
    cron = workload if objects.kind(workload) == "CronJob" else None
    job = scene.job_of(cron) if cron is not None else workload
    clue = (_done(scene, job) or _failed(scene, job, cron) or _active(scene, job, cron)) if job is not None else None
    found = [clue] if clue is not None else []
    if cron is not None and not found:
        found += _schedule(scene, cron)
    return tuple(found)


def _done(scene: Scene, job: Object) -> Clue | None:
    """Return when the Job that the alert names succeeded, whatever its first attempts did."""
    done = objects.condition(job, "Complete")
    if objects.text(done, "status") != "True" or scene.place.named.get("Job") != objects.name(job):
        return None
    ended = objects.when(job, "status", "completionTime") or objects.when(done, "lastTransitionTime")
    failed = objects.number(job, "status", "failed")
    says = f"job {objects.name(job)} has succeeded{f' {ago(scene.now, ended)} ago' if ended else ''}"
    says += f", after {failed} failed attempt{'' if failed == 1 else 's'}" if failed else ""
    return Clue(code="job-done", role=Role.FINE, entity=objects.reference(job), says=says, since=ended)


def _failed(scene: Scene, job: Object, cron: Object | None) -> Clue | None:
    failed = objects.condition(job, "Failed")
    pods = scene.owned("Pod", job)
    broken = [each for each in pods if objects.text(each, "status", "phase") == "Failed"]
    over = objects.text(failed, "status") == "True"
    if objects.is_true(job, "Complete") or (not over and not broken):
        return None
    limit = objects.at(job, "spec", "backoffLimit")
    attempts = (limit if isinstance(limit, int) else 6) + 1
    count = max(objects.number(job, "status", "failed"), len(broken))
    reason = objects.text(failed, "reason")
    bad = [each for pod in broken for each in containers(pod) if each.ended and objects.at(each.ended, "exitCode") != 0]
    ends = {objects.at(each.ended, "exitCode") for each in bad}
    codes = f", exit {', '.join(str(each) for each in sorted(ends, key=str))}" if ends else ""
    inits = dict.fromkeys(each.name for each in bad if each.init)
    codes += f" of init container {', '.join(inits)}" if inits else ""
    killed = next((each for each in bad if is_oom(each)), None)
    why = next((found for log in logs_of(scene, broken) if (found := signature(log.lines))), "")
    gone = next((found for pod in broken if (found := _disrupted(scene, pod))), "") if killed is None else ""
    if killed is not None:
        why = f"container {killed.name} is OOM-killed{at_limit(killed)}"
    elif gone:
        codes, why = "", gone
    title = f"job {objects.name(cron if cron is not None else job)}"
    words = _REASONS.get(reason, reason or "not over yet")
    text = objects.text(failed, "message") if reason not in _REASONS else ""
    because = f": {why or text}" if why or text else ""
    deadline = objects.number(job, "spec", "activeDeadlineSeconds")
    ended = objects.when(failed, "lastTransitionTime")
    when = f" {ago(scene.now, ended)} ago" if ended else ""
    if reason == "DeadlineExceeded" and deadline:
        says = f"{title} was ended{when}: it ran longer than its deadline of {deadline} s (DeadlineExceeded){because}"
    elif count:
        says = f"{title} failed {count} of {max(attempts, count)} times ({words}{codes}){because}"
    else:
        says = f"{title} failed{when} ({words}{codes}){because}"
    if (completions := objects.number(job, "spec", "completions")) > 1:
        says += f"; {objects.number(job, 'status', 'succeeded')} of {completions} completions are done"
    says += _last_success(scene, cron)
    if not pods and over:
        says += "; its pods are deleted, so there is no log"
    return Clue(
        code="job-failed",
        role=Role.CAUSE,
        entity=objects.reference(job),
        says=says,
        since=objects.when(failed, "lastTransitionTime"),
        leads_to=scene.explaining(why) if why and not gone else (),
        reason=why,
        first_step=_RUN_AGAIN if gone else _LONGER if reason == "DeadlineExceeded" and not why else "",
    )


def _disrupted(scene: Scene, pod: Object) -> str:
    """Return who ended a pod from outside, on which node and why; empty if it ended by itself."""
    condition = objects.condition(pod, "DisruptionTarget")
    if objects.text(pod, "status", "reason") != "Evicted" and objects.text(condition, "status") != "True":
        return ""
    said = objects.text(pod, "status", "message") or objects.text(condition, "message")
    said, used, _ = eviction(said)
    using = f", {used}" if used else ""
    moment, node = objects.when(condition, "lastTransitionTime"), objects.text(pod, "spec", "nodeName")
    at = f" {ago(scene.now, moment)} ago" if moment else ""
    on = f" from node {node}" if node else ""
    reason = objects.text(condition, "reason")
    by = f" ({reason})" if reason not in {"", "TerminationByKubelet"} else ""
    return f"a pod was evicted{on}{at}{by}{f': {cut(said, 120)}' if said else ''}{using}"


def _active(scene: Scene, job: Object, cron: Object | None) -> Clue | None:
    """Return since when a Job that the alert names runs, and how far it is."""
    started = objects.when(job, "status", "startTime")
    if scene.place.named.get("Job") != objects.name(job) or not objects.number(job, "status", "active") or not started:
        return None
    done, wanted = objects.number(job, "status", "succeeded"), objects.number(job, "spec", "completions") or 1
    says = f"job {objects.name(job)} is active for {ago(scene.now, started)}, {done} of {wanted} completions are done"
    says += _last_success(scene, cron)
    return Clue(code="job-active", role=Role.FACT, entity=objects.reference(job), says=says, since=started)


def _last_success(scene: Scene, cron: Object | None) -> str:
    if cron is None:
        return ""
    last = objects.when(cron, "status", "lastSuccessfulTime")
    return f"; last success {ago(scene.now, last)} ago" if last else "; no run has succeeded that the CronJob knows of"


def _schedule(scene: Scene, cron: Object) -> list[Clue]:
    name, entity = objects.name(cron), objects.reference(cron)
    success = _last_success(scene, cron)
    if objects.at(cron, "spec", "suspend") is True:
        edits = [
            (moment, objects.text(each, "manager"))
            for each in objects.items(cron, "metadata", "managedFields")
            if not objects.text(each, "subresource") and (moment := objects.when(each, "time"))
        ]
        moment, manager = max(edits, default=(None, ""))
        edited = f" (last edited {ago(scene.now, moment)} ago by {manager or 'an unknown client'})" if moment else ""
        says = f"CronJob {name} is suspended{edited}{success}"
        return [Clue(code="job-suspended", role=Role.CAUSE, entity=entity, says=says)]
    active = [objects.text(each, "name") for each in objects.items(cron, "status", "active")]
    if active and objects.text(cron, "spec", "concurrencyPolicy") == "Forbid":
        says = f"CronJob {name} starts no run while {active[0]} is active{_state(scene, active[0])}"
        says += f" (concurrencyPolicy Forbid){success}"
        return [Clue(code="job-blocked", role=Role.CAUSE, entity=entity, says=says)]
    for event in scene.events_of(cron):
        if objects.text(event, "reason") in {
            "TooManyMissedTimes",
            "MissSchedule",
            "UnparseableSchedule",
            "InvalidSchedule",
        }:
            says = f"CronJob {name}: {cut(objects.text(event, 'message'), 150)}{success}"
            code = "job-missed" if "issed" in objects.text(event, "message") else "job-schedule"
            return [Clue(code=code, role=Role.CAUSE, entity=entity, says=says)]
    last = objects.when(cron, "status", "lastScheduleTime")
    scheduled = f"last scheduled {ago(scene.now, last)} ago" if last else "never scheduled"
    return [Clue(code="job-schedule", role=Role.FACT, entity=entity, says=f"CronJob {name} {scheduled}{success}")]


def _state(scene: Scene, name: str) -> str:
    """Return since when a Job is active, and the line of its log that says what it waits for."""
    job = scene.find("Job", name)
    if job is None:
        return ""
    started = objects.when(job, "status", "startTime") or objects.created(job)
    since = f" for {ago(scene.now, started)}" if started else ""
    logs = logs_of(scene, scene.owned("Pod", job))
    why = next((found for log in logs if (found := signature(log.lines, warnings=True))), "")
    return f"{since}: {why}" if why else since
