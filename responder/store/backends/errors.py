"""The one failure of the store that everybody must expect, and the kind of it that may pass by itself."""

from __future__ import annotations


class StoreError(Exception):
    """The database took nothing: full, locked, gone or closed. The text is one line that holds no secret."""


class DatabaseUnavailable(StoreError):
    """The database's server does not let us in: it is down, starts up, or does not know us. It may later."""


def first_line(error: BaseException | None) -> str:
    """What a driver's error says, in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
