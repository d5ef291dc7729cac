"""YAML events to plain data and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from responder.model.problem import Place, Problem
from responder.rulebook.scalars import resolve

Path = tuple[str | int, ...]

DEEPEST: Final = 32
LONGEST_TEXT: Final = 64 * 1024
"""Characters in one scalar."""


@dataclass(slots=True)
class _Open:
    """A list or a mapping that is being filled. ``key`` is the mapping's pending key, None where a key comes next.

    ``dropped`` says that the pending key is a problem already, and its value goes nowhere.
    """

    path: Path
    into: list[Any] | dict[str, Any]
    key: str | None = None
    dropped: bool = False


@dataclass(slots=True)
class Builder:
    """Takes events in turn. Afterwards it holds the data, the place of each key and value, and the problems."""

    name: str
    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _documents: int = 0

    def take(self, event: yaml.Event) -> bool:
        """One event. False says that the rest of the file is not worth reading."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._problem(event, "alias", "aliases are not read here", "write the value out, or use `defaults`")
            self._place_value(event, None)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._problem(event, "syntax", "a second document begins here", "one file is one document: remove ---")
                return False
        return True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        if len(text) > LONGEST_TEXT:
            self._problem(event, "too-big", f"a text of {len(text):,} characters", "at most 65,536 are read")
            text = ""
        holder = self._open[-1] if self._open else None
        if holder is not None and isinstance(holder.into, dict) and holder.key is None:
            self._key(event, holder, text)
            return
        self._refuse_tag(event)
        self._place_value(event, resolve(text) if event.style in {None, ""} else text)

    def _key(self, event: yaml.ScalarEvent, holder: _Open, text: str) -> None:
        holder.key, holder.dropped = text, False
        if text == "<<" and not event.style:
            self._problem(event, "alias", "merge keys are not read here", "write the keys out, or use `defaults`")
            holder.dropped = True
            return
        path = (*holder.path, text)
        if first := self.keys.get(path):
            said = f"the key '{text}' stands here a second time"
            self._problem(event, "duplicate-key", said, f"the first is on line {first.line}: keep one")
            holder.dropped = True
            return
        self.keys[path] = self._place(event)

    def _start(self, event: yaml.CollectionStartEvent) -> bool:
        if len(self._open) >= DEEPEST:
            self._problem(event, "too-deep", f"nested more than {DEEPEST} deep", "rule files need five levels")
            return False
        self._refuse_tag(event)
        into: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        holder = self._open[-1] if self._open else None
        if holder is not None and isinstance(holder.into, dict) and holder.key is None:
            self._problem(event, "bad-value", "a key must be a word", "put it on the right of a key")
        self._open.append(_Open(self._place_value(event, into), into))
        return True

    def _place_value(self, event: yaml.NodeEvent, value: Any) -> Path:
        """Put a value where it belongs, and return its path."""
        if not self._open:
            self.data = value
            self.values[()] = self._place(event)
            return ()
        holder = self._open[-1]
        if isinstance(holder.into, list):
            path: Path = (*holder.path, len(holder.into))
            holder.into.append(value)
        elif holder.key is None:
            # An alias or a collection where a key should stand: a problem already, and so is what it leads to.
            holder.key, holder.dropped = "", True
            return (*holder.path, "dropped", len(self.problems))
        else:
            path = (*holder.path, holder.key)
            if holder.dropped:
                path = (*path, "dropped", len(self.problems))
            else:
                holder.into[holder.key] = value
            holder.key = None
        self.values[path] = self._place(event)
        return path

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            self._problem(event, "tag", f"the tag {tag} is not read here", "remove it; quote a value to make it a text")

    def _problem(self, event: yaml.Event, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(self._place(event), code, message, hint))

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self.name, mark.line + 1, mark.column + 1) if mark else Place(self.name, 1, 1)
