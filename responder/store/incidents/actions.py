"""Actions of people on incidents: committed before their entry point is answered, applied under the triage lock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, exists, select, update
from tenacity import RetryCallState, Retrying, nap, retry_if_result, wait_fixed

from responder.model.action import SILENCING, Action, ActionKind
from responder.model.clock import Clock, Deadline
from responder.model.text import clean
from responder.store.backends.prepared import NEW_ACTIONS, Prepared, insert_into, notify
from responder.store.database import Database
from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import actions, incidents

#: Seconds between two looks for the outcome of an action.
LOOK_SECONDS = 0.1
#: Actions that this version knows: during a rollout a newer replica applies those that it stored.
_KNOWN = actions.c.kind.in_([kind.value for kind in ActionKind])
_NEW = and_(actions.c.state == "new", _KNOWN)
_SILENCING = actions.c.kind.in_(sorted(SILENCING))
ANY_NEW = select(actions.c.id).where(_NEW, ~_SILENCING).limit(1)
ANY_SILENCING = select(actions.c.id).where(_NEW, _SILENCING).limit(1)
# Without _KNOWN: SQLAlchemy cannot execute an IN for several rows at once.
_SETTLED = (
    update(actions)
    .where(actions.c.id == bindparam("number"), actions.c.state == "new")
    .values(state=bindparam("now"), outcome=bindparam("said"))
)


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action with its state (new, applied, unchanged, refused) and the sentence about it."""

    action: Action
    state: str
    outcome: str


@cache
def _add(dialect: str) -> Prepared:
    statement = insert_into(actions, dialect).on_conflict_do_nothing(index_elements=["entry", "key"])
    return Prepared(statement.returning(actions.c.id))


def keep(database: Database, action: Action, now: datetime, patience: float | None = None) -> int:
    """Commit an action and return its id; that of the first one if it was stored before.

    Control characters are left out, which PostgreSQL refuses. Raises StoreError, after ``patience`` seconds if a person
    waits.
    """
    key = clean(action.key)
    row = {
        "incident": action.incident,
        "kind": action.kind.value,
        "entry": action.entry,
        "key": key,
        "actor": clean(action.actor),
        "text": clean(action.text),
        "target": clean(action.target),
        "until": to_seconds(action.until) if action.until else None,
        "at": to_seconds(action.at),
        "stored_at": to_seconds(now),
        "state": "new",
    }
    with database.write(patience) as connection:
        if added := _add(connection.dialect.name).rows(connection, row):
            notify(connection, NEW_ACTIONS)
            return int(added[0]["id"])
        known = select(actions.c.id).where(actions.c.entry == action.entry, actions.c.key == key)
        return int(connection.execute(known).scalar_one())


def new(connection: Connection, limit: int, *, silencing: bool = False) -> list[Action]:
    """Return the actions that are not applied yet, the oldest first: those about silences, or all others."""
    mine = select(actions).where(_NEW, _SILENCING if silencing else ~_SILENCING).order_by(actions.c.id)
    return [_action(row) for row in connection.execute(mine.limit(limit)).mappings()]


def settle(connection: Connection, results: Iterable[tuple[int, str, str]]) -> None:
    """Record the state and the outcome of applied actions, by id: at least one."""
    rows = [{"number": number, "now": state, "said": outcome} for number, state, outcome in results]
    connection.execute(_SETTLED, rows)


def of_incident(connection: Connection, incident: str) -> list[ActionRow]:
    """Return all actions on an incident, in the order they arrived."""
    mine = select(actions).where(actions.c.incident == incident, _KNOWN).order_by(actions.c.id)
    rows = connection.execute(mine).mappings()
    return [ActionRow(_action(row), row["state"], row["outcome"]) for row in rows]


def find(connection: Connection, number: int) -> ActionRow | None:
    """Return an action by its id."""
    row = connection.execute(select(actions).where(actions.c.id == number, _KNOWN)).mappings().first()
    return ActionRow(_action(row), row["state"], row["outcome"]) if row else None


def applied(
    database: Database, number: int, deadline: Deadline, clock: Clock, sleep: Callable[[float], None] = nap.sleep
) -> ActionRow | None:
    """Return an action once ``serve`` has applied it, or as it is at the deadline; None if there is none."""

    def look() -> ActionRow | None:
        with database.read() as connection:
            return find(connection, number)

    def last(state: RetryCallState) -> ActionRow | None:
        found: ActionRow | None = state.outcome.result() if state.outcome else None
        return found

    return Retrying(
        retry=retry_if_result(lambda row: row is not None and row.state == "new"),
        stop=lambda _state: not deadline.left(clock.monotonic()),
        wait=wait_fixed(LOOK_SECONDS),
        sleep=sleep,
        retry_error_callback=last,
    )(look)


def without_postmortem(
    connection: Connection, severities: Iterable[str], after: datetime, before: datetime
) -> list[tuple[str, datetime]]:
    """Return the notified incidents of these severities that were resolved between two times and have no draft yet."""
    asked = exists().where(
        actions.c.incident == incidents.c.id,
        actions.c.kind == ActionKind.POSTMORTEM.value,
        actions.c.at >= incidents.c.resolved_at,
    )
    moments = incidents.c.resolved_at.between(to_seconds(after), to_seconds(before))
    found = select(incidents.c.id, incidents.c.resolved_at).where(moments, ~incidents.c.open, ~asked)
    found = found.where(incidents.c.severity.in_(list(severities)), incidents.c.channels != "")
    return [(row.id, to_time(row.resolved_at)) for row in connection.execute(found.order_by(incidents.c.resolved_at))]


def _action(row: RowMapping) -> Action:
    plain: dict[str, Any] = {name: row[name] for name in ("id", "incident", "entry", "key", "actor", "text", "target")}
    until = to_time(row["until"]) if row["until"] is not None else None
    return Action(**plain, kind=ActionKind(row["kind"]), until=until, at=to_time(row["at"]))
