"""Floods: what is remembered of each severity's new incidents, one row a severity, written with the incidents."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, insert, select, update

from responder.model.flood import Flood
from responder.store.schema.serialization import to_bytes, to_noun
from responder.store.schema.tables import floods

_KNOWN = select(floods.c.severity, floods.c.state)
_CHANGE = update(floods).where(floods.c.severity == bindparam("key")).values(state=bindparam("now"))


def known(connection: Connection) -> dict[str, Flood]:
    """What is remembered, by severity."""
    rows = connection.execute(_KNOWN)
    return {severity: to_noun(Flood, state) for severity, state in rows}


def save(connection: Connection, changed: Iterable[Flood]) -> None:
    """Remember it. Only whoever has the turn to triage writes here."""
    for flood in changed:
        state = to_bytes(flood)
        if not connection.execute(_CHANGE, {"key": flood.severity, "now": state}).rowcount:
            connection.execute(insert(floods).values(severity=flood.severity, state=state))
