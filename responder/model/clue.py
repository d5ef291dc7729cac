"""Clues: what a look at the scene shows, each about one object."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The part of a clue in a conclusion.

    A cause explains the alert or a step towards it. A symptom is true and needs an explanation. A change happened
    before. A fact is context. Fine is a look at the thing itself that found it well. Unseen could not be read.
    """

    CAUSE = "cause"
    SYMPTOM = "symptom"
    CHANGE = "change"
    FACT = "fact"
    FINE = "fine"
    UNSEEN = "unseen"


class Certainty(StrEnum):
    """Shown: the API or a log says so itself. Likely: the facts fit. Coincides: it only happened at the same time."""

    SHOWN = "shown"
    LIKELY = "likely"
    COINCIDES = "coincides"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """One thing seen. ``says`` is a sentence without a full stop, with its numbers, redacted, at most 300 characters.

    ``code`` is the name a rule uses (``first_steps: {crash-config: ...}``). ``entity`` is the object it is about, as
    ``Kind/name``, in ``namespace``. ``leads_to`` are entities that would explain it, if there is a clue about them:
    where a log names a Service that refuses, the Service. ``since`` is when it began, as far as the scene says.
    ``step`` is 0 for the subject of the alert, 1 for what its log names, and so on. ``detail`` goes to the thread only.
    ``first_step`` is the operator's own for a cause that a rule file names, empty for the step of the code.
    ``broken_by`` is the workload whose rollout ended what the cause is about, such as a label that a selector asks for;
    the first step is then to undo it, or ``first_step``.
    ``log`` are the pod and the container whose log says more, as `kubectl logs` takes them.
    ``age`` is that of ``since`` as ``says`` has it, ``14 min ago``; empty if it has none.
    ``reason`` is the part of ``says`` that a program or the API wrote: the same in every workload with the same fault.
    """

    code: str
    role: Role
    entity: str
    says: str
    certainty: Certainty = Certainty.SHOWN
    since: datetime | None = None
    age: str = ""
    leads_to: tuple[str, ...] = field(default=())
    step: int = 0
    namespace: str = ""
    detail: str = ""
    reason: str = ""
    first_step: str = ""
    broken_by: str = ""
    log: str = ""
