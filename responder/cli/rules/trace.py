"""Why an alert gets what it gets: every step from its labels to the people who are told, as a value and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import click

from responder.cli.bodies import Sample
from responder.cli.preview import Preview, in_shadow, preview
from responder.cli.rules import stored as then
from responder.cli.rules.fixture import answering, unasked
from responder.cli.rules.stored import Then
from responder.diagnose.contract import Ask
from responder.engine import process
from responder.engine.desk import Desk
from responder.model.decision import Decision
from responder.model.delivery import Delivery
from responder.model.rule import Adjustment, Severity
from responder.model.text import number_of, one_line
from responder.triage.matchers import holds
from responder.triage.matching import Step

Runbooks = Mapping[str, frozenset[str]]
"""The anchors of each runbook, by file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A decision with all that led to it. ``decision`` is None where the body could not be read; ``shown`` says why.

    ``asks`` are the questions of the rule's probes, also those that are skipped, and where nothing is asked any more.
    ``runbook`` says what was found of the runbook: ok, no such file, no such section, or none. ``dedup`` is the key,
    and ``gathered`` the labels it covers where several groups are gathered.
    ``revision`` is that of the rules, ``stored`` what was decided of a stored incident, and whether it would be again.
    """

    shown: Preview
    decision: Decision | None
    group_key: str = ""
    dedup: str = ""
    cluster: str = ""
    gathered: Mapping[str, str] = field(default_factory=dict)
    runbook: str = ""
    asks: tuple[Ask, ...] = ()
    route: tuple[str, ...] = ()
    title: str = ""
    owner: str = ""
    also: tuple[str, ...] = ()
    revision: str = ""
    stored: Then | None = None

    @property
    def severity(self) -> Severity | None:
        """The severity in the end."""
        return self.shown.severity

    @property
    def held(self) -> str:
        """Why nobody is woken at this hour, empty where a window is open or there is none."""
        turned = self.shown.turned
        if turned is not None:
            return turned.turn.held
        return self.decision.held if self.decision else ""

    @property
    def reason(self) -> str:
        """Why it has that severity, and why nobody is woken where that is so."""
        if self.decision is None:
            return ""
        turned, ruling = self.shown.turned, self.decision.ruling.reason
        return "; ".join(filter(None, (ruling, turned.reason if turned else "", self.held)))

    @property
    def page(self) -> bool:
        """Whether somebody is woken."""
        return self.shown.pagerduty is not None and self.shown.pagerduty.get("event_action") == "trigger"


def trace(
    sample: Sample, desk: Desk, runbooks: Runbooks, now: datetime, findings: Mapping[str, str] | None = None
) -> Trace:
    """Follow one body to the end, with the triage of ``serve``; nothing is asked, stored or sent.

    ``findings`` are answers of probes by their names, as one word each.
    """
    shown = preview(sample, desk, now, answering(findings) if findings else None, explain=True)
    if findings and (problem := unasked(findings, shown.asks)):
        shown = replace(shown, problems=(*shown.problems, problem))
    effects = shown.effects
    if effects is None or effects.decision is None:
        return Trace(shown=shown, decision=None)
    decision = effects.decision
    group = process.read(Delivery(id=1, received_at=now, cluster=sample.cluster, body=sample.body))
    drafts = effects.drafts
    return Trace(
        shown=shown,
        decision=decision,
        group_key=group.group_key,
        dedup=decision.key or group.dedup_key,
        gathered={name: decision.ruling.alert.labels.get(name, "") for name in decision.rule.gather if decision.key},
        cluster=group.cluster,
        revision=desk.book.revision,
        runbook=_runbook(decision, runbooks),
        asks=desk.asks(decision.rule.probes, decision.subject),
        route=tuple(dict.fromkeys(draft.channel for draft in drafts)),
        title=drafts[0].report.title if drafts else "",
        owner=drafts[0].report.owner if drafts else decision.rule.owner,
        also=tuple(step.rule.id for step in shown.steps if step.matched is None and _would(step, decision)),
    )


def _would(step: Step, decision: Decision) -> bool:
    return all(holds(matcher, decision.ruling.alert.labels) for matcher in step.rule.matchers)


def _runbook(decision: Decision, runbooks: Runbooks) -> str:
    wanted = decision.rule.runbook
    if wanted is None:
        return "none"
    if wanted.file not in runbooks:
        return "no such file"
    return "ok" if not wanted.section or wanted.section in runbooks[wanted.file] else "no such section"


def as_json(found: Trace) -> dict[str, Any]:
    """The element of ``rules explain --output json``. Its keys are relied upon: add, never rename."""
    decision = found.decision
    if decision is None:
        return {"source": found.shown.source, "problems": list(found.shown.problems)}
    rule, subject, alert = decision.rule, decision.subject, decision.ruling.alert
    return {
        "source": found.shown.source,
        "problems": list(found.shown.problems),
        "alert": {"labels": dict(alert.labels), "firing": alert.firing, "starts_at": alert.starts_at.isoformat()},
        "alerts": len(decision.rulings),
        "subject": {
            "service": subject.service,
            "name": subject.name,
            "namespace": subject.namespace,
            "why": subject.why,
            "rejected": list(subject.rejected),
        },
        "rules": [_step(step, found) for step in found.shown.steps],
        "rule": rule.id,
        "place": str(rule.place),
        "action": rule.action.value,
        "severity": decision.severity.name,
        "severity_reason": decision.ruling.reason,
        "findings": _turned(found),
        "held": found.held or None,
        "shadow": str(decision.trial) if decision.trial else None,
        "owner": rule.owner or None,
        "note": rule.note or None,
        "runbook": {"target": str(rule.runbook) if rule.runbook else None, "found": found.runbook},
        "probes": [
            {"name": ask.probe, "kind": ask.kind, "target": ask.target, "question": ask.question, "skip": ask.skip}
            for ask in found.asks
        ],
        "page_budget": _budget(decision),
        "route": list(found.route),
        "page": found.page,
        "dedup": {
            "group_key": found.group_key,
            "key": found.dedup,
            "cluster": found.cluster,
            "gathered": dict(found.gathered),
        },
        "title": found.title,
        "reason": decision.reason,
        **({"stored": then.as_json(found.stored)} if found.stored else {}),
    }


def _turned(found: Trace) -> dict[str, str] | None:
    turned = found.shown.turned
    return {"severity": turned.turn.severity.name, "reason": turned.reason} if turned else None


def _step(step: Step, found: Trace) -> dict[str, Any]:
    return {
        "rule": step.rule.id,
        "place": str(step.rule.place),
        "matched": step.matched,
        "failed": str(step.failed) if step.failed else None,
        "got": step.got if step.failed else None,
        "would_match": step.rule.id in found.also if step.matched is None else step.matched or step.shadow,
        "shadow": step.shadow,
    }


def lines(found: Trace) -> Iterator[str]:
    """The trace as people read it."""
    decision = found.decision
    yield click.style(one_line(found.shown.source), bold=True)
    for problem in found.shown.problems:
        yield _row("PROBLEM", one_line(problem))
    if decision is None:
        return
    alert, subject, rule = decision.ruling.alert, decision.subject, decision.rule
    labels = " ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()) if name != "alertname")
    more = f"  and {len(decision.rulings) - 1} more in its group" if len(decision.rulings) > 1 else ""
    state = "firing" if alert.firing else "resolved"
    name = alert.name or "an alert without a name"
    yield _row("ALERT", one_line(f"{name}  {{{labels}}}  {state} since {alert.starts_at:%H:%M:%SZ}{more}"))
    yield _row("SUBJECT", one_line(f"{_about(subject.service, subject.name)}  {subject.why}"))
    for rejected in subject.rejected:
        yield _row("", one_line(f"rejected {rejected}"))
    yield _row("RULES", "the first that matches decides")
    yield from _steps(found)
    yield _row("SEVERITY", f"{decision.severity.name}  from rule {rule.id}, {one_line(decision.ruling.reason)}")
    for entry in rule.adjust if found.shown.turned is None else ():
        if entry.findings:
            yield _row("", f"    {entry_text(entry)}")
    if found.shown.turned is not None:
        yield _row("FINDINGS", one_line(found.shown.turned.reason))
    if found.held:
        yield _row("WINDOW", one_line(found.held))
    if decision.trial:
        yield _row("SHADOW", one_line(str(decision.trial)))
    for name, text in (("OWNER", rule.owner), ("NOTE", rule.note)):
        if text:
            yield _row(name, text)
    yield _row("RUNBOOK", f"{rule.runbook or ''}  {found.runbook}".strip())
    yield from _probes(found)
    yield _row("ROUTE", _route(found))
    yield _row("DEDUP", one_line(f"{_gathered(found)} = {found.dedup[:16]}..."))
    if found.title:
        yield _row("TITLE", f"{found.title}  ({len(found.title)} characters)")
    yield _row("WHY", one_line(decision.reason))
    for heading, text in then.lines(found.stored) if found.stored else ():
        yield _row(heading, one_line(text))


def _budget(decision: Decision) -> float:
    """Seconds that the page waits at most: as short as the worst severity wants that findings can make of it."""
    return min(each.page_budget for each in (decision.severity, *(turn.severity for turn in decision.turns)))


def _gathered(found: Trace) -> str:
    """What makes deliveries the same incident."""
    if not found.gathered:
        of = f"{found.cluster} and {found.group_key}" if found.cluster else found.group_key
        return f"sha256({of})"
    labels = ", ".join(f'{name}="{value}"' for name, value in found.gathered.items())
    return f"incident_key {{{labels}}} gathers all groups that share it"


def entry_text(entry: Adjustment) -> str:
    """What an entry of ``adjust`` does, and where."""
    where = [*map(str, entry.matchers), *([f"{entry.firing} alerts fire"] if entry.firing else [])]
    where += map(str, entry.findings)
    return f"{'raises' if entry.raises else 'lowers'} it {_whither(entry)} where {' and '.join(where)}"


def _whither(adjustment: Adjustment) -> str:
    if adjustment.to:
        return f"to {adjustment.to}"
    return f"by {number_of(adjustment.steps, 'step')}"


def _about(service: str | None, name: str) -> str:
    return f"service={service}" if service else f"{name} (no service of the catalogue)"


def _steps(found: Trace) -> Iterator[str]:
    width = max(len(step.rule.id) for step in found.shown.steps)
    skipped = 0
    for number, step in enumerate(found.shown.steps, 1):
        if step.matched is None and step.rule.id not in found.also:
            skipped += 1
            continue
        if step.matched:
            held = " and ".join(map(str, step.rule.matchers)) or "it matches everything"
            text = click.style(f"+ {one_line(held)}  <- chosen ({step.rule.place})", fg="green")
        elif step.shadow:
            text = click.style(f"+ {one_line(in_shadow(found.shown))}", fg="yellow")
        elif step.matched is None:
            text = "  not evaluated: the first match decides; would match too"
        else:
            text = f"- {_short(str(step.failed))}  got {_short(one_line(step.got))!r}"
        yield _row("", f"{number:>3} {step.rule.id:<{width}} {text}")
    if skipped:
        yield _row("", f"    {skipped} more not evaluated, and would not match")


def _short(text: str) -> str:
    return text if len(text) <= 72 else text[:69] + "..."


def _probes(found: Trace) -> Iterator[str]:
    if not found.asks:
        yield _row("PROBES", "none")
    for number, ask in enumerate(found.asks):
        what = f"{ask.probe:<20} {ask.kind:<7} {one_line(ask.question or ask.target)}"
        yield _row("" if number else "PROBES", what + (f"  [skipped: {ask.skip}]" if ask.skip else ""))


def _route(found: Trace) -> str:
    decision = found.decision
    if decision is None or not found.route:
        return "nobody is told"
    severity = found.severity or decision.severity
    pager = {"pagerduty": f"pagerduty {severity.pagerduty}"}
    told = ", ".join(pager.get(name, name) for name in found.route)
    woken = "somebody is woken" if found.page else "nobody is woken"
    return f"{told}; {woken}; the page waits {_budget(decision):g} s at most"


def _row(name: str, text: str) -> str:
    return f"{click.style(f'{name:<9}', fg='cyan')} {text}".rstrip()
