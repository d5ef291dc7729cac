"""Answers of single pods to a request for their health: each is asked, never the Service for all."""

from collections import defaultdict

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.pods import is_ready, many
from responder.diagnose.cluster.scene import Health, Scene
from responder.model.clue import Clue, Role
from responder.model.text import cut


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the pods of the subject that fail their health check, or that every pod answers well."""
    workload = scene.workload
    pods = scene.pods_of(workload)
    asked = [(each, scene.health[objects.name(each)]) for each in pods if objects.name(each) in scene.health]
    if workload is None or not asked:
        return ()
    entity, name = objects.reference(workload), objects.name(workload)
    # A pod that the kubelet finds ready and that cannot be reached from here may be behind a network policy.
    failed = [(pod, each) for pod, each in asked if each.problem and (each.status or not is_ready(pod))]
    unclear = [each for pod, each in asked if each.problem and not (each.status or not is_ready(pod))]
    well = [each for _, each in asked if not each.problem]
    found: list[Clue] = []
    if failed:
        groups: dict[str, list[Health]] = defaultdict(list)
        for _, each in failed:
            groups[each.problem].append(each)
        why, worst = max(groups.items(), key=lambda each: len(each[1]))
        others = f"; {len(well)} answer well" if well else ""
        says = (
            f"{many(len(failed), len(pods))} of {name} fail the health check {_path(worst[0])}: {cut(why, 120)}{others}"
        )
        found.append(Clue(code="health", role=Role.SYMPTOM, entity=entity, says=says))
    elif well and len(well) == len(pods):
        slowest = max(each.seconds for each in well)
        count = many(len(well), len(pods))
        says = f"{count} of {name} answer {_path(well[0])} well, the slowest in {slowest * 1000:.0f} ms"
        found.append(Clue(code="health", role=Role.FINE, entity=entity, says=says))
    elif well:
        says = f"{len(well)} of {len(pods)} pods of {name} answer {_path(well[0])} well, the others were not asked"
        found.append(Clue(code="health", role=Role.FACT, entity=entity, says=says))
    if unclear:
        says = f"health of {many(len(unclear), len(pods))} of {name}: {cut(unclear[0].problem, 100)}"
        found.append(Clue(code="health-unseen", role=Role.UNSEEN, entity=entity, says=says))
    return tuple(found)


def _path(health: Health) -> str:
    """Return port and path of an address: ``:8080/ready``."""
    return ":" + health.url.partition("://")[2].rpartition(":")[2]
