"""Fixtures of all tests: a database of their own, and a clock set by hand."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from prometheus_client import CollectorRegistry, generate_latest, values

from responder.counters import COUNTERS
from responder.store.database import Database
from responder.store.schema.migrate import migrate
from responder.web.multiprocess import CounterFiles
from tests.support.builders import NOW

# Outside of `serve` structlog draws tracebacks with all their variables, which takes a second each.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])

# A deadline per example measures the machine's load.
settings.register_profile("responder", deadline=None)
settings.load_profile("responder")


class HandClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._ticks = 0.0

    def now(self) -> datetime:
        """The time the test set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds moved so far."""
        return self._ticks

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._ticks += seconds

    def put_back(self, seconds: float) -> None:
        """Set the wall clock alone, as an administrator or NTP may."""
        self._now -= timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """RESPONDER_... variables of the developer's environment do not change results."""
    for name in [name for name in os.environ if name.startswith("RESPONDER_") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


Counted = Callable[[str], float | None]


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """Count, as a worker does; the value of a sample as a scrape shows it, None where it shows none."""
    folder = tmp_path / "counters"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    files = CounterFiles(folder, 0)
    COUNTERS.open(files.open)
    yield lambda sample: sampled(files, sample)
    COUNTERS.close()
    values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]


def sampled(files: CounterFiles, sample: str) -> float | None:
    """The value of a sample in the text of a scrape."""
    registry = CollectorRegistry()
    registry.register(files)
    found = [line for line in generate_latest(registry).decode().splitlines() if line.startswith(f"{sample} ")]
    return float(found[0].rpartition(" ")[2]) if found else None


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """URL of a database of this test's own."""
    return f"sqlite:///{tmp_path / 'responder.db'}"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new database. To copy it costs a tenth of making it."""
    path = tmp_path_factory.mktemp("migrated") / "responder.db"
    new = Database(f"sqlite:///{path}")
    migrate(new)
    new.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")  # tables dropped by migrations leave free pages, which a full disk has not
    return path


@pytest.fixture
def database(database_url: str, migrated: Path) -> Iterator[Database]:
    """A migrated database of this test's own."""
    scheme, _, path = database_url.partition(":///")
    if scheme == "sqlite":
        shutil.copyfile(migrated, path)
    found = Database(database_url)
    migrate(found)
    yield found
    found.close()
