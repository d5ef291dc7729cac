"""Trace of a decision, also as JSON: every step from an alert's labels to its channels. Findings may be assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from responder.cli.preview import Preview, Probe, changed_by_findings, label_of, preview, redacted, subject_fields
from responder.cli.rules import stored as then
from responder.cli.rules.stored import StoredComparison
from responder.cli.samples import Sample
from responder.converse.reminders import described
from responder.diagnose.contract import ProbeQuestion
from responder.engine.effects.context import DecisionContext
from responder.model.alert import Labels
from responder.model.finding import Finding, Verdict
from responder.model.incident import Decision
from responder.model.redaction import redact_value
from responder.model.rule import Severity
from responder.model.suggestions import nearest
from responder.notify.report.compose import title
from responder.runbooks.catalog import Runbooks
from responder.triage.matchers import matches
from responder.triage.rule_index import EvaluatedRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Decision with every step that led to it. ``decision`` is None if the payload is invalid; ``shown`` says why.

    ``questions`` are all probes of the rule, including skipped ones. ``runbook`` is the state of the runbook: ok, no
    such file, no such section, or none. ``dedup`` is the dedup key, ``gathered`` the labels it covers if the rule
    gathers several groups. ``revision`` is that of the rules, ``stored`` the comparison with a stored incident.
    """

    shown: Preview
    decision: Decision | None
    dedup: str = ""
    gathered: Mapping[str, str] = field(default_factory=dict)
    runbook: str = ""
    questions: tuple[ProbeQuestion, ...] = ()
    route: tuple[str, ...] = ()
    title: str = ""
    owner: str = ""
    also: tuple[str, ...] = ()
    revision: str = ""
    stored: StoredComparison | None = None

    @property
    def severity(self) -> Severity | None:
        """Final severity, after findings."""
        return self.shown.severity

    @property
    def suppressed_by(self) -> str:
        """Reason why a paging window holds the page; empty if none does."""
        adjusted = self.shown.adjusted
        if adjusted is not None:
            return adjusted.adjustment.suppressed_by
        return self.decision.suppressed_by if self.decision else ""

    @property
    def reason(self) -> str:
        """Reason of the severity, and of a held page."""
        if self.decision is None:
            return ""
        adjusted, match = self.shown.adjusted, self.decision.match.reason
        return "; ".join(filter(None, (match, adjusted.reason if adjusted else "", self.suppressed_by)))

    @property
    def page(self) -> bool:
        """True if on-call is paged."""
        return self.shown.page

    @property
    def times(self) -> str:
        """Times of the response and of updates, with their reminders; empty without a message."""
        if self.decision is None or self.severity is None or not self.route:
            return ""
        return described(self.severity, self.decision.rule.pages_in.get(self.severity.name))

    @property
    def budget(self) -> float:
        """Maximum wait of the page in seconds: the shortest budget of all severities that findings can lead to."""
        assert self.decision is not None
        adjustments = (adjustment.severity for adjustment in self.decision.adjustments)
        return min(each.page_budget for each in (self.decision.severity, *adjustments))


def trace(
    sample: Sample,
    context: DecisionContext,
    runbooks: Runbooks,
    now: datetime,
    findings: Mapping[str, str] | None = None,
    *,
    explain: bool = True,
) -> Trace:
    """Decide a payload with the triage of ``serve``; no probe runs, nothing is stored or sent.

    ``findings`` are assumed probe results by probe name, a word each. Without ``explain`` only the decision is made, in
    a third of the time: no other rules are evaluated, and no message is rendered.
    """
    probe = answering(findings) if findings else None
    shown = preview(sample, context, now, probe, explain=explain, rendered=explain)
    if findings and (problem := unused_answers(findings, shown.questions)):
        shown = replace(shown, problems=(*shown.problems, problem))
    effects = shown.effects
    if effects is None or effects.decision is None or shown.group is None:
        return Trace(shown=shown, decision=None)
    decision = effects.decision
    drafts = effects.messages
    labels = context.matching.labels_of(decision.match.alert)
    return Trace(
        shown=shown,
        decision=decision,
        dedup=decision.key or shown.group.dedup_key,
        gathered={name: decision.match.alert.labels.get(name, "") for name in decision.rule.gather if decision.key},
        revision=context.book.revision,
        runbook=_runbook(decision, runbooks),
        questions=context.questions(
            decision.rule.probes, decision.subject, also=decision.probed[1:], runbook=decision.rule.runbook
        ),
        route=tuple(dict.fromkeys(draft.channel for draft in drafts)),
        title=title(effects.content.decision, effects.content.findings) if effects.content else "",
        owner=effects.content.decision.owner if effects.content else decision.rule.owner,
        also=tuple(step.rule.id for step in shown.steps if step.matched is None and _would(step, labels)),
    )


def _would(step: EvaluatedRule, labels: Labels) -> bool:
    return all(matches(matcher, labels) for matcher in step.rule.matchers)


def _runbook(decision: Decision, runbooks: Runbooks) -> str:
    wanted = decision.rule.runbook
    if wanted is None:
        return "none"
    if wanted.is_url:
        return "a URL, not checked here"
    if wanted.file not in runbooks:
        return "no such file"
    return "ok" if not wanted.section or wanted.section in runbooks[wanted.file] else "no such section"


def answering(given: Mapping[str, str]) -> Probe:
    """Return a prober that gives these results, by probe name, and none for other probes."""
    return lambda questions: tuple(
        _finding(question, given[question.probe])
        for question in questions
        if question.probe in given and not question.skip
    )


def unused_answers(given: Mapping[str, str], questions: tuple[ProbeQuestion, ...]) -> str:
    """Return an error for results of probes that do not run; empty if there are none."""
    asked = {question.probe for question in questions if not question.skip}
    left = [name for name in given if name not in asked]
    if not left:
        return ""
    hint = nearest(left[0], asked)
    return f"the rule does not run {', '.join(left)}" + (f": {hint}" if hint else "")


def _finding(question: ProbeQuestion, word: str) -> Finding:
    warning = word == "warning"
    return Finding(
        probe=question.probe,
        kind=question.kind,
        target=question.target,
        verdict=Verdict.BAD if warning else Verdict(word),
        headline=f"{question.target}: {question.probe} is {word} (assumed)",
        query=question.query,
        origin=question.origin,
        warning=warning,
    )


def as_json(found: Trace) -> dict[str, Any]:
    """Return an element of ``rules explain --output json``. Scripts rely on its keys: add, never rename."""
    decision = found.decision
    group = found.shown.group
    if decision is None or group is None:
        return {"source": found.shown.source, "problems": redacted(list(found.shown.problems))}
    rule, subject, alert = decision.rule, decision.subject, decision.match.alert
    element: dict[str, Any] = {
        "source": found.shown.source,
        "problems": list(found.shown.problems),
        "alert": {
            "labels": _redacted_labels(alert.labels),
            "firing": alert.firing,
            "starts_at": alert.starts_at.isoformat(),
        },
        "alerts": len(decision.matches),
        "truncated": found.shown.truncated,
        "subject": subject_fields(subject),
        "rules": [_step_as_json(step, found) for step in found.shown.steps],
        "rule": rule.id,
        "place": str(rule.position),
        "action": rule.action.value,
        "severity": decision.severity.name,
        "severity_reason": decision.match.reason,
        "findings": changed_by_findings(found.shown),
        "held": found.suppressed_by or None,
        "shadow": str(decision.shadow) if decision.shadow else None,
        "dropped": list(decision.dropped_by),
        "owner": rule.owner or None,
        "note": rule.note or None,
        "runbook": {
            "target": str(rule.runbook) if rule.runbook else None,
            "found": found.runbook,
            "by_conclusion": {code: str(ref) for code, ref in rule.runbooks.items()},
        },
        "probes": [
            {
                "name": question.probe,
                "kind": question.kind,
                "target": question.target,
                "question": question.query,
                "skip": question.skip,
            }
            for question in found.questions
        ],
        "page_budget": found.budget,
        "route": list(found.route),
        "teams": list(decision.route.teams),
        "routed_by": decision.route.reason,
        "page": found.page,
        "times": found.times or None,
        "dedup": {
            "group_key": group.group_key,
            "key": found.dedup,
            "cluster": group.cluster,
            "gathered": _redacted_labels(found.gathered),
        },
        "title": found.title,
        "reason": decision.reason,
        **({"stored": then.as_json(found.stored)} if found.stored else {}),
    }
    return {name: redacted(each) for name, each in element.items()}


def _redacted_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: redact_value(name, value) for name, value in labels.items()}


def _step_as_json(step: EvaluatedRule, found: Trace) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "place": str(step.rule.position),
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": label_of(step),
        "would_match": step.rule.id in found.also if step.matched is None else step.matched or step.shadow,
        "shadow": step.shadow,
    }
