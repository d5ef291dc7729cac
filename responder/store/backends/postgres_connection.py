"""A connection to PostgreSQL on which nobody waits for ever. Imported only where PostgreSQL is used."""

from __future__ import annotations

from typing import Any, TypeVar

from psycopg import Connection, OperationalError, errors
from psycopg.abc import Buffer, PQGen
from psycopg.types.string import StrDumperUnknown

_Value = TypeVar("_Value")


class NulStrippingDumper(StrDumperUnknown):
    """PostgreSQL's text cannot hold the character NUL, and a label value can: an alert is not lost over it."""

    def dump(self, obj: str) -> Buffer | None:
        """The text, with U+FFFD for each NUL."""
        return super().dump(obj.replace("\0", "\ufffd"))


class DeadlineConnection(Connection[Any]):
    """psycopg's connection, closed where the server, or the way to it, keeps us waiting for ``patience`` seconds."""

    patience = 5.0

    def wait(self, gen: PQGen[_Value], interval: float = 0.1, timeout: float | None = None) -> _Value:
        """Drive what psycopg does on the wire. A ``timeout`` is psycopg's own, and ends nothing."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except errors._WaitTimeout:  # noqa: SLF001 - what its own wait raises; it has no other name
            self.close()
            raise OperationalError(f"no answer within {self.patience:g} s") from None
