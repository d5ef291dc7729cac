"""The one failure of the store that everybody must expect."""

from __future__ import annotations


class CannotStore(Exception):
    """The database took nothing: full, locked, gone or closed. The text is one line that holds no secret."""
