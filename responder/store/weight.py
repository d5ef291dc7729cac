"""How many bytes a row takes, near enough to decide and to show."""

from __future__ import annotations

from functools import reduce
from operator import add

from sqlalchemy import ColumnElement, Integer, LargeBinary, Table, Text, func, literal

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
