"""Transcripts: the steps of runbooks that were run during an incident, kept with its content."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from responder.model.transcript import StepRecord
from responder.store.schema.serialization import from_bytes, to_bytes
from responder.store.schema.tables import contents

#: Records of one incident; older ones are dropped.
MOST_RECORDS = 100


def add(connection: Connection, incident: str, records: Sequence[StepRecord]) -> bool:
    """Add records to an incident, in the order in which they were made. Returns False if it has no content."""
    mine = contents.c.incident == incident
    row = connection.execute(select(contents.c.transcript).where(mine).with_for_update()).first()
    if row is None:
        return False
    kept = (*(from_bytes(tuple[StepRecord, ...], row[0]) if row[0] else ()), *records)
    connection.execute(update(contents).where(mine).values(transcript=to_bytes(kept[-MOST_RECORDS:])))
    return True


def has_content(connection: Connection, incident: str) -> bool:
    """Return True if an incident is known and may have a transcript."""
    return connection.execute(select(contents.c.incident).where(contents.c.incident == incident)).first() is not None


def of_incident(connection: Connection, incident: str) -> tuple[StepRecord, ...]:
    """Return the transcript of an incident; empty without one."""
    found = connection.execute(select(contents.c.transcript).where(contents.c.incident == incident)).scalar()
    return from_bytes(tuple[StepRecord, ...], found) if found else ()


def every(connection: Connection) -> dict[str, tuple[StepRecord, ...]]:
    """Return the transcripts of all incidents that have one, by incident."""
    written = select(contents.c.incident, contents.c.transcript).where(contents.c.transcript.is_not(None))
    return {incident: from_bytes(tuple[StepRecord, ...], found) for incident, found in connection.execute(written)}
