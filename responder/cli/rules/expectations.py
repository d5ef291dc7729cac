"""Update of expectations in the text of a test file; comments and everything else are preserved."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from responder.cli.rules.case_run import CaseResult

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./#-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def amend(text: str, proofs: Iterable[CaseResult]) -> tuple[str, list[str]]:
    """Return the text with the actual results as expectations, and the expectations to update manually.

    Manual are patterns, and cases with rows, since their rows share the expectations.
    """
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    edits: dict[tuple[int, int], str] = {}
    left: list[str] = []
    for proof in proofs:
        for each in proof.differences:
            if proof.case.spread or proof.problem or each.field in {"slack_not_contains", "probes_include"}:
                left.append(f"{proof.case.position}: {proof.case.name}: {each.field}")
                continue
            key, value = _find(root, (*proof.case.keys, each.field))
            edits[key.end_mark.index, _end(value)] = f": {_flow(each.got)}"
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text, left


def _find(node: Any, path: tuple[str | int, ...]) -> tuple[Any, Any]:
    key = node
    for part in path:
        if isinstance(part, int):
            key, node = node, node.value[part]
        else:
            key, node = next((name, value) for name, value in node.value if name.value == part)
    return key, node


def _end(node: Any) -> int:
    """Return the end index of a value; the end mark of a block node is the start of the next node."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
