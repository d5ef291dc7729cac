"""A PostgreSQL connection with a deadline for every response. Imported only if PostgreSQL is used."""

from typing import Any, TypeVar

from psycopg import Connection, OperationalError, errors
from psycopg.abc import Buffer, PQGen
from psycopg.types.string import StrDumperUnknown

_Value = TypeVar("_Value")


class NulStrippingDumper(StrDumperUnknown):
    """Replaces NUL, which a label value may contain and PostgreSQL's text type may not."""

    def dump(self, obj: str) -> Buffer | None:
        """Return the text with U+FFFD for each NUL."""
        return super().dump(obj.replace("\0", "\ufffd"))


class DeadlineConnection(Connection[Any]):
    """A psycopg connection that is closed if a response takes longer than ``timeout`` seconds."""

    timeout = 5.0

    def wait(self, gen: PQGen[_Value], interval: float = 0.1, timeout: float | None = None) -> _Value:
        """Run psycopg's generator. An explicit ``timeout`` is psycopg's own and does not close the connection."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.timeout)
        except errors._WaitTimeout:  # noqa: SLF001 - what its own wait raises; it has no other name
            self.close()
            raise OperationalError(f"no answer within {self.timeout:g} s") from None
