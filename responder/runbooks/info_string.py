"""Info strings of fences: a language, then attributes as Runme writes them.

    sh {"name":"pods","tag":"readonly"}      JSON, Runme's preferred form
    sh { name=pods tag=readonly }            Runme's older form: split at blanks, quotes are kept

See docs.runme.dev, "Cell configuration keys".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PAIR = re.compile(r"([A-Za-z][\w.-]*)=(\S+)\Z")


@dataclass(frozen=True, slots=True)
class InfoString:
    """Language and attributes of a fence. ``problem`` says why the attributes cannot be read; empty if they can."""

    language: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def parse(info: str) -> InfoString:
    """Read an info string. Malformed attributes give an InfoString with a problem and no attributes.

    Words between language and attributes are ignored, as by Markdown renderers: ``sh title=x``.
    """
    words, brace, rest = info.strip().partition("{")
    language = words.split()[0].lower() if words.split() else ""
    if not brace:
        return InfoString(language)
    text = brace + rest
    try:
        return InfoString(language, _from_json(text))
    except ValueError as error:
        json_problem = str(error)
    pairs = text[1:-1].split() if text.endswith("}") else []
    found = [_PAIR.match(pair) for pair in pairs]
    if pairs and all(found):
        named = [(each[1], each[2]) for each in found if each]
        if len(dict(named)) == len(named):
            return InfoString(language, dict(named))
        return InfoString(language, problem="the attributes have the same key twice")
    return InfoString(language, problem=f"the attributes are not a JSON object of texts: {json_problem}")


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    return {key: _as_text(key, value) for key, value in found.items()}


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same key twice")
    return found


def _as_text(key: str, value: object) -> str:
    """Return a value as Runme prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"the value of '{key}' is not a text")
