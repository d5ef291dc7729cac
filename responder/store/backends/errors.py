"""The exceptions of the store."""


class StoreError(Exception):
    """The database failed: full, locked, unreachable or closed. The text is one line without secrets."""


class DatabaseUnavailable(StoreError):
    """The server accepts no connection: it is down, starting, or rejects the login. A retry may succeed."""


def first_line(error: BaseException | None) -> str:
    """Return the first line of a driver's error."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
