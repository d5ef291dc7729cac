"""Causes that an operator names in a rule file: by a text in the logs and events of the subject."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import logs_of
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.diagnose.cluster.signature import recent, without_time
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import sanitize_line

#: A line or an event counts if it is at most so much older than the alert.
_BEFORE = timedelta(minutes=30)
#: Characters of the line that is quoted.
_QUOTED = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCause:
    """A text that means a cause, in any case; ``says`` is the cause as a phrase, ``step`` the first step."""

    #: For pydantic: an unknown key in a rule file is a problem.
    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}

    contains: str = field(metadata={"help": "text of a log line or event"})
    says: str = field(metadata={"help": "the cause, as a phrase"})
    step: str = field(default="", metadata={"help": "the first step; empty: the rule's"})


def look(scene: Scene, causes: Mapping[str, NamedCause]) -> tuple[Clue, ...]:
    """Return the causes whose text stands in the latest logs or events of the subject, in the order of the file."""
    workload = scene.workload
    if workload is None or not causes:
        return ()
    texts = list(_texts(scene, workload))
    clues = []
    for code, cause in causes.items():
        found = next((each for each in texts if cause.contains.casefold() in each.casefold()), "")
        if found:
            quoted = sanitize_line(without_time(found), _QUOTED)
            clues.append(
                Clue(
                    code=code,
                    role=Role.CAUSE,
                    entity=objects.reference(workload),
                    says=f"{objects.name(workload)}: {cause.says} ({quoted})",
                    certainty=Certainty.LIKELY,
                    reason=cause.says,
                    first_step=cause.step,
                )
            )
    return tuple(clues)


def _texts(scene: Scene, workload: Object) -> Iterator[str]:
    """Yield log lines, the newest first, then messages of warnings about the workload, its ReplicaSets and pods."""
    since, pods = scene.began - _BEFORE, scene.pods_of(workload)
    for log in logs_of(scene, pods):
        yield from reversed(recent(log.lines, since))
    for event in scene.events_of(workload, *scene.owned("ReplicaSet", workload), *pods):
        seen = last_seen(event)
        if objects.text(event, "type") == "Warning" and seen is not None and seen >= since:
            yield objects.text(event, "message")
