"""BUTTERFLY, the example that ships with the program: rules, runbooks and webhook payloads."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from responder.settings import Settings

#: Links to folders of the repository; a wheel has copies.
_ROOT: Final = Path(str(files("responder"))) / "example"


def example(name: str) -> Path:
    """Return the folder ``rules``, ``runbooks`` or ``alerts`` of the example."""
    return (_ROOT / name).resolve()


def folders(settings: Settings, rules: str | None, runbooks: str | None) -> tuple[str, str]:
    """Return the folders of the rules and runbooks; those of the example where none are named and none are here."""
    if rules or settings.rules != "rules" or Path("rules").exists() or not example("rules").is_dir():
        return rules or settings.rules, runbooks or settings.runbooks
    click.echo("No rules in this folder: showing those of the example. `responder init .` writes yours.", err=True)
    return str(example("rules")), runbooks or str(example("runbooks"))
