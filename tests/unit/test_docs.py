"""Docs that name settings, metrics or commands are compared with the code; UPDATE_DOCS=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from responder.cli import _COMMANDS
from responder.settings import Settings
from responder.store.database import Database
from responder.store.inbox import Inbox
from responder.web.ops import StoreCollector

ROOT = Path(__file__).parents[2]


def compare(name: str, expected: str) -> None:
    """The file must be exactly this."""
    path = ROOT / "docs" / name
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(expected)
    assert path.read_text() == expected, f"docs/{name} is stale: run UPDATE_DOCS=1 make check"


def test_the_settings_page_lists_every_setting() -> None:
    """What the page says can be set is what can be set."""
    rows = [
        f"| `{name}` | {'`' + value + '`' if value else ''} | {text.replace('|', chr(92) + '|')} |"
        for name, value, text in Settings().rows()
    ]
    head = (
        "# Settings\n\nAll come from the environment. A secret can also be read from a file: put the path of it into"
        " the variable of the same name with `_FILE` at its end. `responder serve --settings` shows those in force.\n\n"
        "| variable | default | what it is |\n|---|---|---|\n"
    )
    compare("settings.md", head + "\n".join(rows) + "\n")


def test_the_metrics_page_lists_every_metric(database: Database) -> None:
    """What a dashboard can rely upon is written down."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(database, Inbox(database)))
    text = generate_latest(registry).decode()
    rows = []
    for name, help_text in re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE):
        kind = re.search(rf"^# TYPE {name} (\S+)$", text, re.MULTILINE)
        assert kind is not None
        rows.append(f"| `{name}` | {kind[1]} | {help_text} |")
    head = (
        "# Metrics\n\n`GET /metrics`. The numbers are counted in the database when asked, so every worker and replica"
        " says the same.\n\n| metric | type | what it counts |\n|---|---|---|\n"
    )
    compare("metrics.md", head + "\n".join(rows) + "\n")


def test_the_readme_names_every_command() -> None:
    """A newcomer finds each command in the README."""
    readme = (ROOT / "README.md").read_text()
    assert [name for name in _COMMANDS if f"responder {name}" not in readme] == []
