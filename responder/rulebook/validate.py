"""Validation of a document against the schema: all errors, and the valid parts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions, nearest
from responder.rulebook import rule_schema, schema
from responder.rulebook.field_types import StrictModel
from responder.rulebook.team_schema import ContactShape, TeamShape
from responder.rulebook.template_schema import TemplateShape
from responder.rulebook.yaml.builder import Path
from responder.rulebook.yaml.reader import Document

_WORDS = {
    "string_type": "expected a string",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "model_type": "expected a mapping",
    "dataclass_type": "expected a mapping",
}
_MODELS: Mapping[int, Mapping[str, type[StrictModel]]] = {
    0: {"": schema.File},
    1: {"platform": schema.Platform, "defaults": schema.Defaults},
    2: {
        "teams": TeamShape,
        "severities": schema.SeverityShape,
        "templates": TemplateShape,
        "services": schema.ServiceShape,
        "windows": schema.WindowShape,
        "contacts": ContactShape,
        "urls": schema.UrlShape,
        "heartbeats": schema.HeartbeatShape,
        "rules": rule_schema.RuleShape,
    },
    3: {"rules": rule_schema.SeverityFromShape, "severities": schema.RemindersShape},
}


@dataclass(frozen=True, slots=True)
class ValidatedFile:
    """Valid part of a file. ``dropped`` are the paths of the invalid entries, each with a problem."""

    file: schema.File
    problems: tuple[Problem, ...] = ()
    dropped: frozenset[Path] = frozenset()


def validate(document: Document) -> ValidatedFile:
    """Return the valid entries of a file and the problems of the others, which are dropped as a whole."""
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        hint = f"keys: {', '.join(_known(()))}"
        return ValidatedFile(
            schema.File(), (Problem(document.at(()), "bad-value", "a rule file must be a mapping", hint),)
        )
    try:
        return ValidatedFile(schema.File.model_validate(data))
    except ValidationError as error:
        details = error.errors(include_url=False)
    echoes = _misspelled_keys(details)
    suggest = Suggestions()
    problems = tuple(
        explain(each, document, data, (), suggest) for each in details if (each["type"], each["loc"]) not in echoes
    )
    dropped = frozenset(_entry(_path(detail["loc"], data)) for detail in details)
    return ValidatedFile(schema.File.model_validate(_without(data, dropped)), problems, dropped)


def _misspelled_keys(details: list[ErrorDetails]) -> set[tuple[str, tuple[str | int, ...]]]:
    """Return missing keys that are only misspelled: the unknown key beside them is reported."""
    missing: dict[tuple[str | int, ...], list[str]] = {}
    for detail in details:
        if detail["type"] == "missing":
            missing.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    found = set()
    for detail in details:
        *parent, key = detail["loc"] or ("",)
        if detail["type"] == "extra_forbidden" and (names := missing.get(tuple(parent))):
            found |= {("missing", (*parent, name)) for name in get_close_matches(str(key), names, n=1)}
    return found


def explain(
    detail: ErrorDetails,
    document: Document,
    data: Any,
    base: Path = (),
    suggest: Callable[[str, Iterable[str]], str] = nearest,
) -> Problem:
    """Convert a pydantic error to a problem. ``base`` is the path of ``data`` in the document."""
    path = _path(detail["loc"], data)
    full = (*base, *path)
    kind = detail["type"]
    if kind == "missing":
        key = str(detail["loc"][-1])
        return Problem(document.key(full), "missing-key", f"missing key '{key}'", f"add {key}: ...")
    if kind == "extra_forbidden":
        key = str(path[-1])
        return Problem(document.key(full), "unknown-key", f"unknown key '{key}'", suggest(key, _known(full[:-1])))
    if detail["loc"] and detail["loc"][-1] == "[key]":
        said = f"'{path[-1]}' is not a valid name here: {_message_of(detail)}"
        return Problem(document.key(full), "bad-value", said, "use lower case, digits and dashes")
    return Problem(document.at(full), "bad-value", _message_of(detail), _hint(detail, suggest))


def _message_of(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if kind == "literal_error":
        return f"{detail['input']!r} is not one of {detail['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return f"{str(detail['input'])[:80]!r} does not match {detail['ctx']['pattern']}"
    if words := _WORDS.get(kind):
        return f"{words}, got {_named(detail['input'])}"
    return detail["msg"]


def _hint(detail: ErrorDetails, suggest: Callable[[str, Iterable[str]], str]) -> str:
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        return "put it in quotes"
    if detail["type"] == "literal_error":
        names = detail["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return suggest(str(detail["input"]), names)
    return ""


def _named(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "a mapping"


def _path(loc: tuple[str | int, ...], data: Any) -> Path:
    """Return the part of pydantic's location that exists in the document, without union tags and missing keys."""
    path: list[str | int] = []
    here = data
    for part in loc:
        if _has(here, part):
            path.append(part)
            here = here[part]
    return tuple(path)


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, dict) and part in here


def _entry(path: Path) -> Path:
    """Return the path of the entry to drop: a rule, a probe, a service; or a whole small section."""
    return path[:2] if path and path[0] not in {"platform", "defaults", "escalation"} else path[:1]


def _without(data: dict[str, Any], paths: frozenset[Path]) -> dict[str, Any]:
    left = dict(data)
    inner: dict[str, set[str | int]] = {}
    for path in paths:
        if path:
            inner.setdefault(str(path[0]), set()).update(path[1:2])
    for part, dropped in inner.items():
        if (part,) in paths:
            del left[part]
        elif isinstance(data[part], dict):
            left[part] = {key: value for key, value in data[part].items() if key not in dropped}
        else:
            left[part] = [value for number, value in enumerate(data[part]) if number not in dropped]
    return left


def _known(path: Path) -> list[str]:
    model = _MODELS.get(len(path), {}).get(str(path[0]) if path else "")
    return [field.alias or name for name, field in model.model_fields.items()] if model else []
