"""``responder backtest``: compare the decisions of two sets of rules on past notifications."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.durations import SPAN
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import OUTPUT, RULES, RUNBOOKS
from responder.cli.table import print_json
from responder.model.problem import InvalidRules
from responder.model.text import number_of
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.cli.backtest.against import RuleSet
    from responder.cli.backtest.history import EventHistory
    from responder.cli.backtest.show import BacktestReport
    from responder.engine.effects.context import DecisionContext
    from responder.rulebook.backtest.tally import Totals

_OF_PROMETHEUS = timedelta(days=30)


@click.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--against",
    "before",
    default="HEAD",
    show_default=True,
    metavar="REVISION|./FOLDER",
    help="Rules before the change: a git revision of the repository with the rules, or a folder (./NAME).",
)
@click.option("--prometheus", "url", metavar="URL", help="Replay the alert history (ALERTS) of this Prometheus.")
@click.option("--since", type=SPAN, help="Period to replay: 12h, 30d, 4w. [default: everything; 30d with --prometheus]")
@click.option("--step", type=SPAN, default="60s", show_default=True, help="Query resolution with --prometheus.")
@click.option(
    "--group-by",
    metavar="LABEL,...",
    default="alertname,cluster,service",
    show_default=True,
    help="Alertmanager's group_by, to group alerts with --prometheus.",
)
@click.option(
    "--receiver",
    "receivers",
    metavar="NAME",
    multiple=True,
    help="Filter event recorder lines by receiver; repeatable.",
)
@click.option("--max-new-pages", metavar="N", type=click.IntRange(0), help="Fail if there are more new pages.")
@click.option("--max-lost-pages", metavar="N", type=click.IntRange(0), help="Fail if there are more lost pages.")
@click.option(
    "--cases",
    metavar="N",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Examples shown for each rule and kind.",
)
@OUTPUT
@RULES
@RUNBOOKS
def backtest(
    paths: tuple[str, ...],
    before: str,
    url: str | None,
    since: timedelta | None,
    step: timedelta,
    group_by: str,
    receivers: tuple[str, ...],
    max_new_pages: int | None,
    max_lost_pages: int | None,
    cases: int,
    output: str,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Replay past notifications with the rules before and after a change, and show the differences.

    PATHS are files and folders of webhook payloads (*.json) and of Alertmanager's event recorder (*.jsonl), or - for
    such lines on standard input. Default: the notifications in the database. Runs no probes, stores and sends nothing.

    Exit status: 0 if the change is within the limits, 1 if it exceeds one or a payload could not be read, 2 for a
    wrong command line.
    """
    if paths and url:
        raise click.UsageError("give PATHS or --prometheus, not both")
    asked = HistoryOptions(paths, url, since, step, tuple(filter(None, group_by.split(","))), receivers)
    with named_failures():
        found = _compare(before, asked, rules, runbooks, cases)
    _print(found, output)
    exceeded = list(_exceeded(found.tally, max_new_pages, max_lost_pages))
    for line in exceeded:
        click.echo(f"error: {line}", err=True)
    sys.exit(FAILED if exceeded or found.tally.unread else 0)


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """Options that select the history."""

    paths: tuple[str, ...]
    url: str | None
    since: timedelta | None
    step: timedelta
    group_by: tuple[str, ...]
    receivers: tuple[str, ...]


def _compare(
    wanted: str, asked: HistoryOptions, rules: str | None, runbooks: str | None, most: int
) -> "BacktestReport":
    from responder.cli.backtest.against import RuleSet, reference_rules
    from responder.cli.backtest.parallel_run import ParallelRun, processes
    from responder.cli.backtest.run import BacktestRun
    from responder.cli.backtest.show import BacktestReport

    settings = bootstrap.settings_from_environment()
    folders = Path(rules or settings.rules), Path(runbooks or settings.runbooks)
    now = RuleSet(str(folders[0]), *folders)
    after = _context(now, settings)
    with reference_rules(wanted, now) as then:
        before = _context(then, settings)
    with _past(asked, settings) as past:
        shares = ParallelRun(lambda: BacktestRun(before, after, most), past.events, processes(before, after))
        _watch(past, shares.run())
    tally = shares.tally()
    if not tally.notifications and not tally.unread:
        raise FatalError(f"no notification in {past.name}: nothing to compare")
    revisions = before.book.revision, after.book.revision
    return BacktestReport(history=past.name, before=then.name, after=now.name, revisions=revisions, tally=tally)


def _context(rules: "RuleSet", settings: Settings) -> "DecisionContext":
    """Load a set of rules. Names the set on standard error, then raises InvalidRules."""
    from responder.cli.decision_context import decision_context_of

    try:
        return decision_context_of(str(rules.rules), str(rules.runbooks), settings)
    except InvalidRules:
        click.echo(f"error: invalid rules in {rules.name}:", err=True)
        raise


@contextlib.contextmanager
def _past(asked: HistoryOptions, settings: Settings) -> "Iterator[EventHistory]":
    from responder.cli.backtest import history

    now = bootstrap.SystemClock().now()
    since = now - asked.since if asked.since else None
    if asked.url:
        begin = since or now - _OF_PROMETHEUS
        yield history.of_prometheus(asked.url, settings, begin, now, asked.step.total_seconds(), asked.group_by)
    elif asked.paths:
        yield history.of_files(asked.paths, sys.stdin.buffer, now, since, asked.receivers)
    else:
        with bootstrap.database(settings) as database:
            yield history.of_store(database, since)


def _watch(past: "EventHistory", steps: Iterator[None]) -> None:
    """Run all steps, with a progress bar if standard error is a terminal."""
    if not sys.stderr.isatty():
        for _ in steps:
            pass
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"replaying {past.name}", total=past.total)
        for _ in steps:
            bar.advance(task)


def _exceeded(tally: "Totals", new: int | None, lost: int | None) -> Iterator[str]:
    from responder.rulebook.backtest.outcome import DifferenceKind

    for kind, most in ((DifferenceKind.NEW_PAGE, new), (DifferenceKind.LOST_PAGE, lost)):
        if most is not None and tally.totals[kind] > most:
            yield f"{number_of(tally.totals[kind], kind.value)}, limit {most:,}"


def _print(found: "BacktestReport", output: str) -> None:
    from responder.cli.backtest import show

    if output == "json":
        print_json(show.as_json(found))
        return
    for line in show.lines(found):
        click.echo(line)
