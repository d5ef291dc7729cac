"""History of runbooks: the last commit of each file, and the incidents that a runbook did not solve."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from responder import bootstrap
from responder.cli.errors import FatalError
from responder.cli.git import git
from responder.runbooks.lint.contract import Failure

if TYPE_CHECKING:
    from responder.settings import Settings

#: Incidents that are read, the newest first.
_MOST_INCIDENTS: Final = 1000


def changed_dates(folder: Path) -> Mapping[str, date]:
    """Return the dates of the last commits of the files below a folder; empty without git, or in a shallow clone."""
    try:
        if git(folder, "rev-parse", "--is-shallow-repository").strip() != b"false":
            return {}  # its oldest commit seems to have changed every file
        log = git(
            folder, "-c", "core.quotePath=false", "log", "--format=%x00%as", "--name-only", "--relative", "--", "."
        )
    except FatalError:
        return {}
    found: dict[str, date] = {}
    day = date.min
    for line in log.decode("utf-8", "replace").splitlines():
        if line.startswith("\0"):
            day = date.fromisoformat(line[1:])
        elif line:
            found.setdefault(line, day)
    return found


def failures(settings: "Settings") -> Mapping[str, Sequence[Failure]]:
    """Return the incidents that re-fired or took over a day, by the file of their runbook. Raises StoreError."""
    from responder.store.incidents.runbook_use import unsolved

    found: dict[str, list[Failure]] = {}
    with bootstrap.database(settings) as database, database.read() as connection:
        for each in unsolved(connection, bootstrap.SystemClock().now(), _MOST_INCIDENTS):
            outcome = "re-fired" if each.refired else "took over a day"
            file = each.runbook.partition("#")[0]
            found.setdefault(file, []).append(Failure(each.incident, each.opened_at.date(), outcome))
    return found
