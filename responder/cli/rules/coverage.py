"""`responder rules coverage`: which rule each alert of Prometheus meets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from responder import bootstrap
from responder.cli.ask import get_json
from responder.cli.fail import FAILED, Fatal, named_failures

if TYPE_CHECKING:
    from responder.cli.rules.mapping import Mapped
    from responder.rulebook.foreign import AlertRule
    from responder.settings import Settings

_HOURS = 'sum by (alertname) (count_over_time(ALERTS{alertstate="firing"}[7d:5m])) / 12'


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--prometheus", "url", help="Read the rules of a live Prometheus, weighted by how long each fired.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label that alerts are thought to carry."
)
@click.option("--all", "everything", is_flag=True, help="List what falls to the catch-all as well.")
@click.option("--output", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--rules", "folder", help="Folder of the rule files. [default: RESPONDER_RULES]")
@click.option("--runbooks", help="Folder of the runbooks. [default: RESPONDER_RUNBOOKS]")
def coverage(
    paths: tuple[Path, ...],
    url: str | None,
    labels: tuple[str, ...],
    *,
    everything: bool,
    output: str,
    folder: str | None,
    runbooks: str | None,
) -> None:
    """Show the rule, the severity and the runbook of every alert in PATHS, and what no rule of its own takes.

    PATHS are Prometheus rule files, PrometheusRule manifests, or folders of them. Exit status: 0 when all could be
    read, 1 when one could not.
    """
    from responder.cli.rules.explain import labels_of

    if not paths and not url:
        raise click.UsageError("give PATHS, or --prometheus URL")
    extra = labels_of(labels)
    with named_failures():
        found = _mapped(paths, url, extra, folder, runbooks)
    _print(found, output, everything=everything)
    sys.exit(FAILED if found.problems else 0)


def _mapped(
    paths: tuple[Path, ...], url: str | None, extra: dict[str, str], folder: str | None, runbooks: str | None
) -> Mapped:
    from responder.cli.rules.mapping import mapped
    from responder.rulebook.foreign import NotReadableError, read_file

    settings = bootstrap.settings_from_environment()
    book = bootstrap.load_rules(folder or settings.rules, runbooks or settings.runbooks)
    alerts: list[AlertRule] = []
    problems: list[str] = []
    sources = 0
    for path in _files(paths):
        try:
            read = read_file(path.as_posix(), path.read_bytes())
        except (NotReadableError, OSError) as error:
            problems.append(f"{path}: {error.strerror if isinstance(error, OSError) else error}")
            continue
        alerts += read
        sources += bool(read)
    if url:
        alerts += _live(url, settings)
        sources += 1
    return mapped(alerts, book, extra, sources, tuple(problems))


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*.y*ml") if each.is_file())
        else:
            yield path


def _live(url: str, settings: Settings) -> tuple[AlertRule, ...]:
    from responder.rulebook.foreign import NotReadableError, read_answer

    base = url.rstrip("/")
    rules = get_json(f"{base}/api/v1/rules?type=alert", settings)
    fired = get_json(f"{base}/api/v1/query?query={quote(_HOURS)}", settings)
    try:
        return read_answer(base, rules, _hours(fired))
    except NotReadableError as error:
        raise Fatal(f"{base}: {error}") from error


def _hours(answer: Any) -> dict[str, float]:
    """Hours by alert out of the answer of an instant query; nothing fired where it holds nothing."""
    try:
        return {each["metric"]["alertname"]: float(each["value"][1]) for each in answer["data"]["result"]}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Fatal(f"Prometheus does not say how often alerts fired: {error!r}") from error


def _print(found: Mapped, output: str, *, everything: bool) -> None:
    from responder.cli.rules import mapping

    if output == "json":
        click.echo(json.dumps(mapping.as_json(found), indent=2, ensure_ascii=False))
    elif output == "html":
        from responder.cli.rules.sheet import sheet

        click.echo(sheet(found), nl=False)
    else:
        for line in mapping.lines(found, everything=everything):
            click.echo(line)
