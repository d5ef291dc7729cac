"""The looks of an investigation. To add one: a file here with ``look``, a line in LOOKS, a scenario in the tests."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes import (
    admission,
    autoscaler,
    budget,
    certificate,
    changes,
    config,
    crash,
    dependencies,
    endpoints,
    gitops,
    health,
    image,
    ingress,
    job,
    named,
    namespace,
    node,
    policy,
    readiness,
    rollout,
    scheduling,
    usage,
    volume,
)
from responder.diagnose.cluster.scene import Scene, Unseen
from responder.model.clue import Clue, Role
from responder.model.text import sanitize_line

#: Each is pure: the clues that a scene gives, none if there are none.
LOOKS: tuple[Callable[[Scene], tuple[Clue, ...]], ...] = (
    node.look,
    volume.look,
    scheduling.look,
    admission.look,
    image.look,
    config.look,
    crash.look,
    readiness.look,
    ingress.look,
    certificate.look,
    endpoints.look,
    policy.look,
    dependencies.look,
    autoscaler.look,
    job.look,
    health.look,
    budget.look,
    usage.look,
    namespace.look,
    rollout.look,
    changes.look,
    gitops.look,
)
#: Characters of a clue's sentence.
SENTENCE = 300
#: Resources that share a reason and are named, and the part of a reason that differs between them.
_MOST_UNSEEN = 3
_SECONDS = re.compile(r"\d+(\.\d+)? (ms|s)\b")
#: Steps from the subject to what its logs name, and on to what theirs name.
MOST_STEPS = 2
#: Kinds that an alert is about rather than the workload behind them: their clues come first.
_SUBJECTS = frozenset({"HorizontalPodAutoscaler", "PersistentVolumeClaim", "Node", "PodDisruptionBudget"})
#: Neighbors of one step that are followed.
_MOST_NEIGHBORS = 2
_PLACED = "namespace "
#: The clues that count of neighbors; their changes are among those of the subject.
_FOLLOWED = frozenset({Role.CAUSE, Role.SYMPTOM, Role.FINE})


def investigate(
    scene: Scene, steps: int = MOST_STEPS, causes: Mapping[str, named.NamedCause] = MappingProxyType({})
) -> tuple[Clue, ...]:
    """Return the clues of all looks about the subject, then those about what its logs name, step by step.

    ``causes`` are those that the operator names, by code: they come first.
    """
    found = [*named.look(scene, causes), *(clue for look in LOOKS for clue in look(scene))]
    subjects = {f"{kind}/{name}" for kind, name in scene.place.named.items() if kind in _SUBJECTS}
    found.sort(key=lambda clue: clue.entity not in subjects)
    for neighbor in scene.dependencies[:_MOST_NEIGHBORS] if steps else ():
        further = investigate(scene.about(neighbor), steps - 1, causes)
        space = objects.namespace(neighbor)
        where = f"namespace {space}: " if space != scene.place.namespace else ""
        found += [
            replace(
                clue, step=clue.step + 1, says=clue.says if clue.says.startswith(_PLACED) else f"{where}{clue.says}"
            )
            for clue in further
            if clue.role in _FOLLOWED
        ]
    own = scene.place.namespace
    whole = (replace(each, says=sanitize_line(each.says, SENTENCE), namespace=each.namespace or own) for each in found)
    return tuple(dict.fromkeys(replace(each, age=_age(scene, each)) for each in whole))


def _age(scene: Scene, clue: Clue) -> str:
    """Return the age of a clue if its sentence has it: ``14 min ago``."""
    age = scene.minutes(clue.since)
    return age if age in clue.says else ""


def unseen(scene: Scene) -> tuple[Clue, ...]:
    """Return what could not be read: each reason once, whatever its seconds; missing rights with the rule to add."""
    missing: dict[tuple[str, str], list[Unseen]] = {}
    groups: dict[str, list[Unseen]] = {}
    for each in scene.unseen:
        if each.change:
            missing.setdefault((each.where, each.what.partition(".")[2]), []).append(each)
        else:
            groups.setdefault(_SECONDS.sub("", each.why), []).append(each)
    rights = (_rights(where, found) for (where, _), found in missing.items())
    return (*rights, *(_unseen(group) for group in groups.values()))


def _unseen(group: Sequence[Unseen]) -> Clue:
    what = list(dict.fromkeys(each.what for each in group))
    more = f" and {len(what) - _MOST_UNSEEN} more" if len(what) > _MOST_UNSEEN else ""
    says = f"{', '.join(what[:_MOST_UNSEEN])}{more}: {group[0].why}"
    return Clue(code="unseen", role=Role.UNSEEN, entity=what[0], says=says)


def _rights(where: str, missing: Sequence[Unseen]) -> Clue:
    names = list(dict.fromkeys(each.what for each in missing))
    more = f" and {len(names) - _MOST_UNSEEN} more" if len(names) > _MOST_UNSEEN else ""
    quoted = ", ".join(f'"{name}"' for name in names)
    rule = missing[0].change if "." in names[0] else f'resources: [{quoted}], verbs: ["get", "list"]'
    add = rule if not more else "see the output of responder doctor"
    verb = "get" if names == ["pods/log"] else "list"
    says = f"no right to {verb} {', '.join(names[:_MOST_UNSEEN])}{more}{where} (403); add to the role: {add}"
    return Clue(code="unseen", role=Role.UNSEEN, entity=names[0], says=says, detail=rule)
