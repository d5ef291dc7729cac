"""Atomic creation of a file: it is complete or it does not exist."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from responder.store.backends.errors import StoreError


@contextlib.contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary file that becomes ``target`` when the block ends, durable and readable by the owner only.

    Raises StoreError if the target exists or cannot be written.
    """
    if target.exists():
        raise StoreError(f"{target} already exists: name another file, a backup never overwrites one")
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        yield part
        _sync(part)
        part.replace(target)
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
