"""``responder init``: write rule files with probes, tests and runbooks to start from."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder.bootstrap import settings_from_environment
from responder.cli.errors import FatalError, named_failures
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.rulebook.prometheus_rules import AlertRule


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME,...",
    help="Add the rules of these products; repeatable. `--preset list` lists them.",
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="PATH|URL",
    help="Add a stub for each alert of these Prometheus rule files, or of a running Prometheus, that no rule matches. "
    "Without --preset, the presets that match one of the alerts are added.",
)
@click.option(
    "--from-alertmanager",
    "alertmanager",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Make channels and teams of the receivers and routes of an alertmanager.yml.",
)
def init(folder: Path, presets: tuple[str, ...], sources: tuple[str, ...], alertmanager: Path | None) -> None:
    """Write rule files to DIR: platform, severities, services, probes, rules, runbooks, tests.

    They pass `responder rules check --strict` and `responder rules test` unchanged. Existing files are not overwritten.

    Exit status: 0 if they were written, 1 if one of the files exists or a source cannot be read, 2 for a wrong command
    line.
    """
    from responder.cli.init.presets import base, fitting, names, preset_files, stubs

    chosen = [name for each in presets for name in each.split(",") if name]
    if chosen == ["list"]:
        click.echo("\n".join(names()))
        return
    if strange := [name for name in chosen if name not in names()]:
        raise click.UsageError(f"no preset is named {', '.join(strange)}; the presets are {', '.join(names())}")
    with named_failures():
        texts = dict(base())
        notes = _with_alertmanager(texts, alertmanager) if alertmanager else []
        if sources:
            alerts = _alerts(sources)
            chosen = chosen or fitting(alerts, texts)
            texts |= dict(preset_files(chosen))
            texts |= stubs(alerts, texts)
        else:
            texts |= dict(preset_files(chosen))
        _write(folder, texts)
    _report(folder, chosen, texts, notes)


def _alerts(sources: tuple[str, ...]) -> "list[AlertRule]":
    """Read the alerts of rule files, folders of them, or a running Prometheus. Raises FatalError for a wrong source."""
    from responder.cli.rules.coverage import alerts_of

    found: list[AlertRule] = []
    for source in sources:
        url = source if source.startswith(("http://", "https://")) else None
        alerts, _, problems = alerts_of(() if url else (Path(source),), url, settings_from_environment())
        if problems:
            raise FatalError("; ".join(problems))
        found += alerts
    return found


def _with_alertmanager(texts: dict[str, str], file: Path) -> list[str]:
    """Add the channels and teams of an Alertmanager to ``texts``; return what people must know about them."""
    from responder.cli.init.alertmanager import carry_over, team_of_platform, text

    try:
        found = carry_over(str(file), file.read_bytes())
    except OSError as error:
        raise FatalError(f"{file} cannot be read: {error.strerror}") from error
    texts["rules/07-teams.yaml"] = text(found, file.name)
    platform = "rules/00-platform.yaml"
    texts[platform] = re.sub(r"(?m)^  channels: .*$", lambda _: f"  {team_of_platform(found)}", texts[platform])
    # The channels of these cases are those of the teams now.
    for name in [name for name in texts if name.startswith("rules/tests/")]:
        texts[name] = re.sub(r"(?m)^ +(route|page): .*\n|, (page: \w+|route: \[.*?\])(?=[,}])", "", texts[name])
    return [
        *(f"not carried over: {each}" for each in found.left),
        *(f"store the secret {name}: {where}" for name, where in found.secrets.items()),
    ]


def _write(folder: Path, texts: dict[str, str]) -> None:
    taken = [name for name in texts if (folder / name).exists()]
    if taken:
        raise FatalError(f"{folder} already has {', '.join(taken)}: name an empty folder")
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise FatalError(f"{error.filename} cannot be written: {error.strerror}") from error


def _report(folder: Path, chosen: list[str], texts: dict[str, str], notes: list[str]) -> None:
    click.echo(f"Written to {folder}" + (f", with the presets {', '.join(chosen)}" if chosen else "") + ".")
    if "rules/70-stubs.yaml" in texts:
        number = texts["rules/70-stubs.yaml"].count("\n  - id: ")
        click.echo(
            f"Stubs for {number_of(number, 'alert')} without a rule: write the first steps in rules/70-stubs.yaml."
        )
    for note in notes:
        click.echo(f"  {note}")
    click.echo("\nNext:\n")
    if folder != Path():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  responder rules check --strict")
    click.echo("  responder rules test --coverage")
    click.echo("  responder rules explain --label alertname=ServiceDown --label service=cart")
    click.echo('  echo \'{"labels": {"alertname": "ServiceDown", "service": "cart"}}\' | responder dry-run -')
    click.echo("\nThen replace the examples: your services in 02-services.yaml, their alerts in 10-services.yaml,")
    click.echo("their cases in tests/services.yaml, and every address at example.com.")
