"""Comparison of a command's output with the expected block of a runbook. Pure.

Modes, the ``match`` of the block:

    contains            every line of the block is part of a line of the output; ``*``, ``…`` and ``<…>`` stand for
                        any text, and runs of white space count as one space (the default)
    exact, glob, regex  the block is the whole output, line by line
    lines               the same, and each line says how it is compared: see below
    exit:N              the exit status is N
    json:PATH==VALUE    the output is JSON, and the value at the dotted path is VALUE
    none                nothing is compared but the exit status

All modes but ``exit:N`` also require the exit status 0. Lines may end with a rule as in scrut (facebookincubator/scrut,
"Expectations"): ``(glob)``, ``(regex)`` or ``(equal)``, each with a quantifier, as in ``(glob+)``, or a quantifier
alone, as in ``(*)``: ``?`` none or one, ``*`` any number, ``+`` at least one. A last line ``[N]`` is the exit status.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

import re2

from responder.model.text import cut
from responder.runbooks.words import SLOT

#: Lines of an expected block. The work is at most this many times the lines of the output.
MOST_LINES: Final = 100
#: Characters of a line in a difference.
_SHOWN: Final = 100
#: Lines of the output among which the nearest to an expected line is searched.
_NEAR: Final = 200

_MODES: Final = ("contains", "lines", "exact", "glob", "regex", "none")
_RULE = re.compile(r"(.*?) ?\((glob|regex|re|equal)?([?*+]?)\)\Z", re.DOTALL)
_STATUS = re.compile(r"\[(\d{1,3})\]")
_EXIT = re.compile(r"exit:(\d{1,3})")
_JSON = re.compile(r"json:([^=]+)==(.*)", re.DOTALL)
_WILD = re.compile(r"<…>|…|\*")


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a command. ``cut`` is True if it printed more than ``text`` holds."""

    text: str
    status: int = 0
    cut: bool = False


class Result(StrEnum):
    """Result of a comparison. It is unknown where the output is not there, or the block cannot be compared."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A result, and the difference or the reason in one line; empty for a match."""

    result: Result
    difference: str = ""


class _Item(NamedTuple):
    """An expected line: its pattern, the text that differences show, and how often it may occur."""

    pattern: Any
    shown: str
    squeezed: bool
    optional: bool = False
    many: bool = False

    def fits(self, line: str) -> bool:
        return (
            self.pattern.search((_squeezed(line) if self.squeezed else line.rstrip()).encode("utf-8", "replace"))
            is not None
        )


class InvalidExpectation(ValueError):
    """A block that no output can be compared with. The text says why."""


def problem_of(match: str, lines: Sequence[str]) -> str:
    """Return why no output can be compared with a block; empty if one can."""
    try:
        _check(match, lines)
        if match in _MODES:
            _items(match, lines, {})
    except InvalidExpectation as error:
        return str(error)
    return ""


def compare(match: str, lines: Sequence[str], output: Output, values: Mapping[str, str]) -> Comparison:
    """Compare an output with a block, whose placeholders stand for ``values``."""
    try:
        _check(match, lines)
        found = _compared(match, lines, output, values)
    except InvalidExpectation as error:
        return Comparison(Result.UNKNOWN, str(error))
    if found and output.cut:
        return Comparison(Result.UNKNOWN, f"the output was cut, and what is left differs: {found}")
    return Comparison(Result.MISMATCH, found) if found else Comparison(Result.MATCH)


def _check(match: str, lines: Sequence[str]) -> None:
    if match not in _MODES and not _EXIT.fullmatch(match) and not _JSON.fullmatch(match):
        raise InvalidExpectation(f"unknown match '{cut(match, 40)}': {', '.join(_MODES)}, exit:N or json:PATH==VALUE")
    if len(lines) > MOST_LINES:
        raise InvalidExpectation(f"the expected block has {len(lines)} lines; at most {MOST_LINES} are compared")
    if match in {"contains", "lines", "glob", "regex"} and not any(line.strip() for line in lines):
        raise InvalidExpectation("the expected block is empty")


def _compared(match: str, lines: Sequence[str], output: Output, values: Mapping[str, str]) -> str:
    """Return the difference; empty for none."""
    if wanted := _EXIT.fullmatch(match):
        return _status(int(wanted[1]), output)
    status = 0
    if match == "lines" and (last := _STATUS.fullmatch(lines[-1].strip())):
        status, lines = int(last[1]), lines[:-1]
    if differs := _status(status, output):
        return differs
    if found := _JSON.fullmatch(match):
        return _json(found[1].strip(), found[2].strip(), output.text)
    if match == "none":
        return ""
    shown = output.text.rstrip().splitlines()
    items = _items(match, lines, values)
    if match == "contains":
        return next((_absent(item, shown) for item in items if not any(map(item.fits, shown))), "")
    return _in_order(items, shown)


def _status(wanted: int, output: Output) -> str:
    if output.status == wanted:
        return ""
    said = next((line for line in output.text.splitlines() if line.strip()), "")
    return f"exit status {output.status}, expected {wanted}" + (f": {_quoted(said)}" if said else "")


def _json(path: str, wanted: str, text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "the output is not JSON"
    for step in path.strip(".").split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return f"{path} is missing, expected {wanted}"
    shown = value if isinstance(value, str) else json.dumps(value)
    return (
        ""
        if shown == wanted.strip('"') or json.dumps(value) == wanted
        else f"{path} is {_cut(shown)}, expected {wanted}"
    )


def _items(match: str, lines: Sequence[str], values: Mapping[str, str]) -> list[_Item]:
    found: list[_Item] = []
    for line in lines:
        if match == "contains":
            if line.strip():
                found.append(_item(line, "contains", values))
            continue
        rule = _RULE.fullmatch(line) if match != "exact" else None
        if rule is None or not (rule[2] or rule[3]):
            found.append(_item(line, "equal" if match in {"exact", "lines"} else match, values))
            continue
        kind = {None: "equal" if match == "lines" else match, "re": "regex"}.get(rule[2], rule[2])
        item = _item(rule[1], str(kind), values)
        if rule[3] == "+":
            found.append(item)
        found.append(item._replace(optional=bool(rule[3]), many=rule[3] in {"*", "+"}))
    return found


def _item(line: str, kind: str, values: Mapping[str, str]) -> _Item:
    squeezed = kind in {"glob", "contains"}
    text = _squeezed(line) if squeezed else line.rstrip()
    parts = SLOT.split(text)  # text, name, text, name, ...
    pieces = [
        re2.escape(values.get(part, f"{{{{ {part} }}}}")) if number % 2 else _regex(part, kind)
        for number, part in enumerate(parts)
    ]
    shown = "".join(values.get(part, f"{{{{ {part} }}}}") if number % 2 else part for number, part in enumerate(parts))
    pattern = "".join(pieces)
    return _Item(_compiled(pattern if kind == "contains" else f"^(?:{pattern})$"), shown, squeezed)


def _regex(text: str, kind: str) -> str:
    if kind == "regex":
        return text
    if kind == "equal":
        return str(re2.escape(text))
    plain = [str(re2.escape(part)) for part in _WILD.split(text)]
    joined = ".*".join(plain)
    return joined.replace(r"\?", ".") if kind == "glob" else joined


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if isinstance(error, re2.error) and error.args else b"not valid text"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidExpectation(f"invalid regex in the expected block: {cut(said, 80)}") from None


def _in_order(items: Sequence[_Item], lines: Sequence[str]) -> str:
    """Return the first difference of lines from a sequence of items; empty for none.

    All places that the lines so far may have reached are kept, so that no quantifier is tried twice for one line.
    """
    places = _reachable(items, {0})
    for number, line in enumerate(lines, 1):
        after = {at + (not items[at].many) for at in places if at < len(items) and items[at].fits(line)}
        if not after:
            wanted = next((items[at].shown for at in sorted(places) if at < len(items)), "")
            said = f"expected {_quoted(wanted)}" if wanted else "expected no more lines"
            return f"line {number} is {_quoted(line)}, {said}"
        places = _reachable(items, after)
    if len(items) in places:
        return ""
    return f"the output ends after {len(lines)} lines, expected {_quoted(items[max(places)].shown)}"


def _reachable(items: Sequence[_Item], places: set[int]) -> set[int]:
    """Return the places, and those behind items that may be left out."""
    found = set(places)
    for at in range(min(places), len(items)):
        if at in found and items[at].optional:
            found.add(at + 1)
    return found


def _absent(item: _Item, lines: Sequence[str]) -> str:
    """Return the difference for a line that is not part of the output: with the line that is most like it."""
    if not any(line.strip() for line in lines):
        return f"expected {_quoted(item.shown)}, got no output"
    words = set(item.shown.split())
    nearest = max(
        (line for line in lines[:_NEAR] if line.strip()),
        key=lambda line: _likeness(line, item.shown, words),
        default=lines[0],
    )
    return f"expected {_quoted(item.shown)}, got {_quoted(nearest)}"


def _likeness(line: str, wanted: str, words: set[str]) -> tuple[int, int]:
    common = next((at for at, (one, other) in enumerate(zip(line, wanted, strict=False)) if one != other), len(wanted))
    return common + 4 * len(words.intersection(line.split())), common


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return f"'{_cut(text)}'"


def _cut(text: str) -> str:
    return cut(_squeezed(text), _SHOWN)
