"""A small disk that can be filled up: a tmpfs, if mounting one is allowed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_MEGABYTES = 64
_BLOCK = 1 << 20


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small disk on ``folder`` for the block; False where that is not permitted (it takes root)."""
    folder.mkdir(exist_ok=True)
    if os.geteuid() or _run("mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(folder)):
        yield False
        return
    try:
        yield True
    finally:
        _run("umount", "--lazy", str(folder))


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left on the disk that ``folder`` is on, during the block."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as sink, contextlib.suppress(OSError):
        for size in (_BLOCK, 4096):
            with contextlib.suppress(OSError):
                while sink.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        ballast.unlink()


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
