"""Plain YAML scalars by the core schema of YAML 1.2: `on`, `no` and `12:30:00` are strings."""

import re
from typing import Final

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
