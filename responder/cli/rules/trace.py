"""Trace of a decision: every step from an alert's labels to its channels."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from responder.cli.preview import Preview, preview
from responder.cli.rules.assumed_findings import answering, unused_answers
from responder.cli.rules.stored import StoredComparison
from responder.cli.samples import Sample
from responder.converse.reminders import described
from responder.diagnose.contract import ProbeQuestion
from responder.engine.effects.context import DecisionContext
from responder.model.alert import Labels
from responder.model.decision import Decision
from responder.model.delivery import Notification
from responder.model.rule import Severity
from responder.notify.report.compose import title
from responder.receive.alertmanager import read
from responder.runbooks.catalog import Runbooks
from responder.triage.matchers import matches
from responder.triage.rule_index import EvaluatedRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Decision with every step that led to it. ``decision`` is None if the payload is invalid; ``shown`` says why.

    ``questions`` are all probes of the rule, including skipped ones. ``runbook`` is the state of the runbook: ok, no
    such file, no such section, or none. ``dedup`` is the dedup key, ``gathered`` the labels it covers if the rule
    gathers several groups. ``truncated`` counts the alerts that max_alerts removed. ``revision`` is that of the rules,
    ``stored`` the comparison with a stored incident.
    """

    shown: Preview
    decision: Decision | None
    group_key: str = ""
    truncated: int = 0
    dedup: str = ""
    cluster: str = ""
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
    if effects is None or effects.decision is None:
        return Trace(shown=shown, decision=None)
    decision = effects.decision
    group = read(Notification(id=1, received_at=now, cluster=sample.cluster, body=sample.body))
    drafts = effects.messages
    labels = context.matching.labels_of(decision.match.alert)
    return Trace(
        shown=shown,
        decision=decision,
        group_key=group.group_key,
        truncated=group.truncated,
        dedup=decision.key or group.dedup_key,
        gathered={name: decision.match.alert.labels.get(name, "") for name in decision.rule.gather if decision.key},
        cluster=group.cluster,
        revision=context.book.revision,
        runbook=_runbook(decision, runbooks),
        questions=context.questions(
            decision.rule.probes, decision.subject, also=decision.probed[1:], runbook=decision.rule.runbook
        ),
        route=tuple(dict.fromkeys(rule_files.channel for rule_files in drafts)),
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
