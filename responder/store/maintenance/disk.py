"""Free disk space, and the sizes of rows."""

import shutil
from functools import reduce
from operator import add
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Integer, LargeBinary, Table, Text, func, literal


def free(connection: Connection) -> int | None:
    """Return the free bytes on the disk; None if the database is on another machine."""
    if connection.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(str(connection.engine.url.database)).parent).free


#: Overhead per row beside its values, including its share of the indexes.
_ROW_BYTES = 40
#: Bytes of a value that is no text and no blob.
_VALUE_BYTES = 8


def row_bytes(table: Table, dialect: str) -> ColumnElement[int]:
    """Return an expression for the bytes of a row. It reads no long value: both databases know its length."""
    measure = func.pg_column_size if dialect == "postgresql" else func.length
    long = [column for column in table.c if isinstance(column.type, (LargeBinary, Text))]
    plain = _ROW_BYTES + _VALUE_BYTES * (len(table.c) - len(long))
    parts = [func.coalesce(measure(column, type_=Integer), 0) for column in long]
    return reduce(add, parts, literal(plain, Integer))
