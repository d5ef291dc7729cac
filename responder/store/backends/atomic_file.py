"""A new file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from responder.store.backends.errors import StoreError


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A file beside ``target`` that takes its place when the block ends, durable. Nobody else may read it.

    Raises StoreError where the target exists or cannot be written.
    """
    if target.exists():
        raise StoreError(f"{target} exists already: name another file, a backup overwrites nothing")
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
