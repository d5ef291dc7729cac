"""Runbook files and their anchors."""

from collections.abc import Mapping
from pathlib import Path

from responder.checked_file import files_below, read_file
from responder.model.problem import InvalidRules, Position, Problem
from responder.runbooks.markdown import read as read_markdown

#: Anchors of each runbook, by file name.
Runbooks = Mapping[str, frozenset[str]]


def read(folder: Path | str, within: Path | None = None) -> Runbooks:
    """Return the anchors of each ``*.md`` file of a folder and its sub-folders, by path; empty without the folder.

    Invalid UTF-8 is replaced, since the runbook can still be opened. ``within`` is the folder that symbolic links must
    not leave. Raises InvalidRules if a file cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return {}
    files = sorted(files_below(folder, ".md"))
    return {path.relative_to(folder).as_posix(): anchors(text_of(path, within)) for path in files}


def text_of(path: Path, within: Path | None) -> str:
    """Return the text of a runbook; invalid UTF-8 is replaced. Raises InvalidRules if it cannot be read."""
    try:
        return read_file(path, within).decode("utf-8", "replace")
    except OSError as error:
        problem = Problem(
            Position(str(path), 1, 1), "unreadable", str(error.strerror), "replace it with a file, or remove it"
        )
        raise InvalidRules((problem,)) from error


def anchors(markdown: str) -> frozenset[str]:
    """Return the anchors of all headings and of HTML elements."""
    return read_markdown(markdown).anchors
