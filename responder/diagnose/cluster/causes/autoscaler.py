"""Autoscalers: at their limit with real load, or unable to compute, and why."""

import re

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clock import ago
from responder.model.clue import Clue, Role
from responder.model.text import cut

#: The API of metrics does not answer, or knows no such metric: nothing that the template lacks.
_NO_METRICS = re.compile(
    r"unable to fetch metrics|no metrics returned|could not find the requested resource|"
    r"unable to get (?:pod|external) metric|the server is currently unable",
    re.IGNORECASE,
)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the autoscaler that the alert names, or with that of the subject."""
    named, workload = scene.place.named.get("HorizontalPodAutoscaler", ""), scene.workload
    found: list[Clue] = []
    for each in scene.of("HorizontalPodAutoscaler"):
        scaled = objects.at(each, "spec", "scaleTargetRef")
        target = f"{objects.text(scaled, 'kind')}/{objects.text(scaled, 'name')}"
        if objects.name(each) == named or (workload is not None and target == objects.reference(workload)):
            found += _clues(scene, each)
    return tuple(found)


def _clues(scene: Scene, scaler: Object) -> list[Clue]:
    name, entity = objects.name(scaler), objects.reference(scaler)
    scaled = objects.text(scaler, "spec", "scaleTargetRef", "name")
    target = f" of {scaled}" if scaled != name else ""
    most, now = objects.number(scaler, "spec", "maxReplicas"), objects.number(scaler, "status", "currentReplicas")
    active = objects.condition(scaler, "ScalingActive")
    reason = objects.text(active, "reason")
    if objects.text(active, "status") == "False" and reason != "ScalingDisabled":
        why = _brief(objects.text(active, "message")) or reason
        moment = objects.when(active, "lastTransitionTime")
        since = f" for {ago(scene.now, moment)}" if moment else ""
        says = f"autoscaler {name}{target} cannot compute{since} ({reason}), {now} replicas: {why}"
        code = "autoscaler-metrics" if _NO_METRICS.search(objects.text(active, "message")) else "autoscaler-blind"
        step = "Delete one of the autoscalers that select the same pods." if reason == "AmbiguousSelector" else ""
        return [Clue(code=code, role=Role.CAUSE, entity=entity, says=says, first_step=step)]
    able = objects.condition(scaler, "AbleToScale")
    if objects.text(able, "status") == "False":
        says = f"autoscaler {name} cannot scale {scaled}: {_brief(objects.text(able, 'message'))}"
        return [Clue(code="autoscaler-unable", role=Role.CAUSE, entity=entity, says=says)]
    limited = objects.condition(scaler, "ScalingLimited")
    at_most = objects.text(limited, "status") == "True" and objects.text(limited, "reason") == "TooManyReplicas"
    load = _load(scaler)
    if at_most or (most and now >= most):
        above = [part for part in load if part[1]]
        text = ", ".join(part[0] for part in above or load)
        if above:
            says = f"autoscaler {name}{target} is at its limit of {most} replicas with real load: {text}"
            return [Clue(code="autoscaler-limit", role=Role.CAUSE, entity=entity, says=says)]
        measured = text or "no metrics"
        says = f"autoscaler {name}{target} is at its limit of {most} replicas, load is below its target ({measured})"
        return [Clue(code="autoscaler-limit", role=Role.FACT, entity=entity, says=says)]
    low = objects.number(scaler, "spec", "minReplicas") or 1
    says = f"autoscaler {name} is within its limits: {now} replicas of {low} to {most}"
    return [Clue(code="autoscaler", role=Role.FACT, entity=entity, says=says)]


def _brief(said: str) -> str:
    """Return a message of the autoscaler's controller without the phrases that only repeat its reason."""
    for phrase in ("replica count: ", "current scale: ", " utilization: ", "metrics for resource cpu: "):
        said = said.partition(phrase)[2] or said
    return cut(said, 160)


def _load(scaler: Object) -> list[tuple[str, bool]]:
    """Return each measured metric beside its target, and whether it is above it."""
    targets: dict[str, Object] = {}
    for each in objects.items(scaler, "spec", "metrics"):
        targets[_metric(each)] = objects.at(each, *_target(each)) or {}
    found: list[tuple[str, bool]] = []
    for each in objects.items(scaler, "status", "currentMetrics"):
        name, current = _metric(each), objects.at(each, *_current(each)) or {}
        target = targets.get(name, {})
        for key in ("averageUtilization", "averageValue", "value"):
            is_, wanted = objects.quantity(objects.at(current, key)), objects.quantity(objects.at(target, key))
            if is_ is not None and wanted:
                unit = "%" if key == "averageUtilization" else ""
                shown = f"{objects.at(current, key)}{unit}", f"{objects.at(target, key)}{unit}"
                found.append((f"{name} {shown[0]} (target {shown[1]})", is_ > wanted))
                break
    return found


def _source(metric: Object) -> str:
    kind = objects.text(metric, "type")
    return kind[:1].lower() + kind[1:]


def _metric(metric: Object) -> str:
    source = _source(metric)
    return objects.text(metric, source, "name") or objects.text(metric, source, "metric", "name") or source


def _target(metric: Object) -> tuple[str, ...]:
    return _source(metric), "target"


def _current(metric: Object) -> tuple[str, ...]:
    return _source(metric), "current"
