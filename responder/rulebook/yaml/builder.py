"""Builder of plain data and positions from YAML events."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from responder.model.problem import Position, Problem

Path = tuple[str | int, ...]

#: Levels of nesting, at most.
DEEPEST: Final = 32
#: Maximum length of a scalar, in characters.
LONGEST_TEXT: Final = 64 * 1024
Scalar = str | int | float | bool | None

#: Maximum length of a number, in characters. A longer one stays a string.
LONGEST_NUMBER: Final = 300

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
#: First characters of scalars that are not strings, as a fast path.
_FIRST = frozenset("~ntfNTF0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_ENDLESS = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")


@dataclass(slots=True)
class NodePositions:
    """Start of a list or mapping, and the positions of its keys, and of its values by key or index.

    The position of a scalar is its mark alone. Marks of the parser are kept as they are: a large rule set has 200,000.
    """

    begins: Any
    keys: dict[str | int, Any] = field(default_factory=dict)
    values: "dict[str | int, NodePositions | Any]" = field(default_factory=dict)


@dataclass(slots=True)
class _OpenNode:
    """List or mapping under construction. ``key`` is the mapping's pending key; None if a key comes next.

    ``dropped`` is True if the key was rejected, so that its value is dropped.
    """

    into: list[Any] | dict[str, Any]
    position: NodePositions
    key: str | None = None
    dropped: bool = False


@dataclass(slots=True)
class Builder:
    """Consumer of YAML events that collects the data, its positions and the problems."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    _open: list[_OpenNode] = field(default_factory=lambda: [_OpenNode([], NodePositions(None))])
    _documents: int = 0

    @property
    def data(self) -> Any:
        """Value of the file; None if empty."""
        into = self._open[0].into
        return into[0] if isinstance(into, list) and into else None

    @property
    def position(self) -> NodePositions | Any | None:
        """Position of the value of the file."""
        return self._open[0].position.values.get(0)

    def take(self, event: yaml.Event) -> bool:
        """Process an event. Return False to stop reading."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._problem(event, "alias", "YAML aliases are not supported", "repeat the value, or use `defaults`")
            self._put(None, event.start_mark)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._problem(
                    event, "syntax", "the file has more than one YAML document", "remove ---, or split the file"
                )
                return False
        return True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        if len(text) > LONGEST_TEXT:
            self._problem(event, "too-big", f"string of {len(text):,} characters", "shorten it to 65,536 characters")
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
            self._problem(event, "alias", "YAML merge keys are not supported", "repeat the keys, or use `defaults`")
            holder.dropped = True
        elif first := holder.position.keys.get(text):
            said = f"duplicate key '{text}'"
            self._problem(event, "duplicate-key", said, f"first used on line {first.line + 1}: remove one")
            holder.dropped = True
        else:
            holder.position.keys[text] = event.start_mark

    def _start(self, event: yaml.CollectionStartEvent) -> bool:
        if len(self._open) > DEEPEST:
            self._problem(event, "too-deep", f"nested more than {DEEPEST} levels", "rule files need five levels")
            return False
        if event.tag:
            self._refuse_tag(event, event.tag)
        into: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        holder = self._open[-1]
        if holder.key is None and isinstance(holder.into, dict):
            self._problem(event, "bad-value", "a key must be a string", "use the list or mapping as a value")
        position = NodePositions(event.start_mark)
        self._put(into, position)
        self._open.append(_OpenNode(into, position))
        return True

    def _put(self, value: Any, position: NodePositions | Any) -> None:
        """Add a value to the open list or mapping."""
        holder = self._open[-1]
        into = holder.into
        if isinstance(into, list):
            holder.position.values[len(into)] = position
            into.append(value)
        elif holder.key is None:
            # An alias or a collection in place of a key is already reported: drop its value.
            holder.key, holder.dropped = "", True
        else:
            if not holder.dropped:
                holder.position.values[holder.key] = position
                into[holder.key] = value
            holder.key = None

    def _refuse_tag(self, event: yaml.NodeEvent, tag: str) -> None:
        if tag != "!":
            self._problem(
                event, "tag", f"YAML tag {tag} is not supported", "remove it; put a value in quotes to make it a string"
            )

    def _problem(self, event: yaml.Event, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(position(self.name, event.start_mark), code, message, hint))


def position(name: str, mark: Any) -> Position:
    """Return the position (from 1) of a mark of the parser (from 0) in the file ``name``."""
    return Position(name, mark.line + 1, mark.column + 1)


def resolve(text: str) -> Scalar:
    """Return the value of an unquoted scalar (YAML 1.2.2, section 10.3.2, "Tag Resolution")."""
    if text and text[0] not in _FIRST:
        return text
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) > LONGEST_NUMBER or text[0] not in "0123456789+-.":
        return text
    if _INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if _FLOAT.fullmatch(text):
        return float(text)
    if endless := _ENDLESS.fullmatch(text):
        return float(endless[1] + "inf")
    return float("nan") if text in {".nan", ".NaN", ".NAN"} else text
