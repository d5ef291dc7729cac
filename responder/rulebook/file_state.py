"""State of the rule and runbook files, to detect changes."""

from collections.abc import Iterable
from pathlib import Path

from responder.checked_file import files_below

#: Name, inode, size and modification time of each file; symlinks are followed, as in a ConfigMap.
FileStates = tuple[tuple[str, int, int, int], ...]


def file_states(folders: Iterable[Path | str]) -> FileStates:
    """Return the state of the folders without reading files. Inaccessible files are left out, which is a change."""
    return tuple(entry for folder in folders for entry in _entries(Path(folder)))


def _entries(folder: Path) -> list[tuple[str, int, int, int]]:
    try:
        beside = {path for path in folder.iterdir() if path.suffix in {".yaml", ".yml", ".md"}}
        paths = sorted(beside | set(files_below(folder, ".md")))
    except OSError:
        return []
    return [entry for path in paths if (entry := _entry(path))]


def _entry(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
