"""Reader of a YAML file into plain data with positions."""

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.reader import ReaderError

from responder.checked_file import LARGEST_FILE_BYTES
from responder.model.problem import Position, Problem
from responder.model.text import INVISIBLE, STACKED_ACCENTS
from responder.rulebook.yaml.builder import Builder, NodePositions, Path, position

#: What emoji and some scripts need: zero-width joiners, and the selector of the coloured form.
_JOINERS = frozenset("\u200c\u200d\ufe0f")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """Data of a file with the position of each key and value. ``data`` is None if the file cannot be read."""

    name: str
    lines: Sequence[str]
    data: Any
    position: NodePositions | Any | None
    problems: tuple[Problem, ...]

    def at(self, path: Path) -> Position:
        """Return the position of the value of a path, or of the nearest node around it."""
        spot = self._walk(path)[0]
        if spot is None:
            return Position(self.name, 1, 1)
        return position(self.name, spot.begins if isinstance(spot, NodePositions) else spot)

    def key(self, path: Path) -> Position:
        """Return the position of the key of a path; for an element of a list, of the element."""
        around, whole = self._walk(path[:-1])
        if whole and path and isinstance(around, NodePositions) and (mark := around.keys.get(path[-1])):
            return position(self.name, mark)
        return self.at(path)

    def line(self, number: int) -> str:
        """Return a line of the file by number (from 1); "" if there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def _walk(self, path: Path) -> tuple[NodePositions | Any | None, bool]:
        """Return the node of a path or the nearest one around it, and True if it is that of the whole path.

        The schema takes a single value for a list of one: its index leads to the value itself.
        """
        here = self.position
        for part in path:
            if isinstance(part, int) and not (isinstance(here, NodePositions) and part in here.values):
                continue
            inner = here.values.get(part) if isinstance(here, NodePositions) else None
            if inner is None:
                return here, False
            here = inner
        return here, here is not None


def read(name: str, raw: bytes) -> Document:
    """Parse a file's bytes; ``name`` is the path shown in problems. Raises nothing: see ``Document.problems``."""
    if len(raw) > LARGEST_FILE_BYTES:
        return _unread(name, Problem(Position(name, 1, 1), "too-big", "the file is larger than 8 MiB", "split it"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        return _unread(name, Problem(_position(name, before), "encoding", "this byte is not UTF-8", "save it as UTF-8"))
    if sign := _UNREADABLE.search(text):
        said = f"YAML does not allow the control character U+{ord(sign[0]):04X}"
        return _unread(name, Problem(_position(name, text[: sign.start()]), "encoding", said, "remove it"))
    if (hidden := _hidden(text)) is not None:
        at, said = hidden
        return _unread(
            name, Problem(_position(name, text[:at]), "encoding", said, "remove it: reviewers cannot see it")
        )
    return _built(name, text)


def _hidden(text: str) -> tuple[int, str] | None:
    """The first character that makes a file read differently from what it says, and what is wrong with it."""
    if text.isascii():
        return None
    for sign in INVISIBLE.finditer(text):
        if sign[0] not in _JOINERS:
            return sign.start(), f"the invisible character U+{ord(sign[0]):04X} may not stand in a rule file"
    accents = STACKED_ACCENTS.search(text)
    return (accents.start(), "more than three accents on one letter") if accents else None


def _built(name: str, text: str) -> Document:
    builder = Builder(name)
    problem: tuple[Problem, ...] = ()
    try:
        # Events, not `yaml.compose`, which recurses in C, crashes on deep nesting and takes twice the time.
        with no_collection():
            for event in iter(yaml.CSafeLoader(text).get_event, None):
                if not builder.take(event):
                    break
    except yaml.MarkedYAMLError as error:
        problem = (_syntax(name, error),)
    except ReaderError as error:
        problem = (Problem(_position(name, text[: error.position]), "encoding", str(error.reason), "remove it"),)
    data = builder.data if not problem else None
    return Document(name, text.splitlines(), data, builder.position, (*builder.problems, *problem))


def _syntax(name: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = position(name, mark) if mark else Position(name, 1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part) or "invalid YAML"
    hint = "check that the line above is complete and correctly indented"
    if "cannot start any token" in said or "tab" in said:
        hint = "indent with spaces, and quote strings that begin with a special character"
    return Problem(where, "syntax", said, hint)


@contextmanager
def no_collection() -> Iterator[None]:
    """Disable garbage collection, which slows down building a large tree of small objects several times."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _unread(name: str, problem: Problem) -> Document:
    return Document(name, (), None, None, (problem,))


def _position(name: str, before: str) -> Position:
    return Position(name, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
