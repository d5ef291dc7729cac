"""The looks of an investigation. To add one: a file here with ``look``, a line in LOOKS, a scenario in the tests."""

from collections.abc import Callable
from dataclasses import replace

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes import (
    admission,
    autoscaler,
    certificate,
    changes,
    config,
    crash,
    dependencies,
    endpoints,
    health,
    image,
    ingress,
    job,
    namespace,
    node,
    policy,
    readiness,
    rollout,
    scheduling,
    volume,
)
from responder.diagnose.cluster.scene import Scene
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
    namespace.look,
    rollout.look,
    changes.look,
)
#: Characters of a clue's sentence.
SENTENCE = 240
#: Steps from the subject to what its logs name, and on to what theirs name.
MOST_STEPS = 2
#: Kinds that an alert is about rather than the workload behind them: their clues come first.
_SUBJECTS = frozenset({"HorizontalPodAutoscaler", "PersistentVolumeClaim", "Node"})
#: Neighbors of one step that are followed.
_MOST_NEIGHBORS = 2
#: The clues that count of neighbors; their changes are among those of the subject.
_FOLLOWED = frozenset({Role.CAUSE, Role.SYMPTOM, Role.FINE})


def investigate(scene: Scene, steps: int = MOST_STEPS) -> tuple[Clue, ...]:
    """Return the clues of all looks about the subject, then those about what its logs name, step by step."""
    found = [clue for look in LOOKS for clue in look(scene)]
    named = {f"{kind}/{name}" for kind, name in scene.place.named.items() if kind in _SUBJECTS}
    found.sort(key=lambda clue: clue.entity not in named)
    for neighbor in scene.dependencies[:_MOST_NEIGHBORS] if steps else ():
        further = investigate(scene.about(neighbor), steps - 1)
        space = objects.text(neighbor, "metadata", "namespace")
        where = f"namespace {space}: " if space != scene.place.namespace else ""
        found += [
            replace(clue, step=clue.step + 1, says=f"{where}{clue.says}") for clue in further if clue.role in _FOLLOWED
        ]
    return tuple(dict.fromkeys(replace(clue, says=sanitize_line(clue.says, SENTENCE)) for clue in found))


def unseen(scene: Scene) -> tuple[Clue, ...]:
    """Return what could not be read, each reason once."""
    return tuple(
        Clue(code="unseen", role=Role.UNSEEN, entity=each.what, says=f"{each.what}: {each.why}", detail=each.change)
        for each in scene.unseen
    )
