"""``responder rules explain``: show why an alert gets its rule, severity and channels."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import LABELS, OUTPUT, RULES, RUNBOOKS
from responder.cli.samples import Sample, of_labels, samples
from responder.cli.table import print_json
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.cli.rules.trace import Trace

    Tracer = Callable[[Sample, datetime], Trace]

#: Value of ``--alertmanager`` without a URL.
CONFIGURED = "configured"


@click.command()
@click.argument("files", nargs=-1)
@LABELS
@click.option(
    "--alertmanager",
    "url",
    metavar="[URL]",
    is_flag=False,
    flag_value=CONFIGURED,
    help="Explain the firing alerts of an Alertmanager. [default: RESPONDER_ALERTMANAGER_URL]",
)
@click.option(
    "--filter",
    "matchers",
    multiple=True,
    metavar="MATCHER",
    help="Only explain alerts that match (with --alertmanager).",
)
@click.option("--incident", metavar="ID", help="Explain a stored incident, and compare with the current rules.")
@click.option("--finding", "answered", multiple=True, metavar="PROBE=WORD", help="Assume a probe result: bad, ok, ...")
@click.option("--at", "moment", metavar="TIME", help="Time of arrival: 2026-03-01T12:00:00Z. [default: now]")
@OUTPUT
@RULES
@RUNBOOKS
def explain(
    files: tuple[str, ...],
    labels: dict[str, str],
    url: str | None,
    matchers: tuple[str, ...],
    incident: str | None,
    answered: tuple[str, ...],
    moment: str | None,
    output: str,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Show each step from an alert's labels to its channels, and why every other rule did not match.

    FILES are webhook payloads, alerts, folders of them, or - for standard input. Alternatively, give labels with
    --label, an Alertmanager with --alertmanager or a stored incident with --incident.

    Exit status: 0 if every alert was decided, 1 if one could not be read or no probe produces a --finding, 2 for a
    wrong command line.
    """
    from responder.cli.rules import trace_text
    from responder.cli.rules.trace import as_json

    if sum(map(bool, (files, labels, url, incident))) != 1:
        raise click.UsageError("give FILES, labels with --label NAME=VALUE, --alertmanager or --incident")
    for name in files:
        if "=" in name and not Path(name).exists():
            raise click.UsageError(f"no file '{name}'; for a label write --label {name}")
    if matchers and not url:
        raise click.UsageError("--filter requires --alertmanager")
    answers, at = _answers(answered), _time(moment)
    with named_failures():
        settings = bootstrap.settings_from_environment()
        tracer = tracer_of(settings, rules or settings.rules, runbooks or settings.runbooks, answers)
        now = at or bootstrap.SystemClock().now()
        if incident:
            traces = [_stored(incident, settings, tracer)]
        else:
            source = _live(url, matchers, settings, now) if url else samples(files, sys.stdin.buffer, now)
            traces = [tracer(each, now) for each in ([of_labels([labels], {}, now)] if labels else source)]
    if output == "json":
        print_json([as_json(each) for each in traces])
    else:
        click.echo("\n\n".join("\n".join(trace_text.lines(each)) for each in traces))
    if any(each.shown.problems for each in traces):
        sys.exit(FAILED)


def explain_stored(incident: str, settings: Settings, tracer: "Tracer") -> str:
    """Return the explanation of a stored incident by the rules of ``tracer``. Raises FatalError."""
    from responder.cli.rules import trace_text

    return "\n".join(trace_text.lines(_stored(incident, settings, tracer)))


def tracer_of(settings: Settings, rules: str, runbooks: str, answers: dict[str, str]) -> "Tracer":
    """Return what traces decisions by the rules of a folder, as they are now. Raises InvalidRules."""
    from responder.cli.decision_context import ANY_PROMETHEUS, decision_context_of
    from responder.cli.rules.trace import trace

    if answers and not settings.prometheus_url:
        settings = replace(settings, prometheus_url=ANY_PROMETHEUS)
    context = decision_context_of(rules, runbooks, settings)
    anchors = bootstrap.rule_references(runbooks, confined=True).runbooks or {}
    return lambda sample, now: trace(sample, context, anchors, now, answers)


def _live(url: str, matchers: tuple[str, ...], settings: Settings, now: datetime) -> Iterator[Sample]:
    """Yield the firing groups; of an Alertmanager pair, those of the first."""
    from responder.cli.rules.alertmanager_groups import fetch_samples

    bases = {"": url} if url != CONFIGURED else {name: urls[0] for name, urls in settings.alertmanager_url.items()}
    if not bases:
        raise FatalError("no Alertmanager is configured: use --alertmanager URL, or set RESPONDER_ALERTMANAGER_URL")
    for cluster, base in bases.items():
        yield from fetch_samples(base, cluster, matchers, settings, now)


def _stored(name: str, settings: Settings, tracer: "Tracer") -> "Trace":
    """Compare the stored decision with that of the current rules at the time of the notification."""
    from responder.cli.rules.stored import compare, find

    found = find(name, settings)
    traced = tracer(found.sample, found.received_at)
    if traced.decision is None:
        return traced
    return replace(traced, stored=compare(found.incident, traced.decision, traced.revision))


def _answers(pairs: tuple[str, ...]) -> dict[str, str]:
    from responder.rulebook.cases import FINDINGS

    found = {}
    for pair in pairs:
        name, _, word = pair.partition("=")
        if not name or word not in FINDINGS:
            raise click.BadParameter(
                f"'{pair}' is not PROBE=WORD, one of {', '.join(FINDINGS)}", param_hint="--finding"
            )
        found[name] = word
    return found


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a time: 2026-03-01T12:00:00Z", param_hint="--at") from error
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
