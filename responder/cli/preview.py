"""Preview of one payload: triage, plan and rendering as in ``serve``, with no effect carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from responder.cli.samples import Sample
from responder.diagnose.contract import ProbeQuestion
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext, History
from responder.engine.pipeline import improved
from responder.model.alert import AlertGroup
from responder.model.delivery import AdjustedSeverity, Effects, Notification
from responder.model.finding import Finding
from responder.model.message import OutboxMessage, OutboxRow, Request
from responder.model.redaction import redact, redact_value
from responder.model.report import MessageKind
from responder.model.rule import Severity
from responder.notify.contract import Channel
from responder.notify.delivery.route import named_by_rules
from responder.notify.report.compose import letter
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
        return self.channel.stands_in_for or self.channel.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Result of a preview. ``effects`` is None if the payload is invalid; ``problems`` says why.

    ``page`` is True if on-call is paged. ``turned`` is the severity changed by findings, None if unchanged.
    ``truncated`` counts the alerts that ``max_alerts`` removed.
    """

    source: str
    effects: Effects | None
    asks: tuple[ProbeQuestion, ...] = ()
    findings: tuple[Finding, ...] = ()
    steps: tuple[EvaluatedRule, ...] = ()
    sent: tuple[Sent, ...] = ()
    page: bool = False
    problems: tuple[str, ...] = ()
    turned: AdjustedSeverity | None = None
    truncated: int = 0

    @property
    def severity(self) -> Severity | None:
        """Final severity, after findings."""
        if self.turned is not None:
            return self.turned.turn.severity
        return self.effects.decision.severity if self.effects and self.effects.decision else None


def preview(
    sample: Sample, desk: DecisionContext, now: datetime, probe: Probe | None, *, explain: bool = False
) -> Preview:
    """Decide a payload as the first of its group; if nothing fires, as the resolve of an open incident.

    ``explain`` also evaluates each rule by itself, which is slow with thousands of rules.
    """
    if sample.problem:
        return Preview(source=sample.source, effects=None, problems=(sample.problem,))
    delivery = Notification(id=2, received_at=now, cluster=sample.cluster, body=sample.body)
    try:
        group = read(delivery)
    except InvalidPayload as error:
        return Preview(source=sample.source, effects=None, problems=(str(error),))
    effects = pipeline.triage(group, delivery, _before(group, delivery, desk), desk)
    decision = effects.decision
    assert decision is not None
    asks = desk.asks(decision.rule.probes, decision.subject) if effects.work else ()
    findings = probe(asks) if probe and asks else ()
    turned = None
    if findings and effects.work:
        diagnosed = pipeline.diagnose(effects.work, findings)
        effects, turned = improved(effects, effects.work, diagnosed, desk, now), diagnosed.turned
    return Preview(
        source=sample.source,
        effects=effects,
        asks=asks,
        findings=findings,
        steps=desk.matching.explain(decision.ruling.alert.labels) if explain else (),
        sent=_sent(effects, desk, now),
        page=any(
            desk.channels[draft.channel].pages and draft.moment is not MessageKind.RESOLUTION
            for draft in effects.drafts
        ),
        turned=turned,
        truncated=group.truncated,
    )


def cut_off(count: int) -> str:
    """Explain the consequences of a truncated notification."""
    were = "1 alert was" if count == 1 else f"{count:,} alerts were"
    return (
        f"{were} removed by Alertmanager's max_alerts. The decision uses the remaining alerts; a removed one may be "
        "more severe or match another rule. A truncated notification never resolves its incident"
    )


def _before(group: AlertGroup, delivery: Notification, desk: DecisionContext) -> History:
    """Return the incident that the same alerts would have opened, if all of them are resolved now."""
    if group.firing or not group.alerts:
        return History()
    earlier = replace(delivery, id=1)
    fired = replace(group, truncated=0, alerts=tuple(replace(each, firing=True, ends_at=None) for each in group.alerts))
    begun = pipeline.triage(fired, earlier, History(), desk)
    return History(begun.incident, begun.content)


def _sent(effects: Effects, desk: DecisionContext, now: datetime) -> tuple[Sent, ...]:
    found: dict[str, list[Request]] = {}
    for draft in effects.drafts:
        found.setdefault(draft.channel, []).append(_rendered(draft, effects, desk, now))
    return tuple(Sent(desk.channels[name], tuple(requests)) for name, requests in found.items())


def _rendered(draft: OutboxMessage, effects: Effects, desk: DecisionContext, now: datetime) -> Request:
    """Return the exact request a channel would send."""
    channel = desk.channels[draft.channel]
    begins = draft.moment is MessageKind.START and draft.step == channel.steps[MessageKind.START][0]
    answers = {} if begins else {"channel": "C0000000000", "ts": "0000000000.000000"}
    row = OutboxRow(
        id=0, draft=draft, content=effects.content, attempt=1, plain=False, written_at=now, previous=answers
    )
    return channel.render(letter(row, now))


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
    bodies = {each.key: [msgspec.Raw(one.body) for one in each.requests] for each in shown.sent if each.key in names}
    element: dict[str, Any] = {
        "source": shown.source,
        "rule": decision.rule.id if decision else None,
        "severity": decision.severity.name if decision else None,
        "reason": decision.reason if decision else None,
        "subject": _subject(decision.subject) if decision else None,
        "runbook": str(decision.rule.runbook) if decision and decision.rule.runbook else None,
        "probes": [_ask(ask, shown.findings) for ask in shown.asks],
        "page": shown.page,
        **{name: bodies[name][0] if name in bodies else None for name in names},
        "problems": list(shown.problems),
    }
    if shown.truncated:
        element["truncated"] = shown.truncated
    if shown.turned is not None:
        element["findings"] = {"severity": shown.turned.turn.severity.name, "reason": shown.turned.reason}
    if decision is not None and decision.trial:
        element["shadow"] = str(decision.trial)
    element |= {f"{name}_thread": more for name, (_first, *more) in bodies.items() if more}
    if explain:
        element["explain"] = [_step(step) for step in shown.steps]
    return element


def _subject(subject: Any) -> dict[str, Any]:
    return {
        "service": subject.service,
        "namespace": subject.namespace,
        "name": subject.name,
        "why": subject.why,
        "rejected": list(subject.rejected),
    }


def _ask(ask: ProbeQuestion, findings: tuple[Finding, ...]) -> dict[str, Any]:
    asked = {
        "name": ask.probe,
        "kind": ask.kind,
        "target": ask.target,
        "question": ask.question,
        "timeout": ask.timeout,
    }
    if ask.skip:
        asked["skip"] = ask.skip
    for found in findings:
        if (found.probe, found.target, found.question) == (ask.probe, ask.target, ask.question):
            asked |= {"verdict": found.verdict.value, "headline": found.headline, "duration": round(found.duration, 3)}
    return asked


def in_shadow(shown: Preview) -> str:
    """Describe the decision of the matching shadow rule."""
    assert shown.effects is not None
    assert shown.effects.decision is not None
    trial = shown.effects.decision.ruling.trial
    assert trial is not None
    return f"in shadow: would have decided {trial.said}"


def _step(step: EvaluatedRule) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": label_of(step),
        "shadow": step.shadow,
    }
