"""Parsing of Prometheus's query responses, and filling of placeholders in PromQL."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from responder.model.text import sanitize_line

#: Labels of a series in a detail.
_LABELS_SHOWN = 6
#: The text of the PromqlError for an answer without any series.
NO_DATA = "no data"


class PromqlError(Exception):
    """The response has no usable value; the text says why, ``detail`` is Prometheus's own text."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Labels and (epoch seconds, value) points, oldest first; every value is finite and there is at least one."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    infinite: bool = False

    @property
    def latest(self) -> float:
        """The last value."""
        return self.points[-1][1]

    @property
    def name(self) -> str:
        """The labels without the metric's name, ``pod="plato-0", uri="/orders"``; empty where there are none."""
        shown = [f'{key}="{value}"' for key, value in self.labels.items() if key != "__name__"]
        return sanitize_line(", ".join(shown[:_LABELS_SHOWN]), 200)


def read(status: int, body: bytes, cap: int) -> tuple[tuple[Series, ...], str]:
    """The series of an answer of /api/v1/query or query_range, and why they may not be all there is, a line each.

    That is what Prometheus warns of, such as a part that did not answer, and series that are infinite now. NaN, which
    is 0 divided by 0 where nothing happens, is left out.

    Raises PromqlError for anything but a success with at least one finite number: no data is not zero. A body that
    fills ``cap`` was cut off there.
    """
    if len(body) >= cap:
        raise PromqlError(f"the answer is longer than {cap // 1024} KiB")
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise PromqlError(f"{status}, not an answer of Prometheus") from None
    if not isinstance(envelope, dict) or envelope.get("status") not in {"success", "error"}:
        raise PromqlError(f"{status}, not an answer of Prometheus")
    if envelope["status"] == "error":
        said = sanitize_line(f"{envelope.get('errorType', '')}: {envelope.get('error', '')}", 500)
        raise PromqlError(f"Prometheus says {status}, {said}", said)
    try:
        found = _series(envelope["data"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise PromqlError(f"{status}, but data of an unknown shape") from None
    if not found:
        raise PromqlError(NO_DATA)
    finite = tuple(series for series in found if series.points)
    if not finite:
        raise PromqlError(f"no number in {len(found)} series (NaN, Inf or histograms)")
    infinite = sum(series.infinite for series in found)
    endless = [f"{infinite} of {len(found)} series infinite"] if infinite else []
    warnings = envelope.get("warnings")
    warned = [f"Prometheus warns: {each}" for each in warnings] if isinstance(warnings, list) else []
    return finite, "\n".join([*endless, *warned])


def _series(data: Mapping[str, Any]) -> tuple[Series, ...]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return (_one({}, [result]),)
    if kind == "vector":
        return tuple(_one(row["metric"], [row["value"]] if "value" in row else []) for row in result)
    if kind == "matrix":
        return tuple(_one(row["metric"], row.get("values", [])) for row in result)
    raise ValueError(kind)


def _one(labels: Mapping[str, Any], samples: list[Any]) -> Series:
    # The latest value decides: where it is no number, an older one must not stand in for it.
    numbers = [(float(when), float(value)) for when, value in samples]
    infinite = bool(numbers) and math.isinf(numbers[-1][1])
    if numbers and not math.isfinite(numbers[-1][1]):
        numbers = []
    points = tuple(point for point in numbers if all(map(math.isfinite, point)))
    named = {str(key): str(value) for key, value in labels.items()}
    return Series(labels=named, points=points, infinite=infinite)


SELECTOR = "selector"
NEIGHBORS = "neighbors"
#: Placeholders that stand for whole matchers, built here or in the catalog.
MATCHERS = frozenset({SELECTOR, NEIGHBORS})

_PLACEHOLDER = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_OPERATOR = re.compile(r"(?:^|[^=!<>~])(=~|!~|!=|=)\s*$")
_REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder: its name, where it stands, the quote around it (none outside strings), the matcher before it."""

    name: str
    start: int
    end: int
    quote: str
    operator: str


@lru_cache(maxsize=4096)
def scan(expr: str) -> tuple[tuple[Placeholder, ...], tuple[str, ...]]:
    """The placeholders of an expression, and what is wrong with it, as sentences."""
    slots: list[Placeholder] = []
    problems: list[str] = []
    quote = operator = ""
    at = 0
    while at < len(expr):
        sign = expr[at]
        if expr.startswith("${", at):
            found = _PLACEHOLDER.match(expr, at)
            if found is None:
                problems.append(f"expr has a '${{' at character {at + 1} that begins no placeholder")
                at += 2
                continue
            slot = Placeholder(found[1], at, found.end(), quote, operator if quote else "")
            problems += _misplaced(slot)
            slots.append(slot)
            at = found.end()
            continue
        if quote:
            if sign == "\\" and quote != "`":
                at += 1
            elif sign == quote:
                quote = ""
        elif sign in "\"'`":
            before = _OPERATOR.search(expr[max(0, at - 16) : at])
            quote, operator = sign, before[1] if before else ""
        elif sign == "#":
            at = expr.find("\n", at) if "\n" in expr[at:] else len(expr)
        at += 1
    if quote:
        problems.append(f"expr has a string that is not closed with {quote}")
    return tuple(slots), tuple(problems)


def _misplaced(slot: Placeholder) -> tuple[str, ...]:
    shown = f"${{{slot.name}}}"
    if slot.name in MATCHERS:
        return (f"expr has {shown} inside a string: it stands for whole matchers",) if slot.quote else ()
    if not slot.quote:
        return (f'expr has {shown} outside a string: write it as a matcher\'s value, {slot.name}="{shown}"',)
    if slot.quote == "`":
        return (f"expr has {shown} between backticks, where nothing can be escaped: use double quotes",)
    if not slot.operator:
        return (f"expr has {shown} in a string that is no matcher's value",)
    return ()


def fill(expr: str, values: Mapping[str, str]) -> str:
    """``expr`` with every placeholder replaced. The values are hostile, except those of MATCHERS.

    Regexes are quoted as RE2 wants it, then strings as PromQL wants it (Go's escapes). Raises KeyError for a value that
    is missing. ``scan`` must have found nothing wrong.
    """
    parts: list[str] = []
    done = 0
    for slot in scan(expr)[0]:
        parts.append(expr[done : slot.start])
        done = slot.end
        value = values[slot.name]
        if slot.name in MATCHERS:
            parts.append(value)
            continue
        if slot.operator in {"=~", "!~"}:
            value = _REGEX_SIGNS.sub(r"\\\g<0>", value)
        parts.append(escape(value, slot.quote))
    return "".join((*parts, expr[done:]))


def escape(value: str, quote: str = '"') -> str:
    """``value`` as it stands between two ``quote`` signs; invisible characters become their code points."""
    if value.isprintable() and "\\" not in value and quote not in value:
        return value
    return "".join(_escaped(sign, quote) for sign in value)


def _escaped(sign: str, quote: str) -> str:
    if sign in {"\\", quote}:
        return "\\" + sign
    if sign == "\n":
        return "\\n"
    code = ord(sign)
    if 0xD800 <= code < 0xE000:
        return "\ufffd"
    if sign.isprintable():
        return sign
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
