"""PromQL with placeholders: a value can end up inside a matcher's string only, escaped for where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

SELECTOR = "selector"

_PLACEHOLDER = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_OPERATOR = re.compile(r"(?:^|[^=!<>~])(=~|!~|!=|=)\s*$")
_REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder: its name, where it stands, the quote around it (none outside strings), the matcher before it."""

    name: str
    start: int
    end: int
    quote: str
    operator: str


@lru_cache(maxsize=4096)
def scan(expr: str) -> tuple[tuple[Slot, ...], tuple[str, ...]]:
    """The placeholders of an expression, and what is wrong with it, as sentences."""
    slots: list[Slot] = []
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
            slot = Slot(found[1], at, found.end(), quote, operator if quote else "")
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


def _misplaced(slot: Slot) -> tuple[str, ...]:
    shown = f"${{{slot.name}}}"
    if slot.name == SELECTOR:
        return (f"expr has {shown} inside a string: it stands for whole matchers",) if slot.quote else ()
    if not slot.quote:
        return (f'expr has {shown} outside a string: write it as a matcher\'s value, {slot.name}="{shown}"',)
    if slot.quote == "`":
        return (f"expr has {shown} between backticks, where nothing can be escaped: use double quotes",)
    if not slot.operator:
        return (f"expr has {shown} in a string that is no matcher's value",)
    return ()


def fill(expr: str, values: Mapping[str, str], selector: str) -> str:
    """``expr`` with every placeholder replaced. The values are hostile; ``selector`` is the catalogue's and is not.

    Regexes are quoted as RE2 wants it, then strings as PromQL wants it (Go's escapes). Raises KeyError for a value that
    is missing. ``scan`` must have found nothing wrong.
    """
    parts: list[str] = []
    done = 0
    for slot in scan(expr)[0]:
        parts.append(expr[done : slot.start])
        done = slot.end
        if slot.name == SELECTOR:
            parts.append(selector)
            continue
        value = values[slot.name]
        if slot.operator in {"=~", "!~"}:
            value = _REGEX_SIGNS.sub(r"\\\g<0>", value)
        parts.append(escape(value, slot.quote))
    return "".join((*parts, expr[done:]))


def escape(value: str, quote: str = '"') -> str:
    """``value`` as it stands between two ``quote`` signs; what people cannot see becomes its code point."""
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
