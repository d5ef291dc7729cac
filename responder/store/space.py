"""How much room is left for the database."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import Connection


def free(connection: Connection) -> int | None:
    """Bytes that the disk has left, None where the database is on another machine."""
    if connection.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(str(connection.engine.url.database)).parent).free
