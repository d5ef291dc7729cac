"""Runbook files and their sections."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from responder.checked_file import files_below, read_file
from responder.model.problem import InvalidRules, Position, Problem

if TYPE_CHECKING:
    from markdown_it.token import Token

#: Anchors of each runbook, by file name.
Runbooks = Mapping[str, frozenset[str]]

_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Section:
    """Heading: level (from 1), text, anchor and line (from 1)."""

    level: int
    title: str
    anchor: str
    line: int


def read(folder: Path | str, within: Path | None = None) -> Runbooks:
    """Return the anchors of each ``*.md`` file of a folder and its sub-folders, by path; empty without the folder.

    Invalid UTF-8 is replaced, since the runbook can still be opened. ``within`` is the folder that symbolic links must
    not leave. Raises InvalidRules if a file cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return {}
    files = sorted(files_below(folder, ".md"))
    return {path.relative_to(folder).as_posix(): anchors(_text_of(path, within)) for path in files}


def _text_of(path: Path, within: Path | None) -> str:
    try:
        return read_file(path, within).decode("utf-8", "replace")
    except OSError as error:
        problem = Problem(
            Position(str(path), 1, 1), "unreadable", str(error.strerror), "replace it with a file, or remove it"
        )
        raise InvalidRules((problem,)) from error


def anchors(markdown: str) -> frozenset[str]:
    """Return the anchors of all headings."""
    return frozenset(section.anchor for section in sections(markdown))


def sections(markdown: str) -> tuple[Section, ...]:
    """Return all headings in order, with GitHub's anchors.

    An anchor is in lower case, without punctuation other than ``-`` and ``_``, with dashes for spaces, and with ``-1``,
    ``-2`` for the second and third of the same name (GitHub Docs, "Basic writing and formatting syntax").
    """
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(markdown)
    found: list[Section] = []
    taken: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            title = _text(inline)
            line = opening.map[0] + 1 if opening.map else 1
            found.append(Section(int(opening.tag[1:]), title, _anchor(title, taken), line))
    return tuple(found)


def _text(inline: "Token") -> str:
    """Return the text of a heading without markup."""
    seen = (child.content for child in inline.children or () if child.type in {"text", "code_inline"})
    return "".join(seen).strip()


def _anchor(title: str, taken: dict[str, int]) -> str:
    plain = _NOT_IN_ANCHORS.sub("", title.lower()).replace(" ", "-")
    anchor = plain
    while anchor in taken:
        taken[plain] += 1
        anchor = f"{plain}-{taken[plain]}"
    taken[anchor] = 0
    return anchor
