"""Preview of one payload: triage, plan and rendering as in ``serve``, with no effect carried out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from responder.cli.samples import Sample
from responder.diagnose.contract import ProbeQuestion
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext, History
from responder.engine.pipeline import with_diagnosis
from responder.model.alert import AlertGroup
from responder.model.delivery import AdjustedSeverity, Effects, Notification
from responder.model.finding import Finding
from responder.model.incident import Subject
from responder.model.message import OutboxMessage, OutboxRow, Request
from responder.model.redaction import redact, redact_value
from responder.model.report import MessageKind
from responder.model.rule import Severity
from responder.notify.contract import Channel
from responder.notify.delivery.route import named_by_rules, replaces
from responder.notify.report.compose import compose_message, runbook_and_links
from responder.receive.alertmanager import InvalidPayload, read
from responder.triage.rule_index import EvaluatedRule

#: Runs probes; None in a preview without probes.
Probe = Callable[[tuple[ProbeQuestion, ...]], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests of one channel, in order."""

    channel: Channel
    requests: tuple[Request, ...]

    @property
    def key(self) -> str:
        """Name of the channel in rule files."""
        return replaces(self.channel) or self.channel.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Result of a preview. ``effects`` is None if the payload is invalid; ``problems`` says why.

    ``page`` is True if on-call is paged. ``adjusted`` is the severity changed by findings, None if unchanged.
    ``skipped`` are the questions of a rule none of whose probes can run. ``group`` is what the payload says.
    """

    source: str
    effects: Effects | None
    questions: tuple[ProbeQuestion, ...] = ()
    skipped: tuple[ProbeQuestion, ...] = ()
    findings: tuple[Finding, ...] = ()
    steps: tuple[EvaluatedRule, ...] = ()
    sent: tuple[Sent, ...] = ()
    page: bool = False
    problems: tuple[str, ...] = ()
    adjusted: AdjustedSeverity | None = None
    group: AlertGroup | None = None

    @property
    def truncated(self) -> int:
        """Number of alerts that ``max_alerts`` removed."""
        return self.group.truncated if self.group else 0

    @property
    def severity(self) -> Severity | None:
        """Final severity, after findings."""
        if self.adjusted is not None:
            return self.adjusted.adjustment.severity
        return self.effects.decision.severity if self.effects and self.effects.decision else None


def preview(
    sample: Sample,
    context: DecisionContext,
    now: datetime,
    probe: Probe | None,
    *,
    explain: bool = False,
    rendered: bool = True,
) -> Preview:
    """Decide a payload as the first of its group; if nothing fires, as the resolve of an open incident.

    ``explain`` also evaluates each rule by itself, which is slow with thousands of rules. Without ``rendered`` there
    are no requests in the result.
    """
    if sample.problem:
        return Preview(source=sample.source, effects=None, problems=(sample.problem,))
    notification = Notification(id=2, received_at=now, cluster=sample.cluster, body=sample.body)
    try:
        group = read(notification)
    except InvalidPayload as error:
        return Preview(source=sample.source, effects=None, problems=(str(error),))
    effects = pipeline.triage(group, notification, _before(group, notification, context), context)
    decision = effects.decision
    assert decision is not None
    request = effects.request
    questions: tuple[ProbeQuestion, ...] = ()
    if request:
        about = request.began, request.also, request.runbook
        questions = context.questions(request.probes, decision.subject, *about)
    skipped = () if request or not group.firing else context.questions(decision.rule.probes, decision.subject)
    findings = probe(questions) if probe and questions else ()
    adjusted = None
    if findings and effects.request:
        diagnosed = pipeline.diagnose(effects.request, findings, context)
        effects, adjusted = with_diagnosis(effects, effects.request, diagnosed, context, now), diagnosed.adjusted
    return Preview(
        source=sample.source,
        effects=effects,
        questions=questions,
        skipped=skipped,
        findings=findings,
        steps=context.matching.explain(context.matching.labels_of(decision.match.alert)) if explain else (),
        sent=_sent(effects, context, now) if rendered else (),
        page=any(
            context.channels[message.channel].pages and message.kind is not MessageKind.RESOLUTION
            for message in effects.messages
        ),
        adjusted=adjusted,
        group=group,
    )


def cut_off(count: int) -> str:
    """Explain the consequences of a truncated notification."""
    were = "1 alert was" if count == 1 else f"{count:,} alerts were"
    return (
        f"{were} removed by Alertmanager's max_alerts. The decision uses the remaining alerts; a removed one may be "
        "more severe or match another rule. A truncated notification never resolves its incident"
    )


def runbook_of(shown: Preview) -> str:
    """Return the runbook that the page links, as its address or else its file; empty for none."""
    if shown.effects is None or shown.effects.content is None:
        return ""
    link, _ = runbook_and_links(shown.effects.content.decision, shown.effects.content.conclusion)
    return (link.href or link.text.removeprefix("Runbook: ")) if link else ""


def _before(group: AlertGroup, notification: Notification, context: DecisionContext) -> History:
    """Return the incident that the same alerts would have opened, if all of them are resolved now."""
    if group.firing or not group.alerts:
        return History()
    earlier = replace(notification, id=1)
    fired = replace(group, truncated=0, alerts=tuple(replace(each, firing=True, ends_at=None) for each in group.alerts))
    begun = pipeline.triage(fired, earlier, History(), context)
    return History(begun.incident, begun.content)


def _sent(effects: Effects, context: DecisionContext, now: datetime) -> tuple[Sent, ...]:
    found: dict[str, list[Request]] = {}
    for message in effects.messages:
        found.setdefault(message.channel, []).append(_rendered(message, effects, context, now))
    return tuple(Sent(context.channels[name], tuple(requests)) for name, requests in found.items())


def _rendered(message: OutboxMessage, effects: Effects, context: DecisionContext, now: datetime) -> Request:
    """Return the exact request a channel would send."""
    channel = context.channels[message.channel]
    begins = message.kind is MessageKind.START and message.step == channel.steps[MessageKind.START][0]
    answers = {} if begins else {"channel": "C0000000000", "ts": "0000000000.000000"}
    row = OutboxRow(
        id=0, message=message, content=effects.content, attempt=1, minimal=False, written_at=now, previous=answers
    )
    return channel.render(compose_message(row, now))


def as_json(shown: Preview, *, explain: bool) -> bytes:
    """Element of ``dry-run --output json``. Scripts rely on its keys: add, never rename."""
    return msgspec.json.encode(redacted(_element(shown, explain=explain)))


def redacted(element: Any) -> Any:
    """Redact the secrets in the strings of a JSON value."""
    if isinstance(element, str):
        return redact(element)
    if isinstance(element, dict):
        return {name: redacted(each) for name, each in element.items()}
    return [redacted(each) for each in element] if isinstance(element, list) else element


def label_of(step: EvaluatedRule) -> str | None:
    """Return the redacted value of the label of a rule's first failed matcher."""
    return redact_value(step.failed.name, step.got) if step.failed else None


def _element(shown: Preview, *, explain: bool) -> dict[str, Any]:
    decision = shown.effects.decision if shown.effects else None
    names = sorted(named_by_rules())
    payloads = {each.key: [msgspec.Raw(one.body) for one in each.requests] for each in shown.sent if each.key in names}
    element: dict[str, Any] = {
        "source": shown.source,
        "rule": decision.rule.id if decision else None,
        "severity": decision.severity.name if decision else None,
        "reason": decision.reason if decision else None,
        "subject": subject_fields(decision.subject) if decision else None,
        "runbook": runbook_of(shown) or None,
        "probes": [_probe_entry(question, shown.findings) for question in shown.questions],
        "page": shown.page,
        **{name: payloads[name][0] if name in payloads else None for name in names},
        "problems": list(shown.problems),
    }
    if shown.truncated:
        element["truncated"] = shown.truncated
    if decision is not None and decision.routed:
        element["teams"], element["routed_by"] = list(decision.route.teams), decision.route.reason
        element["channels"] = {
            each.key: [msgspec.Raw(one.body) for one in each.requests] for each in shown.sent if each.key not in names
        }
    if findings := changed_by_findings(shown):
        element["findings"] = findings
    if decision is not None and decision.shadow:
        element["shadow"] = str(decision.shadow)
    element |= {f"{name}_thread": more for name, (_first, *more) in payloads.items() if more}
    if explain:
        element["explain"] = [_step(step) for step in shown.steps]
    return element


def subject_fields(subject: Subject) -> dict[str, Any]:
    """Return a subject for JSON."""
    return {
        "service": subject.service,
        "namespace": subject.namespace,
        "name": subject.name,
        "why": subject.why,
        "rejected": list(subject.rejected),
    }


def changed_by_findings(shown: Preview) -> dict[str, str] | None:
    """Return the severity that findings changed, and why, for JSON; None if they did not."""
    adjusted = shown.adjusted
    return {"severity": adjusted.adjustment.severity.name, "reason": adjusted.reason} if adjusted else None


def _probe_entry(question: ProbeQuestion, findings: tuple[Finding, ...]) -> dict[str, Any]:
    asked = {
        "name": question.probe,
        "kind": question.kind,
        "target": question.target,
        "question": question.query,
        "timeout": question.timeout,
    }
    if question.skip:
        asked["skip"] = question.skip
    for found in findings:
        if (found.probe, found.target, found.query) == (question.probe, question.target, question.query):
            asked |= {"verdict": found.verdict.value, "headline": found.headline, "duration": round(found.duration, 3)}
    return asked


def in_shadow(shown: Preview) -> str:
    """Describe the decision of the matching shadow rule."""
    assert shown.effects is not None
    assert shown.effects.decision is not None
    shadow = shown.effects.decision.match.shadow
    assert shadow is not None
    return f"in shadow: would have decided {shadow.summary}"


def _step(step: EvaluatedRule) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": label_of(step),
        "shadow": step.shadow,
    }
