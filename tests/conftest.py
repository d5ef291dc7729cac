"""What all tests share: a database of their own, and a clock they move themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog

from responder.store.database import Database
from responder.store.migrate import migrate
from tests.support.builders import NOW

# Outside of `serve` structlog draws tracebacks with all their variables, which takes a second each.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])


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
    """Whoever has RESPONDER_... variables for a service of their own gets the same results."""
    for name in [name for name in os.environ if name.startswith("RESPONDER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Where a database of this test's own may be."""
    return f"sqlite:///{tmp_path / 'responder.db'}"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new database. To copy it costs a tenth of making it."""
    path = tmp_path_factory.mktemp("migrated") / "responder.db"
    new = Database(f"sqlite:///{path}")
    migrate(new)
    new.close()
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
