"""``responder init``: write a commented starter set of rules, a runbook and tests."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from responder.cli.errors import FatalError, named_failures


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a commented starter set to DIR: platform, severities, services, probes, rules, a runbook, tests.

    It passes `responder rules check` and `responder rules test` unchanged. Existing files are not overwritten.

    Exit status: 0 if it was written, 1 if one of its files exists, 2 for a wrong command line.
    """
    with named_failures():
        _write(folder, dict(starter()))
    click.echo(f"Written to {folder}. Next:\n")
    rules, runbooks = folder / "rules", folder / "runbooks"
    where = f"--rules {rules} --runbooks {runbooks}"
    click.echo(f"  responder rules check {rules} --strict")
    click.echo(f"  responder rules test {where} --coverage")
    click.echo(f"  responder rules explain {where} --label alertname=ServiceDown --label service=cart")
    click.echo("\nThen enter your services in 02-services.yaml and add a rule for each of your alerts.")


def starter() -> Iterator[tuple[str, str]]:
    """Yield each file of the starter set: its path inside the folder, and its text."""
    from responder.cli.rules.schema import text

    yield from _texts(files("responder.cli") / "starter", "")
    yield "rules/schema.json", text()


def _texts(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _texts(each, f"{prefix}{each.name}/")
        else:
            yield f"{prefix}{each.name}", each.read_text("utf-8")


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
