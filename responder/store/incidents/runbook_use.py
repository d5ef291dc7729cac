"""Use of runbooks: on how many incidents each was, and how these went on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select

from responder.store.schema.serialization import to_time
from responder.store.schema.tables import incidents

#: Time after which an incident that is still open, or took longer, counts as not solved by its runbook. In seconds.
LONG_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class RunbookUse:
    """Incidents with a runbook: their number, those that re-fired once resolved, and those open for over a day."""

    runbook: str
    incidents: int
    refired: int
    long: int
    last: datetime

    @property
    def failed(self) -> bool:
        """True if an incident re-fired, or was open for more than a day."""
        return bool(self.refired or self.long)


@dataclass(frozen=True, slots=True)
class UnsolvedIncident:
    """An incident with a runbook that re-fired once resolved (``refired``), or was open for over a day."""

    runbook: str
    incident: str
    opened_at: datetime
    refired: bool


def unsolved(connection: Connection, now: datetime, limit: int) -> list[UnsolvedIncident]:
    """Return the newest incidents that their runbook did not solve."""
    table = incidents.c
    open_for = func.coalesce(table.resolved_at, now.timestamp()) - table.opened_at
    found = select(table.runbook, table.id, table.opened_at, table.flaps)
    found = found.where(table.runbook != "", or_(table.flaps > 0, open_for > LONG_SECONDS))
    rows = connection.execute(found.order_by(table.opened_at.desc(), table.id).limit(limit))
    return [UnsolvedIncident(row[0], row[1], to_time(row[2]), row[3] > 0) for row in rows]


def by_runbook(connection: Connection, now: datetime) -> list[RunbookUse]:
    """Return the use of each runbook and section in the incidents that are kept, the most used first."""
    table = incidents.c
    open_for = func.coalesce(table.resolved_at, now.timestamp()) - table.opened_at
    rows = connection.execute(
        select(
            table.runbook,
            func.count(),
            func.sum(case((table.flaps > 0, 1), else_=0)),
            func.sum(case((open_for > LONG_SECONDS, 1), else_=0)),
            func.max(table.opened_at),
        )
        .where(table.runbook != "")
        .group_by(table.runbook)
        .order_by(func.count().desc(), table.runbook)
    )
    return [RunbookUse(row[0], row[1], int(row[2]), int(row[3]), to_time(row[4])) for row in rows]
