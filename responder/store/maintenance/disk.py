"""How much room is left for the database."""

from __future__ import annotations

import shutil
from functools import reduce
from operator import add
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Integer, LargeBinary, Table, Text, func, literal


def free(connection: Connection) -> int | None:
    """Bytes that the disk has left, None where the database is on another machine."""
    if connection.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(str(connection.engine.url.database)).parent).free


_ROW_BYTES = 40
"""What a database keeps about a row beside its values, and its share of the indexes."""
_VALUE_BYTES = 8


def weight(table: Table, dialect: str) -> ColumnElement[int]:
    """An expression for the bytes of a row. None of it reads a long value: both databases know its length."""
    measure = func.pg_column_size if dialect == "postgresql" else func.length
    long = [column for column in table.c if isinstance(column.type, (LargeBinary, Text))]
    plain = _ROW_BYTES + _VALUE_BYTES * (len(table.c) - len(long))
    parts = [func.coalesce(measure(column, type_=Integer), 0) for column in long]
    return reduce(add, parts, literal(plain, Integer))
