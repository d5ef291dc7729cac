"""The state of heartbeat monitoring and flood detection between notifications."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from responder.model.flood import FloodCounter
from responder.model.heartbeat import Heartbeat, HeartbeatState
from responder.store.backends.prepared import Prepared
from responder.store.schema.serialization import from_bytes, to_bytes, to_seconds, to_time
from responder.store.schema.tables import floods, heartbeats


def record_heartbeat(connection: Connection, received: Iterable[Heartbeat]) -> None:
    """Record heartbeats; one older than the recorded one changes nothing."""
    newest: dict[str, float] = {}
    for each in received:
        newest[each.cluster] = max(newest.get(each.cluster, 0.0), to_seconds(each.at))
    for cluster, at in sorted(newest.items()):
        mine = heartbeats.c.cluster == cluster
        older = or_(heartbeats.c.seen_at.is_(None), heartbeats.c.seen_at < at)
        if connection.execute(update(heartbeats).where(mine, older).values(seen_at=at)).rowcount:
            continue
        if connection.execute(select(heartbeats.c.cluster).where(mine)).first() is None:
            connection.execute(insert(heartbeats).values(cluster=cluster, seen_at=at, since=at, watched_at=at))


def heartbeat_states(connection: Connection) -> dict[str, HeartbeatState]:
    """Return the state of each cluster that was expected or seen."""
    return {row["cluster"]: _heartbeat_state(row) for row in connection.execute(select(heartbeats)).mappings()}


def save(connection: Connection, changed: Iterable[HeartbeatState]) -> None:
    """Save the state after a check; ``seen_at`` changes only if a clock was set back."""
    for heartbeat_state in sorted(changed, key=lambda each: each.cluster):
        mine = heartbeats.c.cluster == heartbeat_state.cluster
        values: dict[str, Any] = {
            "since": to_seconds(heartbeat_state.since),
            "watched_at": to_seconds(heartbeat_state.watched_at),
        }
        if not connection.execute(update(heartbeats).where(mine).values(**values)).rowcount:
            connection.execute(insert(heartbeats).values(cluster=heartbeat_state.cluster, seen_at=None, **values))
            continue
        ahead = heartbeats.c.seen_at > values["watched_at"]
        connection.execute(update(heartbeats).where(mine, ahead).values(seen_at=values["watched_at"]))


def _heartbeat_state(row: Any) -> HeartbeatState:
    return HeartbeatState(
        cluster=row["cluster"],
        seen_at=None if row["seen_at"] is None else to_time(row["seen_at"]),
        since=to_time(row["since"]),
        watched_at=to_time(row["watched_at"]),
    )


_KNOWN = Prepared(select(floods.c.severity, floods.c.state))
_CHANGE = Prepared(update(floods).where(floods.c.severity == bindparam("key")).values(state=bindparam("now")))


def flood_counters(connection: Connection) -> dict[str, FloodCounter]:
    """Return the flood counters by severity."""
    rows = _KNOWN.rows(connection, {})
    return {row["severity"]: from_bytes(FloodCounter, row["state"]) for row in rows}


def save_floods(connection: Connection, changed: Iterable[FloodCounter]) -> None:
    """Save flood counters. Requires the triage lock."""
    for flood in changed:
        state = to_bytes(flood)
        if not _CHANGE.change(connection, [{"key": flood.severity, "now": state}]):
            connection.execute(insert(floods).values(severity=flood.severity, state=state))
