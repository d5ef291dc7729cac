"""YAML events to plain data and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from responder.model.problem import Position, Problem
from responder.rulebook.yaml.scalars import resolve

Path = tuple[str | int, ...]

DEEPEST: Final = 32
#: Characters in one scalar.
LONGEST_TEXT: Final = 64 * 1024


@dataclass(slots=True)
class NodePositions:
    """Where a list or a mapping begins, and where what is in it stands: keys, and values by their key or number.

    What has nothing in it is its beginning alone. The reader's own marks are kept, since a large rule set has 200,000.
    """

    begins: Any
    keys: dict[str | int, Any] = field(default_factory=dict)
    values: dict[str | int, NodePositions | Any] = field(default_factory=dict)


@dataclass(slots=True)
class _OpenNode:
    """A list or a mapping that is being filled. ``key`` is the mapping's pending key, None where a key comes next.

    ``dropped`` says that the pending key is a problem already, and its value goes nowhere.
    """

    into: list[Any] | dict[str, Any]
    spot: NodePositions
    key: str | None = None
    dropped: bool = False


@dataclass(slots=True)
class Builder:
    """Takes events in turn. Afterwards it holds the data, where everything stands, and the problems."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    _open: list[_OpenNode] = field(default_factory=lambda: [_OpenNode([], NodePositions(None))])
    _documents: int = 0

    @property
    def data(self) -> Any:
        """The value of the file; None where it has none."""
        into = self._open[0].into
        return into[0] if isinstance(into, list) and into else None

    @property
    def spot(self) -> NodePositions | Any | None:
        """Where that value stands."""
        return self._open[0].spot.values.get(0)

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
            self._put(None, event.start_mark)
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
        holder = self._open[-1]
        if holder.key is None and isinstance(holder.into, dict):
            self._key(event, holder, text)
            return
        if event.tag:
            self._refuse_tag(event, event.tag)
        self._put(text if event.style else resolve(text), event.start_mark)

    def _key(self, event: yaml.ScalarEvent, holder: _OpenNode, text: str) -> None:
        holder.key, holder.dropped = text, False
        if text == "<<" and not event.style:
            self._problem(event, "alias", "merge keys are not read here", "write the keys out, or use `defaults`")
            holder.dropped = True
        elif first := holder.spot.keys.get(text):
            said = f"the key '{text}' stands here a second time"
            self._problem(event, "duplicate-key", said, f"the first is on line {first.line + 1}: keep one")
            holder.dropped = True
        else:
            holder.spot.keys[text] = event.start_mark

    def _start(self, event: yaml.CollectionStartEvent) -> bool:
        if len(self._open) > DEEPEST:
            self._problem(event, "too-deep", f"nested more than {DEEPEST} deep", "rule files need five levels")
            return False
        if event.tag:
            self._refuse_tag(event, event.tag)
        into: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        holder = self._open[-1]
        if holder.key is None and isinstance(holder.into, dict):
            self._problem(event, "bad-value", "a key must be a word", "put it on the right of a key")
        spot = NodePositions(event.start_mark)
        self._put(into, spot)
        self._open.append(_OpenNode(into, spot))
        return True

    def _put(self, value: Any, spot: NodePositions | Any) -> None:
        """Put a value where it belongs."""
        holder = self._open[-1]
        into = holder.into
        if isinstance(into, list):
            holder.spot.values[len(into)] = spot
            into.append(value)
        elif holder.key is None:
            # An alias or a collection where a key should stand: a problem already, and so is what it leads to.
            holder.key, holder.dropped = "", True
        else:
            if not holder.dropped:
                holder.spot.values[holder.key] = spot
                into[holder.key] = value
            holder.key = None

    def _refuse_tag(self, event: yaml.NodeEvent, tag: str) -> None:
        if tag != "!":
            self._problem(event, "tag", f"the tag {tag} is not read here", "remove it; quote a value to make it a text")

    def _problem(self, event: yaml.Event, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(position(self.name, event.start_mark), code, message, hint))


def position(name: str, mark: Any) -> Position:
    """A mark of the reader, which counts from 0, as a place in the file of this name."""
    return Position(name, mark.line + 1, mark.column + 1)
