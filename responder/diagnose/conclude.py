"""Conclusion of the findings: likely cause, changes, ruled out, unknown, and the severity. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from responder.diagnose.explain import Explanation, explain, signature_of
from responder.model.clue import Certainty, Clue, Role
from responder.model.conclusion_codes import CODES, NONE, code_of
from responder.model.finding import Conclusion, Finding, Origin, Verdict, priority, worst_first
from responder.model.incident import FindingAdjustment, Subject
from responder.model.rule import FindingCondition
from responder.model.text import cut, number_of

#: The probe whose finding is the change, whatever its verdict.
RECENT_CHANGES = "recent-changes"

#: Seconds from which an answer is slow, and no evidence that all is well.
_SLOW_SECONDS = 1.0
_CERTAINTY = {
    Certainty.SHOWN: "shown by the cluster",
    Certainty.LIKELY: "likely",
    Certainty.COINCIDES: "coincides in time",
}
#: Codes of facts that say how the pods are.
_STATES = frozenset({"pods-ready", "rollout-under-way"})
#: Beginnings of codes that are about the pods of the subject.
_OF_PODS = frozenset(
    {
        "admission",
        "config",
        "crash",
        "health",
        "image",
        "node",
        "pods",
        "probe",
        "rollout",
        "scaled",
        "schedule",
        "unready",
        "volume",
    }
)
#: Kinds that a name does not tell.
_KINDS_NAMED = frozenset(
    {"Node", "Service", "NetworkPolicy", "Ingress", "ResourceQuota", "LimitRange", "Certificate", "PodDisruptionBudget"}
)
_WITHOUT_NAMESPACE = frozenset({"Node", "PersistentVolume", "StorageClass"})
#: Codes of a rollout, and of the sync that made it.
_UNDOABLE = ("change-rollout", "change-sync")
_REVERT = "Revert the commit in Git that was synced"
_UNDO = "`kubectl rollout undo {ref}{in_ns}`"
_LIMIT = 500
#: Bad findings that are named; the others are counted.
_NAMED = 3
_MOST_RULED_OUT = 6
_MOST_UNKNOWN = 3
#: The limit that was not exceeded, at the end of a headline.
_LIMITS = re.compile(r" \((?:warning|critical) [<>] [^)]*\)")
#: Sentences that say how many pods serve, or that none does.
_ALL = re.compile(r"\bstill serves?\b|\ball \d+ pods|the only pod|\d+ of \d+ pods (?:\S+ ){0,2}ready")
#: Resources that say nothing about the pods themselves.
_NOT_PODS = re.compile(r"pods/log|pods\.metrics\.k8s\.io")
#: A metric of kube-state-metrics in a query.
_OF_STATE = re.compile(r"\bkube_[a-z]+_")


def conclude(findings: Iterable[Finding], subject: Subject) -> Conclusion:
    """Return the conclusion of the findings about ``subject``. Parts without content are empty."""
    ranked = worst_first(findings)
    with_clues = tuple(finding for finding in ranked if finding.clue is not None)
    clues = tuple(finding.clue for finding in with_clues if finding.clue is not None)
    ranked = tuple(finding for finding in ranked if finding.clue is None)
    read = any(_is_of_cluster(finding) for finding in with_clues)
    ranked = tuple(_with_source(finding, read=read) for finding in ranked)
    changes = [finding for finding in ranked if finding.probe == RECENT_CHANGES]
    certain = [finding for finding in changes if finding.verdict in {Verdict.OK, Verdict.BAD}]
    # A change has its own part; it counts as unknown only if the probe failed.
    others = tuple(finding for finding in ranked if finding not in certain)
    if read:
        others = tuple(finding for finding in others if not _is_twin_without_data(finding))
    context = [finding for finding in others if finding.verdict in {Verdict.BAD, Verdict.OK} and not finding.judged]
    known = explain(clues)
    if known.cause is not None:
        context = [finding for finding in context if not _is_same_look(finding)]
    bad = _likely([each for each in others if each.verdict is Verdict.BAD and each.judged], subject)
    likely, evidence = _cause(known, bad)
    fine = [each.says for each in (() if _pods_suffer(known) else known.fine) if each.says not in likely]
    ruled_out = _ruled_out(_looked_at(others, known, subject), subject)
    code = _code(known, read=read)
    ages = (*((each.age, each.since) for each in clues), *((each.age, each.since) for each in ranked))
    return Conclusion(
        code=code,
        brief=_brief(known.cause, subject) if known.cause else _of_symptom(known.symptoms, subject),
        likely=likely,
        chain=_chain(known, subject),
        evidence=evidence,
        first_step=_step(code, known),
        changed=_changes(known, next(iter(certain), None), subject, read=read),
        ruled_out=_joined(*fine, ruled_out, by=" · "),
        unknown=_joined(*(each.says for each in known.unseen), _unknown(others, subject)),
        seen=_joined(*_facts(known), *(_without_subject(finding, subject) for finding in context)),
        signature=signature_of(known, subject),
        ages={age: since for age, since in ages if age and since},
    )


def _is_of_cluster(finding: Finding) -> bool:
    """Return True for something that was seen in the cluster."""
    return finding.origin is Origin.CLUSTER and finding.clue is not None and finding.clue.role is not Role.UNSEEN


def _with_source(finding: Finding, *, read: bool) -> Finding:
    """Return a figure of kube-state-metrics with its source, where the cluster was not read or the figure is bad.

    A page then shows which of the two said it: the API server, or what Prometheus scraped some time ago.
    """
    if finding.origin is not Origin.METRICS or not _OF_STATE.search(finding.query):
        return finding
    if finding.verdict is Verdict.BAD or (finding.verdict is Verdict.OK and not read):
        return replace(finding, headline=f"{finding.headline}, from kube-state-metrics")
    return finding


def _is_same_look(finding: Finding) -> bool:
    """Return True for a runbook step that shows by kubectl what the cause says: it would repeat the cause."""
    return finding.origin is Origin.OTHER and finding.verdict is Verdict.BAD and finding.query.startswith("kubectl ")


def _is_twin_without_data(finding: Finding) -> bool:
    """Return True for a figure that Prometheus has no data for. Where the cluster was read, nothing is missing."""
    silent = finding.verdict is Verdict.UNKNOWN and finding.headline.endswith("no data")
    return silent and finding.origin is Origin.METRICS


def _joined(*parts: str, by: str = "; ") -> str:
    return cut(by.join(dict.fromkeys(part for part in parts if part)), _LIMIT)


def _cause(known: Explanation, bad: str) -> tuple[str, str]:
    """Return the likely cause, one sentence with its certainty, and what else is wrong: the steps to it, the symptoms.

    Without a cause the symptoms are the most that can be said; without any the sentence says that none was found.
    """
    symptoms = [each.says for each in known.symptoms]
    if known.cause is not None:
        steps = [each.says for each in known.chain[:-1]]
        ready = _ready(known, known.cause)
        says = _joined(known.cause.says, ready)
        rest = [each for each in symptoms if each != ready]
        return f"{says} ({_CERTAINTY[known.cause.certainty]})", _joined(*steps, *rest, bad)
    if symptoms:
        return _joined(*symptoms, bad), ""
    looked = [each.says for each in known.facts if each.code in _STATES] + [each.says for each in known.fine]
    if not looked:
        return bad, ""
    where = "what could be read of the cluster" if known.unseen else "the cluster"
    nothing = _joined(f"no cause found in {where}: {', '.join(looked)}")
    return (bad, nothing) if bad else (nothing, "")


def _ready(known: Explanation, cause: Clue) -> str:
    """Return how many pods of the subject are ready, if the cause is about some of them and does not say it."""
    if cause.code.partition("-")[0] not in _OF_PODS or (cause.step == 0 and _ALL.search(cause.says)):
        return ""
    found = (each for each in (*known.symptoms, *known.facts) if each.code in {"pods-unready", "pods-ready"})
    says = next((each.says for each in found if each.step == 0), "")
    count, pods, _ = says.partition(" pods")
    return "" if count + pods in cause.says else says


def _code(known: Explanation, *, read: bool) -> str:
    """Return the code of the cause, else of the first symptom, else of the newest change before the alert.

    ``read`` is True if the cluster was read: then there is a code for nothing at all.
    """
    if known.cause is not None:
        return known.cause.code
    before = [each for each in known.changes if each.code in CODES]
    if found := (*known.symptoms, *before):
        return found[0].code
    return NONE if read else ""


def _chain(known: Explanation, subject: Subject) -> str:
    """Return ``nexus <- plato not ready <- plato-db OOM-killed``; empty where the cause is the subject's own."""
    if known.cause is None:
        return ""
    steps = [_brief(each) for each in known.chain]
    if subject.name and not _is_own(known.chain[0], subject):
        steps.insert(0, subject.name)
    return " <- ".join(dict.fromkeys(steps)) if len(steps) > 1 else ""


def _brief(clue: Clue, subject: Subject | None = None) -> str:
    """Return ``accounts-db OOM-killed``: for a title without the name of its subject, but with the reason."""
    code, kind = code_of(clue.code), clue.entity.partition("/")[0]
    named = [kind.lower() if kind == "Node" else kind] if kind in _KINDS_NAMED else []
    what = code.short if code else clue.code.replace("-", " ")
    if subject is None:
        return " ".join((*named, _name(clue), what))
    own = _is_own(clue, subject)
    if own and clue.reason:
        return clue.reason
    short = " ".join((*named, *([] if own else [_name(clue)]), what))
    return f"{short}: {clue.reason}" if clue.reason else short


def _of_symptom(symptoms: Sequence[Clue], subject: Subject) -> str:
    """Return the reason of the first symptom that has one, else the symptom in a few words if it is not of pods."""
    for each in symptoms:
        if each.reason:
            return each.reason
    rest = (each for each in symptoms if each.code in CODES and each.code.partition("-")[0] not in _OF_PODS - {"node"})
    return next((_brief(each, subject) for each in rest), "")


def _is_own(clue: Clue, subject: Subject) -> bool:
    """Return True if a clue is about the subject, or about the workload of the pod that is the subject."""
    name = _name(clue)
    return subject.name == name or (clue.step == 0 and subject.name.startswith(f"{name}-"))


def _name(clue: Clue) -> str:
    return clue.entity.partition("/")[2]


def _step(code: str, known: Explanation) -> str:
    """Return the first step that a clue brings or its code suggests. A rollout before the alert is undone first.

    That is one of what the clue is about, or one that broke it. One that Argo CD or Flux synced is reverted in Git:
    they would sync it again.
    """
    about = known.cause or next(iter((*known.symptoms, *known.changes)), None)
    fewer = next((each for each in known.changes if each.code == "change-scale-down"), None)
    if code == "log-error" and known.cause is None and fewer is not None:  # too few pods log errors, too
        about, code = fewer, fewer.code
    found = code_of(code)
    if about is not None and about.first_step and not about.broken_by:
        return about.first_step
    if found is None or about is None:
        return ""
    undoable = [each for each in known.changes if about.broken_by in {"", each.entity} or each.code != _UNDOABLE[0]]
    rollout, synced = (next((each for each in undoable if each.code == code), None) for code in _UNDOABLE)
    step = about.first_step or found.step.format(**_names(about))
    if about is rollout and synced is not None:
        return CODES["change-sync"].step
    if rollout is not None and (about.broken_by or (found.undo and _is_of(about, rollout))):
        undo = "Go back to the previous revision, " + _UNDO.format(**_names(rollout))
        return f"{_REVERT if synced else undo}; or {step[:1].lower()}{step[1:]}"
    return step


def _is_of(clue: Clue, rollout: Clue) -> bool:
    """Return True if a clue is about what was rolled out, or about a pod of it."""
    name = _name(rollout)
    return _name(clue) == name or (clue.entity.startswith("Pod/") and _name(clue).startswith(f"{name}-"))


def _names(clue: Clue) -> dict[str, str]:
    kind, _, name = clue.entity.partition("/")
    spaced = clue.namespace and kind not in _WITHOUT_NAMESPACE
    ref = f"{kind.lower()}/{name}"
    return {"ref": ref, "source": clue.log or ref, "name": name, "in_ns": f" -n {clue.namespace}" if spaced else ""}


def _pods_suffer(known: Explanation) -> bool:
    """Return True if pods of the subject are not well: the ready ones rule nothing out for the others."""
    own = (*known.chain, *known.symptoms)
    return any(each.step == 0 and each.code.partition("-")[0] in _OF_PODS for each in own)


def _looked_at(findings: Sequence[Finding], known: Explanation, subject: Subject) -> tuple[Finding, ...]:
    """Return the findings that may rule something out.

    An answer through the Service of the subject comes from one ready pod. It rules nothing out while anything of the
    subject is not well or its pods could not be read, nor does a slow answer.
    """
    unread = [_NOT_PODS.sub("", each.says) for each in known.unseen if each.code == "unseen"]
    blind = any("pods" in says or " more" in says for says in unread)  # pods may be among those not named
    doubt = known.cause is not None or bool(known.symptoms) or blind
    doubt |= any(each.verdict is Verdict.BAD and _is_about(each, subject) for each in findings)
    return tuple(
        each
        for each in findings
        if each.origin is not Origin.SERVICE
        or each.verdict is not Verdict.OK
        or (each.duration < _SLOW_SECONDS and not (doubt and _is_about(each, subject)))
    )


def _changes(known: Explanation, probed: Finding | None, subject: Subject, *, read: bool) -> str:
    """Return the changes that clues tell, and the one that the probe of changes found if the cluster was not read.

    Without a clue it is what that probe found, unless that is nothing and the cluster itself says so.
    """
    changes = [each.says for each in known.changes]
    if probed is not None and probed.verdict is Verdict.BAD and not (read and changes):
        changes.insert(0, _changed(probed, subject))
    quiet = next((each.says for each in known.facts if each.code == "change-none"), "")
    return _joined(*changes) or quiet or (_changed(probed, subject) if probed is not None else "")


def _facts(known: Explanation) -> list[str]:
    """Return the facts that the likely cause does not say already."""
    apart = known.fine and (known.cause is not None or known.symptoms)
    return [each.says for each in known.facts if each.code not in {"change-none", *(() if apart else _STATES)}]


def _changed(finding: Finding, subject: Subject) -> str:
    if finding.verdict is Verdict.BAD:
        return _without_subject(finding, subject)
    return f"no recent changes ({finding.headline.removeprefix(f'{finding.target}: ')})"


def _likely(bad: list[Finding], subject: Subject) -> str:
    if not bad:
        return ""
    # Among equal verdicts, evidence about the subject itself comes before evidence about its neighbors.
    own = sorted(bad, key=lambda finding: (priority(finding), not _is_about(finding, subject)))
    text = "; ".join(_without_subject(finding, subject) for finding in own[:_NAMED])
    more = f"; and {len(own) - _NAMED} more" if len(own) > _NAMED else ""
    return cut(text + more, _LIMIT)


def _is_about(finding: Finding, subject: Subject) -> bool:
    return finding.target in {subject.service, subject.name}


def _ruled_out(findings: Sequence[Finding], subject: Subject) -> str:
    """Return the ok findings in words; of probes that have a finding for each target, the targets."""
    facts: list[str] = []
    healthy: list[str] = []
    doubtful = {finding.probe for finding in findings if finding.verdict in {Verdict.BAD, Verdict.UNKNOWN}}
    for finding in findings:
        if finding.verdict is not Verdict.OK or not finding.judged:
            continue
        if finding.probe in doubtful and not finding.names_target:
            continue
        if finding.names_target:
            healthy.append(finding.target)
        else:
            facts.append(_LIMITS.sub("", _without_subject(finding, subject)))
    targets = [f"{', '.join(dict.fromkeys(healthy))} healthy"] if healthy else []
    return cut(" · ".join([*_some(facts, _MOST_RULED_OUT), *targets]), _LIMIT)


def _unknown(findings: tuple[Finding, ...], subject: Subject) -> str:
    missing = [finding for finding in findings if finding.verdict is Verdict.UNKNOWN]
    missing.sort(key=lambda finding: finding.origin is not Origin.CLUSTER)  # the first ones are shown
    facts = [_without_subject(finding, subject) for finding in missing]
    skipped = sum(finding.verdict is Verdict.SKIPPED for finding in findings)
    parts = [*_some(facts, _MOST_UNKNOWN), *([f"{number_of(skipped, 'check')} skipped"] if skipped else [])]
    return cut("; ".join(parts), _LIMIT)


def _without_subject(finding: Finding, subject: Subject) -> str:
    """Return the headline, without the target where that is the subject, which the title names."""
    return finding.headline.removeprefix(f"{finding.target}: ") if _is_about(finding, subject) else finding.headline


def _some(texts: Sequence[str], most: int) -> list[str]:
    kept = list(dict.fromkeys(texts))
    return [*kept[:most], *([f"and {len(kept) - most} more"] if len(kept) > most else [])]


#: The worst first.
_WORDS = ("bad", "warning", "unknown", "ok")


def matching_adjustment(
    adjustments: Iterable[FindingAdjustment], findings: Sequence[Finding]
) -> tuple[FindingAdjustment, str] | None:
    """Return the adjustment that applies and its findings in one sentence; None if none applies."""
    for adjustment in adjustments:
        said = [_met(condition, findings) for condition in adjustment.findings]
        if all(said):
            return adjustment, " and ".join(said)
    return None


def result_name(finding: Finding) -> str:
    """Return the result as rules name it: ok, warning, bad, unknown; empty if the check was skipped."""
    if finding.verdict is Verdict.SKIPPED:
        return ""
    return "warning" if finding.warning and finding.verdict is Verdict.BAD else finding.verdict.value


def _met(condition: FindingCondition, findings: Sequence[Finding]) -> str:
    """Return the finding that meets the condition, in its own words; of a probe with several the worst counts."""
    answers = [finding for finding in findings if finding.probe == condition.probe and result_name(finding)]
    worst = min(answers, key=lambda each: _WORDS.index(result_name(each)), default=None)
    if worst is None or result_name(worst) not in condition.words:
        return ""
    return worst.headline
