"""Explains an alert by the clues of an investigation: one cause with the steps that lead to it. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from responder.model.clue import Certainty, Clue, Role
from responder.model.incident import Subject

#: Clues that something else may explain: a program that ends, waits or complains because of what it depends on.
_WEAK = frozenset(
    {
        "crash",
        "crash-probe",
        "crash-probe-path",
        "unready",
        "unready-init",
        "probe-timeout",
        "job-failed",
        "log-error",
        "admission-webhook",
        "admission-endpoint",
        "autoscaler-limit",
        "autoscaler-blind",
        "autoscaler-metrics",
        "autoscaler-unable",
    }
)
#: Symptoms that a sentence about pods repeats.
_REPEATED = frozenset({"service-unready"})

_NOTHING = Clue(code="", role=Role.FACT, entity="", says="")
#: Names of instances: UUIDs and hashes, the two parts that a ReplicaSet appends to the name of a pod, and numbers.
_INSTANCE = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|-[0-9a-f]{6,10}-[a-z0-9]{5}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|\d+"
)
#: Characters of a signature.
_SIGNATURE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The cause, and the clues from the subject to it. ``cause`` is None if the cluster shows none.

    ``chain`` begins with the subject and ends with the cause. ``symptoms`` are true of the subject, and are not part
    of the chain.
    """

    cause: Clue | None
    chain: tuple[Clue, ...] = ()
    symptoms: tuple[Clue, ...] = ()
    changes: tuple[Clue, ...] = ()
    facts: tuple[Clue, ...] = ()
    fine: tuple[Clue, ...] = ()
    unseen: tuple[Clue, ...] = ()


def explain(clues: Iterable[Clue]) -> Explanation:
    """Return the explanation. It stops at the first object that explains the alert; further causes are not blamed."""
    clues = tuple(clues)
    own = _in_time(_of(clues, Role.CAUSE, 0), clues)
    symptoms = _of(clues, Role.SYMPTOM, 0)
    chain = _chain(own, symptoms, clues)
    cause = chain[-1] if chain and chain[-1].role is Role.CAUSE else None
    return Explanation(
        cause=cause,
        chain=chain,
        symptoms=tuple(each for each in symptoms if each not in chain and each.code not in _REPEATED),
        changes=tuple(each for each in clues if each.role is Role.CHANGE and not _in_chain(each, chain)),
        facts=tuple(each for each in clues if each.role is Role.FACT),
        fine=_of(clues, Role.FINE, 0),
        unseen=tuple(each for each in clues if each.role is Role.UNSEEN),
    )


def _in_time(own: tuple[Clue, ...], clues: Sequence[Clue]) -> tuple[Clue, ...]:
    """Return the causes without those that a rollout after the begin of the alert brought, if there are others."""
    late = next((each.since for each in clues if each.code == "change-after" and each.step == 0), None)
    return tuple(each for each in own if not (late and each.since and each.since >= late)) or own


def _in_chain(change: Clue, chain: Sequence[Clue]) -> bool:
    """Return True if a change is the cause itself, or the creation of the object that is."""
    return any(
        change.says == each.says or (change.code == "change-new" and change.entity == each.entity) for each in chain
    )


def _chain(own: Sequence[Clue], symptoms: Sequence[Clue], clues: Sequence[Clue]) -> tuple[Clue, ...]:
    """Return the clues from the subject to the cause; empty if there is none."""
    strong = [each for each in own if each.code not in _WEAK and each.certainty is not Certainty.COINCIDES]
    log = next((each for each in symptoms if each.leads_to), None)
    if strong:
        for each in strong:  # one that another one explains: a volume that hangs on a node, and the node that is lost
            if root := next((other for other in strong if other.entity in each.leads_to), None):
                return (each, root)
        # A program that ends or is not ready, as it cannot connect, is the step before what stops the connection.
        name = strong[0].entity.partition("/")[2]
        near = (each for each in own if each.code in _WEAK and (each.leads_to or name in each.reason))
        step = log or next(near, None)
        stops = strong[0].code.startswith(("policy", "dns", "certificate"))
        return (step, strong[0]) if step and stops else (strong[0],)
    weak = [each for each in own if each.code in _WEAK]
    first = weak[0] if weak else log
    if first is not None:
        further = _further(first, clues, first.step + 1)
        if further:
            return (first, *further)
    if first is not None and (change := _change_of(first, clues)) is not None:
        return (first, change)
    if weak:
        return (weak[0],)
    if not own and not symptoms:  # the catalog names what the subject depends on, where its logs say nothing
        beyond = _further(_NOTHING, clues, 1)
        return tuple(replace(each, certainty=Certainty.LIKELY) for each in beyond)
    return tuple(own[:1])


def _change_of(clue: Clue, clues: Sequence[Clue]) -> Clue | None:
    """Return the change of something that a clue leads to: it is well by what the cluster shows, but new."""
    found = (
        each
        for each in clues
        if each.role is Role.CHANGE and each.entity in clue.leads_to and each.code != "change-after"
    )
    change = max(found, key=lambda each: each.since.timestamp() if each.since else 0.0, default=None)
    return replace(change, role=Role.CAUSE, certainty=Certainty.LIKELY) if change else None


def _further(clue: Clue, clues: Sequence[Clue], step: int) -> tuple[Clue, ...]:
    """Return the causes that a clue leads to, step by step: of neighbors that have one."""
    causes = [
        each for each in _of(clues, Role.CAUSE, step) if each.certainty is not Certainty.COINCIDES or not each.leads_to
    ]
    if not clue.leads_to and clue is not _NOTHING:
        return ()
    linked = [each for each in causes if each.entity in clue.leads_to] or causes
    if not linked:
        return ()
    nearest = linked[0]
    deeper = _further(nearest, clues, step + 1) if nearest.code in _WEAK else ()
    return (nearest, *deeper)


def _of(clues: Iterable[Clue], role: Role, step: int) -> tuple[Clue, ...]:
    return tuple(each for each in clues if each.role is role and each.step == step)


def signature_of(known: Explanation, subject: Subject) -> str:
    """Return what is equal for equal causes: the code with the reason given, or else with the object; empty if unknown.

    Numbers and names of instances are left out, so that it is the same for each pod and after each rollout.
    """
    symptom = next((each for each in known.symptoms if each.reason), None)
    clue = known.cause or symptom
    if clue is None or clue.certainty is Certainty.COINCIDES:
        return ""
    what = clue.reason or f"{subject.namespace}/{clue.entity}"
    return f"{clue.code} {_INSTANCE.sub('#', what)}"[:_SIGNATURE_LIMIT]
