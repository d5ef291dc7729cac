"""Trace of a decision as text."""

from collections.abc import Iterator

import click

from responder.cli.preview import in_shadow, label_of
from responder.cli.rules import stored as then
from responder.cli.rules.trace import Trace
from responder.cli.table import terminal, wrapped
from responder.model.redaction import redact, redact_value
from responder.model.rule import Adjustment
from responder.model.text import number_of, one_line
from responder.notify.delivery.route import pagers


def lines(found: Trace) -> Iterator[str]:
    """Yield the lines of the trace."""
    decision = found.decision
    yield click.style(one_line(found.shown.source), bold=True)
    for problem in found.shown.problems:
        yield _row("PROBLEM", one_line(problem))
    if decision is None:
        return
    alert, subject, rule = decision.match.alert, decision.subject, decision.rule
    labels = " ".join(
        f"{name}={redact_value(name, value)}" for name, value in sorted(alert.labels.items()) if name != "alertname"
    )
    more = f"  and {len(decision.matches) - 1} more in its group" if len(decision.matches) > 1 else ""
    more += f"  and {found.shown.truncated} removed by max_alerts" if found.shown.truncated else ""
    state = "firing" if alert.firing else "resolved"
    name = alert.name or "alert without a name"
    yield _row("ALERT", one_line(f"{name}  {{{labels}}}  {state} since {alert.starts_at:%H:%M:%S UTC}{more}"))
    yield _row("SUBJECT", one_line(f"{_about(subject.service, subject.name)}: {subject.why}"))
    for rejected in subject.rejected:
        yield _row("", one_line(f"rejected {rejected}"))
    yield _row("RULES", "the first match decides")
    yield from _steps(found)
    for each in dict.fromkeys(decision.dropped_by):
        count = number_of(decision.dropped_by.count(each), "alert")
        yield _row("DROPPED", one_line(f"{count} by rule {each}"))
    yield _row("SEVERITY", f"{decision.severity.name}  from rule {rule.id}, {one_line(decision.match.reason)}")
    for entry in rule.adjust if found.shown.adjusted is None else ():
        if entry.findings:
            yield _row("", f"    {entry_text(entry)}")
    if found.shown.adjusted is not None:
        yield _row("FINDINGS", one_line(found.shown.adjusted.reason))
    if found.suppressed_by:
        yield _row("WINDOW", one_line(found.suppressed_by))
    if decision.shadow:
        yield _row("SHADOW", one_line(str(decision.shadow)))
    for name, text in (("OWNER", rule.owner), ("NOTE", rule.note)):
        if text:
            yield _row(name, text)
    by_conclusion = f"; {len(rule.runbooks)} others by conclusion" if rule.runbooks else ""
    yield _row("RUNBOOK", f"{rule.runbook or ''}  {found.runbook}{by_conclusion}".strip())
    yield from _probes(found)
    yield _row("ROUTE", _route(found))
    if found.times:
        yield _row("TIMES", found.times)
    yield _row("DEDUP", one_line(f"{_gathered(found)} = {found.dedup[:16]}..."))
    if found.title:
        yield _row("TITLE", f"{found.title}  ({len(found.title)} characters)")
    yield _row("WHY", one_line(decision.reason))
    for heading, text in then.lines(found.stored) if found.stored else ():
        yield _row(heading, one_line(text))


def _gathered(found: Trace) -> str:
    """Describe the key by which notifications belong to the same incident."""
    if not found.gathered:
        group = found.shown.group
        assert group is not None
        of = f"{group.cluster} and {group.group_key}" if group.cluster else group.group_key
        return f"sha256({of})"
    labels = ", ".join(f'{name}="{redact_value(name, value)}"' for name, value in found.gathered.items())
    return f"incident_key {{{labels}}} gathers all groups that share it"


def entry_text(entry: Adjustment) -> str:
    """Describe an entry of ``adjust``: effect and condition."""
    where = [*map(str, entry.matchers), *([f"{entry.firing} alerts fire"] if entry.firing else [])]
    where += map(str, entry.findings)
    return f"{'raises' if entry.raises else 'lowers'} the severity {_whither(entry)} if {' and '.join(where)}"


def _whither(adjustment: Adjustment) -> str:
    if adjustment.to:
        return f"to {adjustment.to}"
    return f"by {number_of(adjustment.steps, 'step')}"


def _about(service: str | None, name: str) -> str:
    return f"service={service}" if service else f"{name} (not in the catalog)"


def _steps(found: Trace) -> Iterator[str]:
    width = max(len(step.rule.id) for step in found.shown.steps)
    skipped = 0
    for number, step in enumerate(found.shown.steps, 1):
        if step.matched is None and step.rule.id not in found.also:
            skipped += 1
            continue
        if step.matched:
            matched = " and ".join(map(str, step.rule.matchers)) or "matches everything"
            text = click.style(f"+ {one_line(matched)}  <- chosen ({step.rule.position})", fg="green")
        elif step.shadow:
            text = click.style(f"+ {one_line(in_shadow(found.shown))}", fg="yellow")
        elif step.matched is None:
            text = "  not evaluated: the first match decides; would match as well"
        else:
            text = f"- {_short(str(step.failed))}  got {_short(one_line(label_of(step) or ''))!r}"
        yield _row("", f"{number:>3} {step.rule.id:<{width}} {text}")
    if skipped:
        yield _row("", f"    {skipped} more not evaluated, would not match")


def _short(text: str) -> str:
    return text if len(text) <= 72 else text[:69] + "..."


def _probes(found: Trace) -> Iterator[str]:
    if not found.questions:
        yield _row("PROBES", "none")
    for number, question in enumerate(found.questions):
        what = f"{question.probe:<20} {question.kind:<7} {one_line(question.query or question.target)}"
        yield _row("" if number else "PROBES", what + (f"  [skipped: {question.skip}]" if question.skip else ""))


def _route(found: Trace) -> str:
    decision = found.decision
    if decision is None or not found.route:
        return "no message"
    severity = found.severity or decision.severity
    paging = {*pagers({}), *(sent.channel.name for sent in found.shown.sent if sent.channel.pages)}
    names = ", ".join(f"{name} {severity.pagerduty}" if name in paging else name for name in found.route)
    pages = "pages on-call" if found.page else "does not page"
    by = f"; {decision.route.why}" if decision.routed else ""
    return f"{names}; {pages}; waits up to {found.budget:g} s for probes{by}"


def _row(name: str, text: str) -> str:
    return f"{click.style(f'{name:<9}', fg='cyan')} {wrapped(redact(text), 10, terminal())}".rstrip()
