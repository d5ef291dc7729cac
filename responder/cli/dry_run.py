"""``responder dry-run``: show the decision and the messages for webhook payloads."""

import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.decision_context import decision_context_of
from responder.cli.errors import FAILED, named_failures
from responder.cli.example import folders
from responder.cli.options import OUTPUT, RULES, RUNBOOKS
from responder.cli.table import terminal, wrapped
from responder.model.redaction import redact
from responder.model.text import clean, number_of, one_line

if TYPE_CHECKING:
    from responder.cli.preview import Preview, Sent
    from responder.model.incident import Subject
    from responder.notify.contract import ShownMessage


_MARGIN = " " * 13
_BAR = "  │ "
#: Longest name that has a column of its own, in characters.
_NAME_LIMIT = 20


@click.command("dry-run")
@click.argument("files", nargs=-1, required=True)
@click.option("--probe", is_flag=True, help="Run the read-only probes.")
@click.option("--explain", is_flag=True, help="Show every rule that was evaluated, and why it did not match.")
@click.option("--raw", is_flag=True, help="Show the queries of the probes and the requests to the channels.")
@OUTPUT
@RULES
@RUNBOOKS
def dry_run(
    files: tuple[str, ...],
    *,
    probe: bool,
    explain: bool,
    raw: bool,
    output: str,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Show what webhook payloads would do: the rule, the severity and its reason, the channels, the page on each.

    FILES are webhook payloads, folders of them, or - for standard input; a list of alerts or a single alert also works.
    Nothing is stored or sent.

    Exit status: 0 if every payload was decided, 1 if one was not, 2 for a wrong command line.
    """
    well = True
    as_json, opening = output == "json", "[\n  "
    with named_failures():
        for text, right in _shown(files, rules, runbooks, probe=probe, explain=explain, raw=raw, as_json=as_json):
            click.echo(f"{opening}{text}" if as_json else text, nl=not as_json)
            opening, well = ",\n  ", well and right
    if as_json:
        click.echo("[]" if opening.startswith("[") else "\n]")
    if not well:
        sys.exit(FAILED)


def _shown(
    files: tuple[str, ...],
    rules: str | None,
    runbooks: str | None,
    *,
    probe: bool,
    explain: bool,
    raw: bool,
    as_json: bool,
) -> Iterator[tuple[str, bool]]:
    """Yield the text of each sample and True if it was decided, while later samples are still unread."""
    from responder import telemetry
    from responder.cli import preview
    from responder.cli.parallel import spread
    from responder.cli.samples import Sample, samples
    from responder.model.clock import Deadline

    settings = bootstrap.settings_from_environment()
    if probe:
        telemetry.configure(settings.log_format, settings.secrets(), for_good=False)
    context = decision_context_of(*folders(settings, rules, runbooks), settings)
    clock = bootstrap.SystemClock()
    prober = bootstrap.prober(settings, clock) if probe else None
    budget = max(severity.page_budget for severity in context.book.severities.values())
    run = (lambda questions: prober.run(questions, Deadline(clock.monotonic() + budget))) if prober else None

    def show(sample: Sample) -> tuple[str, bool]:
        shown = preview.preview(sample, context, clock.now(), run, explain=explain)
        if as_json:
            text = _pretty(preview.as_json(shown, explain=explain)).replace("\n", "\n  ")
        else:
            text = "\n".join(_lines(shown, explain=explain, raw=raw))
        return text, not shown.problems

    found = samples(files, sys.stdin.buffer, clock.now())
    try:
        yield from map(show, found) if prober else spread(show, found)
    finally:
        if prober:
            prober.close()


def _pretty(raw: bytes) -> str:
    """Indent JSON, ten times faster than the standard library."""
    import msgspec

    return msgspec.json.format(raw, indent=2).decode()


def _lines(shown: "Preview", *, explain: bool, raw: bool) -> Iterator[str]:
    yield click.style(one_line(shown.source), bold=True)
    for problem in shown.problems:
        yield _row("PROBLEM", problem, fg="red")
    from responder.cli import preview

    effects = shown.effects
    if effects is None or effects.decision is None:
        yield ""
        return
    decision, rule = effects.decision, effects.decision.rule
    yield _row("RULE", f"{rule.id}  ({rule.position})")
    severity = decision.severity.name
    yield _row("SEVERITY", f"{severity}  {decision.match.reason}", **_colour(severity))
    for each in dict.fromkeys(decision.dropped_by):
        yield _row("DROPPED", f"{number_of(decision.dropped_by.count(each), 'alert')} by rule {each}")
    yield _row("WHY", decision.reason)
    if shown.truncated:
        yield _row("TRUNCATED", preview.cut_off(shown.truncated), fg="yellow")
    yield _row("SUBJECT", f"{_where(decision.subject)}  {decision.subject.why}")
    for rejected in decision.subject.rejected:
        yield _row("", f"not {rejected}")
    if decision.route.channels:
        yield _row("ROUTE", str(decision.route))
    others = (
        f"  ({number_of(len(rule.runbooks), 'other')} by conclusion)" if rule.runbooks and not shown.findings else ""
    )
    yield _row("RUNBOOK", f"{preview.runbook_of(shown) or 'none'}{others}")
    yield from _probes(shown) if raw else _named_probes(shown)
    if shown.adjusted is not None:
        yield _row("FINDINGS", shown.adjusted.reason, **_colour(shown.adjusted.adjustment.severity.name))
    if decision.shadow:
        yield _row("SHADOW", str(decision.shadow), fg="yellow")
    if rule.note:
        yield _row("NOTE", rule.note)
    if explain:
        yield from _explained(shown)
        if shown.severity is not None and shown.sent:
            from responder.converse.reminders import described

            yield _row("TIMES", described(shown.severity, rule.pages_in.get(shown.severity.name)))
    yield from _messages(shown, raw=raw)
    yield ""


def _where(subject: "Subject") -> str:
    return f"{subject.title} in {subject.namespace}" if subject.namespace else subject.title


def _row(name: str, text: str, **style: Any) -> str:
    """Format one line, without control characters and secrets: the text may come from an alert."""
    shown = wrapped(redact(clean(text).replace("\n", " ")), 13, terminal())
    return f"  {_name(name)} {click.style(shown, **style) if style else shown}"


@cache
def _name(name: str) -> str:
    return click.style(f"{name:<10}", fg="cyan")


def _colour(severity: str) -> dict[str, Any]:
    return {"fg": {"P1": "red", "P2": "yellow"}.get(severity, "green"), "bold": True}


def _probes(shown: "Preview") -> Iterator[str]:
    answers = {(f.probe, f.target, f.query): f for f in shown.findings}
    rows = []
    for question in (*shown.questions, *shown.skipped):
        what = f"{question.probe:<20} {question.kind:<7} {question.query or question.target}"
        rows.append(what + (f"  [skipped: {question.skip}]" if question.skip else ""))
        if found := answers.get((question.probe, question.target, question.query)):
            rows.append(f"{'':<20} -> {found.verdict.value}: {found.headline} ({found.duration:.2f} s)")
    for number, row in enumerate(rows or ["none"]):
        yield _row("" if number else "PROBES", row)


def _named_probes(shown: "Preview") -> Iterator[str]:
    """Yield the names of the probes in one row for each reason to skip them, and the results of those that ran."""
    answers = {(found.probe, found.target, found.query): found for found in shown.findings}
    names: dict[str, list[str]] = {"": []}
    found_lines = []
    for question in (*shown.questions, *shown.skipped):
        if found := answers.get((question.probe, question.target, question.query)):
            found_lines.append(f"{found.verdict.value:<8} {found.headline}  ({question.probe}, {found.duration:.2f} s)")
        else:
            names.setdefault(question.skip, []).append(question.probe)
    rows = [", ".join(names.pop("")), *found_lines]
    rows += [f"skipped: {', '.join(each)} ({why})" for why, each in names.items()]
    for number, row in enumerate([row for row in rows if row] or ["none"]):
        yield _row("" if number else "PROBES", row)


def _explained(shown: "Preview") -> Iterator[str]:
    from responder.cli.preview import in_shadow, label_of

    for number, step in enumerate(shown.steps):
        if step.matched:
            text = "matched: chosen"
        elif step.shadow:
            text = in_shadow(shown)
        elif step.matched is None:
            text = "not evaluated: the first match wins"
        else:
            text = f"no match: {step.failed} fails, the label is {label_of(step)!r}"
        style = {"fg": "green"} if step.matched else {}
        yield _row("EXPLAIN" if number == 0 else "", f"{number + 1:>3}. {step.rule.id:<28} {text}", **style)


def _messages(shown: "Preview", *, raw: bool) -> Iterator[str]:
    sent = {each.key: each for each in shown.sent}
    requested_channels = shown.effects.decision.route.channels if shown.effects and shown.effects.decision else ()
    for name in dict.fromkeys((*requested_channels, *sent)):
        if name not in sent:
            yield _row(name.upper(), "no message")
            continue
        if raw:
            summary, text = sent[name].channel.dry_run(sent[name].requests)
            yield _row(name.upper(), summary)
            if text:
                yield _indented(text)
    if not requested_channels and not sent:
        yield _row("MESSAGES", "none")
    if not raw:
        yield from message_lines(shown.sent, terminal())


def _indented(text: bytes) -> str:
    lines = (_pretty(text) if text.startswith(b"{") else text.decode("utf-8", "replace")).split("\n")
    if not "".join(lines).isprintable():
        lines = [clean(line) for line in lines]
    return _MARGIN + f"\n{_MARGIN}".join(lines)


def message_lines(sent: "Sequence[Sent]", width: int | None) -> Iterator[str]:
    """Yield the messages of each channel, and after them the addresses of their links.

    Lines are wrapped at ``width``, unless it is None. A message that another channel shows as well is not repeated.
    """
    seen: dict[ShownMessage, str] = {}
    links: dict[str, str] = {}
    for each in sent:
        for message in map(each.channel.shown, each.requests):
            yield ""
            yield f"  {click.style(f'{each.key.upper():<9}', fg='cyan')}  {_safe(message.where)}"
            if message in seen:
                yield f"{_BAR}as on {seen[message]}"
                continue
            seen[message] = each.key
            links |= {link.href: link.text for link in message.links if link.href not in links}
            yield from _message(message, width)
    if links:
        yield ""
        names = max(map(len, links.values()))
        heads = ("LINKS", *[""] * len(links))
        for head, (href, text) in zip(heads, links.items(), strict=False):
            yield f"  {click.style(f'{head:<10}', fg='cyan')} {_safe(text):<{names}}  {_safe(href)}"


def _message(message: "ShownMessage", width: int | None) -> Iterator[str]:
    if message.title:
        yield from _bars("", _safe(message.title), 0, width, bold=True)
        yield _BAR.rstrip()
    names = max((len(name) for name, _text in message.rows if len(name) <= _NAME_LIMIT), default=0)
    column = names + 2 if names else 0
    for name, text in message.rows:
        heading, *rest = _safe(text).split("\n")
        if name and len(name) > _NAME_LIMIT:
            yield from _bars("", f"{_safe(name)}: {heading}", 0, width)
        else:
            yield from _bars(_safe(name), heading, column if name else 0, width)
        for line in rest:
            yield from _bars("", line, column, width)


def _bars(name: str, text: str, column: int, width: int | None, **style: bool) -> Iterator[str]:
    left = click.style(f"{name:<{column}}", dim=True) if column else ""
    for number, line in enumerate(wrapped(text, column, width and width - len(_BAR)).split("\n")):
        shown = click.style(line, **style) if style else line
        yield f"{_BAR}{shown if number else left + shown}".rstrip()


@lru_cache(1000)  # channels repeat the same rows
def _safe(text: str) -> str:
    return redact(clean(text))
