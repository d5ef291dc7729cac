"""What one body would do, as a value: the triage, plan and rendering of ``serve``, with nothing carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from responder.cli.samples import Sample
from responder.diagnose.contract import Ask
from responder.engine import pipeline
from responder.engine.effects.context import Desk, History
from responder.engine.pipeline import improved
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Effects, Turned
from responder.model.finding import Finding
from responder.model.message import Draft, OutboxRow
from responder.model.rule import Severity
from responder.notify.report.compose import letter
from responder.receive.alertmanager import BadBody, read
from responder.triage.rule_index import Step

Probe = Callable[[tuple[Ask, ...]], tuple[Finding, ...]]
"""Runs questions for real; None where a preview asks nothing."""

_HIDDEN = "***"
_JSON = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Body:
    """A message as its channel writes it, JSON in UTF-8, but for the routing key, which is a secret."""

    raw: bytes

    def value(self) -> dict[str, Any]:
        """The same decoded: of ten thousand messages few are looked into."""
        found: dict[str, Any] = _JSON.decode(self.raw)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a body would do. ``effects`` is None where the body could not be read; ``problems`` says why then.

    ``turned`` is what the findings make of the severity, None where they leave it. ``truncated`` counts the alerts that
    ``max_alerts`` cut off.
    """

    source: str
    effects: Effects | None
    asks: tuple[Ask, ...] = ()
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    pagerduty: Body | None = None
    slack: Body | None = None
    slack_thread: tuple[Body, ...] = ()
    printed: str = ""
    problems: tuple[str, ...] = ()
    turned: Turned | None = None
    truncated: int = 0

    @property
    def page(self) -> bool:
        """Whether somebody is woken."""
        return self.pagerduty is not None and self.pagerduty.value().get("event_action") == "trigger"

    @property
    def severity(self) -> Severity | None:
        """The severity in the end: what the findings made of the one decided."""
        if self.turned is not None:
            return self.turned.turn.severity
        return self.effects.decision.severity if self.effects and self.effects.decision else None


def preview(sample: Sample, desk: Desk, now: datetime, probe: Probe | None, *, explain: bool = False) -> Preview:
    """Decide a body as if it were the first of its group, or the end of an incident we know where nothing fires.

    ``explain`` also tries each rule by itself, which takes long where there are thousands.
    """
    if sample.problem:
        return Preview(source=sample.source, effects=None, problems=(sample.problem,))
    delivery = Delivery(id=2, received_at=now, cluster=sample.cluster, body=sample.body)
    try:
        group = read(delivery)
    except BadBody as error:
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
    sent = [(draft, _rendered(draft, effects, desk, now)) for draft in effects.drafts]
    slack = [Body(raw) for draft, raw in sent if draft.channel.startswith("slack")]
    pager = [Body(_masked(raw)) for draft, raw in sent if draft.channel in desk.pagers]
    printed = [raw.decode() for draft, raw in sent if draft.channel == "log"]
    return Preview(
        source=sample.source,
        effects=effects,
        asks=asks,
        findings=findings,
        steps=desk.matching.explain(decision.ruling.alert.labels) if explain else (),
        pagerduty=pager[0] if pager else None,
        slack=slack[0] if slack else None,
        slack_thread=tuple(slack[1:]),
        printed=printed[0] if printed else "",
        turned=turned,
        truncated=group.truncated,
    )


def cut_off(count: int) -> str:
    """What it means for a decision that alerts of a notification were cut off."""
    were = "1 alert was" if count == 1 else f"{count:,} alerts were"
    return (
        f"{were} cut off by Alertmanager's max_alerts: decided on those that are named, though what is missing may be "
        "worse or another rule's; such a notification never resolves its incident"
    )


def _before(group: AlertGroup, delivery: Delivery, desk: Desk) -> History:
    """Where nothing fires any more: the incident that the same alerts would have opened while they did."""
    if group.firing or not group.alerts:
        return History()
    earlier = replace(delivery, id=1)
    fired = replace(group, truncated=0, alerts=tuple(replace(each, firing=True, ends_at=None) for each in group.alerts))
    begun = pipeline.triage(fired, earlier, History(), desk)
    return History(begun.incident, begun.content)


def _rendered(draft: Draft, effects: Effects, desk: Desk, now: datetime) -> bytes:
    """The exact body a channel would send."""
    answers = {"channel": "C0000000000", "ts": "0000000000.000000"} if draft.step != "post" else {}
    row = OutboxRow(
        id=0, draft=draft, content=effects.content, attempt=1, plain=False, written_at=now, previous=answers
    )
    return desk.channels[draft.channel].render(letter(row, now)).body


def _masked(raw: bytes) -> bytes:
    found = _JSON.decode(raw)
    return msgspec.json.encode(found | {"routing_key": _HIDDEN}) if "routing_key" in found else raw


def as_json(shown: Preview, *, explain: bool) -> bytes:
    """The element of ``dry-run --output json``. Its keys are relied upon by others: add, never rename."""
    return msgspec.json.encode(_element(shown, explain=explain))


def _element(shown: Preview, *, explain: bool) -> dict[str, Any]:
    decision = shown.effects.decision if shown.effects else None
    element: dict[str, Any] = {
        "source": shown.source,
        "rule": decision.rule.id if decision else None,
        "severity": decision.severity.name if decision else None,
        "reason": decision.reason if decision else None,
        "subject": _subject(decision.subject) if decision else None,
        "runbook": str(decision.rule.runbook) if decision and decision.rule.runbook else None,
        "probes": [_ask(ask, shown.findings) for ask in shown.asks],
        "page": shown.page,
        "pagerduty": msgspec.Raw(shown.pagerduty.raw) if shown.pagerduty else None,
        "slack": msgspec.Raw(shown.slack.raw) if shown.slack else None,
        "problems": list(shown.problems),
    }
    if shown.truncated:
        element["truncated"] = shown.truncated
    if shown.turned is not None:
        element["findings"] = {"severity": shown.turned.turn.severity.name, "reason": shown.turned.reason}
    if decision is not None and decision.trial:
        element["shadow"] = str(decision.trial)
    if shown.slack_thread:
        element["slack_thread"] = [msgspec.Raw(each.raw) for each in shown.slack_thread]
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


def _ask(ask: Ask, findings: tuple[Finding, ...]) -> dict[str, Any]:
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
    """What became of the rule in shadow among the steps."""
    assert shown.effects is not None
    assert shown.effects.decision is not None
    trial = shown.effects.decision.ruling.trial
    assert trial is not None
    return f"in shadow: would have decided {trial.said}"


def _step(step: Step) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": step.got if step.failed else None,
        "shadow": step.shadow,
    }
