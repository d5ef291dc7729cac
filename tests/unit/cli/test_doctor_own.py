"""doctor's checks of responder's own database and clock."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.bootstrap import SystemClock
from responder.cli.doctor.channels import clocks
from responder.cli.doctor.own import database
from responder.cli.doctor.patient import DoctorContext
from responder.model.check import Level, Result
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing import UnreachableError
from responder.settings import Settings
from tests.conftest import HandClock


class Unreachable:
    """Client without any server."""

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """Never."""
        raise UnreachableError(f"{request.url} does not answer")


def a_patient(settings: Settings, clock: Clock) -> DoctorContext:
    """Client whose network is down."""
    return DoctorContext(
        settings=settings,
        environment={},
        book=None,
        outgoing=Unreachable(),  # type: ignore[arg-type]
        mailer=Unreachable(),  # type: ignore[arg-type]
        clock=clock,
        deadline=Deadline(clock.monotonic() + 5),
        send=False,
    )


def _examined(path: Path, *statements: str) -> Sequence[Result]:
    with contextlib.closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
    return database(a_patient(Settings(database_url=Secret(f"sqlite:///{path}")), SystemClock()))


def test_a_database_of_another_program_is_bad(tmp_path: Path) -> None:
    """Findings include what `serve` would refuse: tables of another program in the database."""
    [found] = _examined(tmp_path / "shop.db", "CREATE TABLE deliveries (parcel TEXT)")
    assert found.level is Level.BAD
    assert "shop.db has a table deliveries that responder did not create" in found.what


def test_a_database_that_serve_can_use_is_no_trouble(tmp_path: Path) -> None:
    """Before the first start there is nothing to fix, whatever else the database holds."""
    found = _examined(tmp_path / "shop.db", "CREATE TABLE parcels (parcel TEXT)")
    assert (found[-1].level, found[-1].what) == (Level.SKIPPED, "holds nothing of responder yet")


@pytest.mark.parametrize(
    ("year", "level", "said"),
    [
        (1970, Level.BAD, "says 1970-01-01, before this release was made"),
        (2027, Level.SKIPPED, "nobody to compare with"),
    ],
)
def test_a_clock_that_never_was_set_is_bad(year: int, level: Level, said: str) -> None:
    """A clock in 1970 is found even if no server gives the time."""
    [found] = clocks(a_patient(Settings(), HandClock(datetime(year, 1, 1, tzinfo=UTC))))
    assert (found.level, said in found.what) == (level, True), found


def test_files_that_other_users_can_read_are_reported(tmp_path: Path) -> None:
    """Payloads stored by an earlier version may be open to every user of the machine."""
    path = tmp_path / "responder.db"
    path.touch()
    path.chmod(0o644)
    warned = [each for each in _examined(path) if each.level is Level.WARN and "other users" in each.what]
    assert [(str(path) in each.what, each.change.startswith("chmod 600 ")) for each in warned] == [(True, True)]
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    assert not [each for each in _examined(path) if "other users" in each.what]
