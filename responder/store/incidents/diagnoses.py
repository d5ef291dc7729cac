"""Diagnoses: work that survives the process that started it, under short leases renewed by the worker."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Float, and_, bindparam, insert, or_, select, update

from responder.model.delivery import DiagnosisJob, DiagnosisRequest
from responder.store.backends.prepared import NEW_DIAGNOSES, Prepared, notify
from responder.store.schema.serialization import from_bytes, to_bytes, to_seconds, to_time
from responder.store.schema.tables import UNFINISHED, diagnoses

_FINISHED = Prepared(
    update(diagnoses)
    .where(diagnoses.c.id == bindparam("key"), diagnoses.c.attempt == bindparam("fence"), UNFINISHED)
    .values(state="done", ended_at=bindparam("at"), claimed_until=0.0)
)
_WRITE = Prepared(insert(diagnoses).returning(diagnoses.c.id))

#: Attempts, by workers that died or failed, before a diagnosis is given up; its page is sent all the same.
ATTEMPTS = 3


_FREE = and_(UNFINISHED, diagnoses.c.claimed_until <= bindparam("now", type_=Float), diagnoses.c.attempt < ATTEMPTS)
_ANY_FREE = Prepared(select(diagnoses.c.id).where(_FREE).limit(1))


def write(
    connection: Connection,
    due: Iterable[tuple[DiagnosisRequest, datetime]],
    now: datetime,
    until: datetime,
    claims: int = 1,
) -> list[DiagnosisJob]:
    """Add diagnoses with the page's due time. Claims the first ``claims`` due until ``until``, and returns these."""
    pairs = sorted(due, key=lambda pair: pair[1])
    rows = [
        {
            "incident": work.incident,
            "state": "waiting",
            "due_at": to_seconds(due_at),
            "request": to_bytes(work),
            "attempt": 1 if place < claims else 0,
            "claimed_until": to_seconds(until) if place < claims else 0.0,
            "written_at": to_seconds(now),
        }
        for place, (work, due_at) in enumerate(pairs)
    ]
    if not rows:
        return []
    numbers = [_WRITE.rows(connection, row)[0]["id"] for row in rows]
    if len(pairs) > claims:
        notify(connection, NEW_DIAGNOSES)
    return [
        DiagnosisJob(id=number, attempt=1, due_at=due_at, request=work)
        for number, (work, due_at) in zip(numbers[:claims], pairs[:claims], strict=True)
    ]


def claim(connection: Connection, now: datetime, until: datetime, limit: int) -> list[DiagnosisJob]:
    """Claim diagnoses whose lease has expired."""
    free = select(diagnoses.c.id).where(_FREE).order_by(diagnoses.c.due_at).limit(limit)
    found = free.with_for_update(skip_locked=True).cte("severity_override")
    taken = (
        update(diagnoses)
        .where(diagnoses.c.id.in_(select(found.c.id)))
        .values(claimed_until=to_seconds(until), attempt=diagnoses.c.attempt + 1)
        .returning(diagnoses.c.id, diagnoses.c.attempt, diagnoses.c.due_at, diagnoses.c.request)
    )
    return [
        DiagnosisJob(id=number, attempt=attempt, due_at=to_time(due_at), request=from_bytes(DiagnosisRequest, work))
        for number, attempt, due_at, work in connection.execute(taken, {"now": to_seconds(now)})
    ]


def any_free(connection: Connection, now: datetime) -> bool:
    """Return True if a diagnosis waits without a lease."""
    return bool(_ANY_FREE.rows(connection, {"now": to_seconds(now)}))


def renew(connection: Connection, held: Iterable[DiagnosisJob], until: datetime) -> None:
    """Renew the leases."""
    ours = or_(*(and_(diagnoses.c.id == job.id, diagnoses.c.attempt == job.attempt) for job in held))
    connection.execute(update(diagnoses).where(UNFINISHED, ours).values(claimed_until=to_seconds(until)))


def release(connection: Connection, held: Iterable[DiagnosisJob]) -> None:
    """Release diagnoses that this process will not finish, so that another worker starts them at once."""
    ours = or_(*(and_(diagnoses.c.id == job.id, diagnoses.c.attempt == job.attempt) for job in held))
    connection.execute(update(diagnoses).where(UNFINISHED, ours).values(claimed_until=0.0))
    notify(connection, NEW_DIAGNOSES)


def finish(connection: Connection, job: DiagnosisJob, now: datetime) -> bool:
    """Mark as done. Returns False if another worker has claimed the diagnosis meanwhile."""
    values = {"key": job.id, "fence": job.attempt, "at": to_seconds(now)}
    return bool(_FINISHED.change(connection, [values]))
