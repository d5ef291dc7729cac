"""A value of the probe is not valid for its kind.

Each kind of probe checks its values beyond their types.

Bad:

    probes:
      front-door: {kind: http, url: "${health}", expect_status: [42]}

Good:

    probes:
      front-door: {kind: http, url: "${health}", expect_status: [204]}
    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [front-door], channels: [slack]}
"""

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.schema import ProbeShape
from responder.rulebook.validate import explain


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield unknown and missing keys, invalid types and values of each probe. Stores the valid specs."""
    suggest = Suggestions()
    for entry in rule_files.probes:
        kind = around.probe_kinds.get(entry.value.kind)
        if kind is None:
            continue
        problems = list(_keys(entry, kind.spec, suggest))
        if not problems:
            spec, problems = _spec(entry, kind.spec, suggest)
        if not problems:
            problems = [Problem(entry.key(), "bad-probe", said) for said in kind.check(spec)]
            rule_files.specs[entry.name] = spec
        yield from problems


def _keys(entry: Entry[ProbeShape], spec: type, suggest: Suggestions) -> Iterator[Problem]:
    given = entry.value.model_extra or {}
    known = {each.name for each in fields(spec)}
    for key in given:
        if key not in known:
            said = f"unknown key '{key}' for the kind {entry.value.kind}"
            yield Problem(entry.key(key), "unknown-key", said, suggest(key, {"kind", "timeout", *known}))
    for each in fields(spec):
        if each.name not in given and each.default is MISSING and each.default_factory is MISSING:
            said = f"missing key '{each.name}' for the kind {entry.value.kind}"
            yield Problem(entry.key(), "missing-key", said, f"add {each.name}: ...")


def _spec(entry: Entry[ProbeShape], spec: type, suggest: Suggestions) -> tuple[object, list[Problem]]:
    given = entry.value.model_extra or {}
    try:
        # As JSON: strict validation then accepts a list for a tuple, but still no string for a number.
        return _adapter(spec).validate_json(json.dumps(given), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [explain(detail, entry.document, given, entry.path, suggest) for detail in details]


@lru_cache(maxsize=64)
def _adapter(spec: type) -> TypeAdapter[Any]:
    return TypeAdapter(spec)
