"""Files of a repository under review: regular, of bounded size, and inside the repository."""

import os
from collections.abc import Iterator
from errno import EFBIG, EINVAL
from pathlib import Path
from stat import S_ISREG
from typing import Final

#: Bytes. 10,000 rules take about 4 MB.
LARGEST_FILE_BYTES: Final = 8 * 1024 * 1024


def repository_of(path: Path) -> Path:
    """Return the git repository that holds ``path``; without one, the working directory or the folder above ``path``.

    Links are not followed: a link in the repository does not lead to another one.
    """
    here = Path(os.path.abspath(path))  # noqa: PTH100 - unlike resolve(), this follows no link
    if found := next((each for each in (here, *here.parents) if (each / ".git").exists()), None):
        return found
    current = Path.cwd()
    return current if here.is_relative_to(current) else here.parent


def read_file(path: Path, within: Path | None = None) -> bytes:
    """Return the content of a file; ``within`` is the folder that must contain it after following symbolic links.

    Raises:
        OSError: It is missing, unreadable, too large, outside ``within``, or a device, a pipe or a folder.
    """
    if within is not None and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(within)):
        raise OSError(EINVAL, f"outside {within}", str(path))
    # Opening a pipe without O_NONBLOCK waits until something is written to it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not S_ISREG(status.st_mode):
            raise OSError(EINVAL, "not a regular file", str(path))
        data = file.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise OSError(EFBIG, f"larger than {LARGEST_FILE_BYTES >> 20} MiB", str(path))
    return data


def files_below(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield the files with this suffix in a folder and its sub-folders, except hidden ones and links to folders."""
    for name, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for each in files:
            if each.endswith(suffix) and not each.startswith(".") and (path := Path(name, each)).is_file():
                yield path
