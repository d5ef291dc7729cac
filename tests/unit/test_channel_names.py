"""A channel is known to its own file only: nothing else in the program decides by a channel's name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.notify.channels import CHANNELS

ROOT = Path(__file__).parents[2]
OWN = ROOT / "responder" / "notify" / "channels"
#: Without the kind whose name is also that of a section of rule files.
NAMES = frozenset(CHANNELS) - {"teams"}
LOOK_UPS = frozenset({"get", "pop", "index", "count", "startswith", "endswith", "removeprefix", "removesuffix"})
IN_SQL = re.compile(rf"['%\s](?:{'|'.join(sorted(NAMES))})['%\s]")
SQL_WORD = re.compile(r"\b(?:LIKE|SELECT|WHERE|IN)\b|=\s*'")


def decisions(source: str) -> Iterator[int]:
    """The lines that compare with a channel's name, look one up, or hold one in a collection or in SQL."""
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) not in documentation and any(map(_is_name, _decisive(node))):
            yield node.lineno if isinstance(node, ast.expr | ast.stmt | ast.pattern) else 0


def _decisive(node: ast.AST) -> list[ast.AST | None]:
    """The parts of a node that decide something where they are a channel's name."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Dict):
        return [*node.keys]
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [*node.elts]
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.MatchValue):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOK_UPS:
        return [*node.args]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node] if SQL_WORD.search(node.value) and IN_SQL.search(f" {node.value} ") else []
    return []


def _is_name(part: ast.AST | None) -> bool:
    if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
        return False
    return part.value in NAMES or bool(SQL_WORD.search(part.value))


def test_nothing_outside_a_channels_file_decides_by_its_name() -> None:
    """A channel that is added is treated like every other, everywhere: what it is stands in its class."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "responder").rglob("*.py"))
        if path.parent != OWN
        for line in decisions(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'if name == "slack": pass',
        'if "slack" != name: pass',
        'if name in ("slack", other): pass',
        'if "smtp" not in names: pass',
        'PAGERS = frozenset({"pagerduty"})',
        'NAMES = {"pagerduty": "PagerDuty"}',
        'channels["slack"]',
        'channels.get("slack")',
        'name.startswith("slack")',
        'match name:\n    case "teams" | "slack": pass',
        "execute(\"SELECT id FROM incidents WHERE channels LIKE '%pagerduty%'\")",
        "text(\"channel = 'slack'\")",
        "text(f\"channel = 'slack' AND {more}\")",
    ],
)
def test_a_decision_by_name_is_found(source: str) -> None:
    """Comparisons, keys, members, look-ups, cases and SQL are recognized."""
    assert list(decisions(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Slack, if name == "slack"."""',
        'log.info("slack", reason="no slack")',
        'Setting(name="slack_channel", doc="where slack posts")',
        "draft.channel == channel.name",
    ],
)
def test_other_text_is_not_a_decision(source: str) -> None:
    """Documentation, log events and the names of settings may say Slack."""
    assert not list(decisions(source))
