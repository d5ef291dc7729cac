"""``responder rules coverage``: show the matching rule of every Prometheus alert."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from responder import bootstrap
from responder.cli.durations import SPAN, shown
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.http_get import get_json, without_credentials
from responder.cli.options import RULES, RUNBOOKS, labels_of
from responder.cli.table import print_json
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.cli.rules.links import Verdict
    from responder.cli.rules.mapping import AlertMapping, CoverageReport
    from responder.rulebook.prometheus_rules import AlertRule

#: Bytes of a file that may hold rules by its name, but need not.
_MOST_SEARCHED = 4 * 1024 * 1024


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--prometheus",
    "url",
    metavar="URL",
    help="Count how often each alert fired there. Without PATHS, read its rules.",
)
@click.option("--since", type=SPAN, default="7d", show_default=True, help="Period to count.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=labels_of,
    help="Label added to alerts without it; repeatable.",
)
@click.option("--check-links", is_flag=True, help="Request every http(s) runbook_url.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also list alerts that only the catch-all matches, and alerts without a runbook_url.",
)
@click.option("--stubs", is_flag=True, help="Print only rules to paste, one for each family of catch-all alerts.")
@click.option("--output", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@RULES
@RUNBOOKS
def coverage(
    paths: tuple[Path, ...],
    url: str | None,
    since: timedelta,
    labels: dict[str, str],
    *,
    check_links: bool,
    everything: bool,
    stubs: bool,
    output: str,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Show rule, severity and runbook of every alert in PATHS, and the alerts that only the catch-all matches.

    PATHS are files of alerting rules (of Prometheus, PrometheusRule, VMRule, ConfigMap, Helm values, Grafana
    provisioning), folders of them, or - for standard input. In a folder, files with other names than .yaml, .yml,
    .rules and .json are read if they hold an alert.

    Exit status: 0 if rules were found in each file, 1 if one could not be read or has none, 2 for a wrong command line.
    """
    from responder.cli.rules.mapping import CoverageReport, rows

    if not paths and not url:
        raise click.UsageError("give PATHS, or --prometheus URL")
    with named_failures():
        settings = bootstrap.settings_from_environment()
        book = bootstrap.load_rules(rules or settings.rules, runbooks or settings.runbooks, confined=True)
        alerts, sources, problems = alerts_of(paths, url, settings)
        judge = _judge(runbooks or settings.runbooks, settings)
        found = CoverageReport(rows(alerts, book, labels, judge), book, sources, tuple(problems))
        if check_links:
            found = replace(found, rows=_checked(found.rows, settings))
        if url:
            found = _with_weights(found, url, since, settings)
    _print(found, "stubs" if stubs else output, everything=everything)
    sys.exit(FAILED if found.problems else 0)


def alerts_of(paths: tuple[Path, ...], url: str | None, settings: Settings) -> "tuple[list[AlertRule], int, list[str]]":
    """Return the alerts, the number of sources that have any, and the files that could not be read."""
    from responder.rulebook.prometheus_rules import SUFFIXES, NotReadableError, read_file

    alerts: list[AlertRule] = []
    problems: list[str] = []
    sources = 0
    for path in _files(paths):
        if path.is_dir():
            problems.append(f"{path}: no {', '.join(SUFFIXES)} file in this folder")
            continue
        try:
            raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
            read = read_file("standard input" if str(path) == "-" else path.as_posix(), raw)
        except (NotReadableError, OSError) as error:
            problems.append(f"{path}: {error.strerror if isinstance(error, OSError) else error}")
            continue
        alerts += read
        sources += bool(read)
    if url and not paths:
        alerts += _live(url, settings)
        sources += 1
    return alerts, sources, problems


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Yield files, including those in folders at any depth; a folder without any is yielded itself."""
    for path in paths:
        inside = sorted(each for each in path.rglob("*") if each.is_file() and _holds_rules(each, path))
        yield from inside or [path]


def _holds_rules(path: Path, folder: Path) -> bool:
    """Return True for a file of a folder whose name is that of a rule file, or may be and an alert is in it."""
    from responder.rulebook.prometheus_rules import OTHER_SUFFIXES, SUFFIXES, has_alert

    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    if suffix not in OTHER_SUFFIXES or hidden or path.stat().st_size > _MOST_SEARCHED:
        return False
    return has_alert(path.read_text("utf-8", errors="replace"))


def _live(url: str, settings: Settings) -> "tuple[AlertRule, ...]":
    from responder.rulebook.prometheus_rules import NotReadableError, read_answer

    base = url.rstrip("/")
    try:
        return read_answer(without_credentials(base), get_json(f"{base}/api/v1/rules?type=alert", settings))
    except NotReadableError as error:
        raise FatalError(f"{without_credentials(base)}: {error}") from error


def _with_weights(found: "CoverageReport", url: str, since: timedelta, settings: Settings) -> "CoverageReport":
    """Add to each alert how often it fired."""
    from responder.cli.rules import weight

    base = url.rstrip("/")
    times, hours = (get_json(f"{base}/api/v1/query?query={quote(query)}", settings) for query in weight.queries(since))
    try:
        weights, strange = weight.share_weights([row.alert for row in found.rows], weight.read(times, hours))
    except weight.NoVectorError as error:
        raise FatalError(f"{without_credentials(base)}: {error}") from error
    weighted = tuple(replace(row, weight=each) for row, each in zip(found.rows, weights, strict=True))
    return replace(found, rows=weighted, lately=shown(since), strange=strange)


def _judge(runbooks: str, settings: Settings) -> "Callable[[str | None], Verdict]":
    from responder.cli.rules.links import check_link

    known = bootstrap.rule_references(runbooks, confined=True).runbooks or {}
    return lambda url: check_link(url, known, settings.runbook_base_url)


def _checked(rows: "tuple[AlertMapping, ...]", settings: Settings) -> "tuple[AlertMapping, ...]":
    """Request the pages that could not be checked offline, and add the results."""
    from responder.cli.rules.links import NOT_ASKED
    from responder.cli.rules.online import request_all

    found = request_all([row.runbook_url for row in rows if row.leads == NOT_ASKED], settings)
    return tuple(replace(row, leads=found[row.runbook_url]) if row.leads == NOT_ASKED else row for row in rows)


def _print(found: "CoverageReport", output: str, *, everything: bool) -> None:
    from responder.cli.rules import mapping, mapping_text
    from responder.cli.rules.mapping_html import sheet
    from responder.cli.rules.mapping_text import stubs

    if output == "json":
        print_json(mapping.as_json(found))
    elif output == "stubs":
        for problem in found.problems:
            click.echo(f"not read: {problem}", err=True)
        click.echo("\n".join(stubs(found)))
    elif output == "html":
        click.echo(sheet(found), nl=False)
    else:
        for line in mapping_text.lines(found, everything=everything):
            click.echo(line)
