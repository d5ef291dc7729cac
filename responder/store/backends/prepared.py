"""Statements that are executed for every page: built by SQLAlchemy once, then executed by the driver of SQLite.

SQLAlchemy takes several times as long as SQLite for a statement on a row, and a page needs some twenty of them. Their
constants are part of the text: SQLite plans a statement anew at each execution if the use of a partial index, or a
LIMIT, depends on a parameter, which takes 20 to 100 microseconds. Here too: what only one of the two databases has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, Table, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import replacement_traverse

_DIALECT = sqlite.dialect()
#: Elements of a list from which on SQLAlchemy executes the statement, since SQLite limits the number of parameters.
_MOST = 256
_Values = Mapping[str, Any]
#: The channel of PostgreSQL's notifications between processes, and their topics. A lost one costs one poll.
NOTIFY_CHANNEL = "responder"
NEW_NOTIFICATIONS = "notifications"
MESSAGES = "messages"
NEW_DIAGNOSES = "diagnoses"
NEW_ACTIONS = "actions"
TOPICS = frozenset({NEW_NOTIFICATIONS, MESSAGES, NEW_DIAGNOSES, NEW_ACTIONS})


def notify(connection: Connection, topic: str) -> None:
    """Wake every listener when this transaction is committed. On SQLite other processes poll."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(NOTIFY_CHANNEL, topic)))


def insert_into(table: Table, dialect: str) -> Any:
    """Return an INSERT of SQLite or PostgreSQL that may say ``on_conflict_do_nothing`` or ``on_conflict_do_update``."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 2.5 MB, which a server with SQLite does not need

    return postgresql.insert(table)


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as text. ``places`` has the parameter of each question mark, with the index in its list, if any."""

    sql: str
    constants: _Values
    places: tuple[tuple[str, int | None], ...]

    def arguments(self, values: _Values) -> list[Any]:
        given = {**self.constants, **values}
        return [given[name] if index is None else given[name][index] for name, index in self.places]


class Prepared:
    """A statement whose values are all parameters. On PostgreSQL SQLAlchemy executes it.

    A list is the value of an expanding parameter; without elements the statement has no rows. Rows are read by the
    names of the columns; a boolean of SQLite is 0 or 1.
    """

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self.statement = statement
        self._texts: dict[tuple[object, ...], _Text] = {}

    def rows(self, connection: Connection, values: _Values) -> Sequence[Mapping[Any, Any]]:
        """Execute once and return the rows."""
        lists = {name: _padded(value) for name, value in values.items() if isinstance(value, list)}
        if not all(lists.values()):
            return ()
        if connection.dialect.name != "sqlite" or any(len(each) > _MOST for each in lists.values()):
            return connection.execute(self.statement, values).mappings().all()
        values = {**values, **lists}
        text = self._text(values)
        cursor = _driver(connection).execute(text.sql, text.arguments(values))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def change(self, connection: Connection, rows: Sequence[_Values]) -> int:
        """Execute once for each of ``rows``, which have the same keys; return the number of changed rows."""
        if connection.dialect.name != "sqlite":
            return int(connection.execute(self.statement, rows).rowcount)
        text = self._text(rows[0])
        return int(_driver(connection).executemany(text.sql, map(text.arguments, rows)).rowcount)

    def _text(self, values: _Values) -> _Text:
        shape = (*values, *(len(value) for value in values.values() if isinstance(value, list)))
        text = self._texts.get(shape)
        if text is None:
            statement: Any = replacement_traverse(self.statement, {}, _with_constants)
            compiled = statement.compile(dialect=_DIALECT, column_keys=list(values))
            expanded = compiled.construct_expanded_state(dict(values))
            parts = {
                part: (name, index)
                for name, every in expanded.parameter_expansion.items()
                for index, part in enumerate(every)
            }
            places = tuple(parts.get(name, (name, None)) for name in expanded.positiontup or ())
            constants = {name: compiled.params[name] for name, _index in places if name not in values}
            text = self._texts[shape] = _Text(expanded.statement, constants, places)
        return text


def _padded(items: list[Any]) -> list[Any]:
    """Return a list as long as the next power of two, so that there are few texts; the last element is repeated."""
    return items + items[-1:] * ((1 << (len(items) - 1).bit_length()) - len(items)) if items else items


def _with_constants(element: Any, **_options: Any) -> Any:
    """Return a constant that is written into the text; None for every other element."""
    constant = isinstance(element, BindParameter) and not element.required
    return element.render_literal_execute() if constant else None


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
