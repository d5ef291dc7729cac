"""Channels and probe kinds are known to their own files only: nothing else decides by the name of one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.diagnose.probes import PROBES
from responder.notify.channels import CHANNELS

ROOT = Path(__file__).parents[2]
RESPONDER = ROOT / "responder"
#: Folders of the plug-ins, and of the endpoints at which vendors of channels come in.
OWN = {
    RESPONDER / "notify" / "channels",
    RESPONDER / "diagnose" / "probes",
    *(RESPONDER / "converse" / name for name in CHANNELS),
}
#: Without the kind whose name is also that of a section of rule files.
NAMES = frozenset(CHANNELS) - {"teams"}
#: Names of both registries that are ordinary words elsewhere: they count where a kind is compared.
KINDS = frozenset(PROBES) | frozenset(CHANNELS)
LOOK_UPS = frozenset({"get", "pop", "index", "count", "startswith", "endswith", "removeprefix", "removesuffix"})
IN_SQL = re.compile(rf"['%\s](?:{'|'.join(sorted(NAMES))})['%\s]")
SQL_WORD = re.compile(r"\b(?:LIKE|SELECT|WHERE|IN)\b|=\s*'")


def decisions(source: str) -> Iterator[int]:
    """The lines that compare with a name, look one up, or hold one in a collection, a constant or in SQL.

    Names of probe kinds count where a ``kind`` is compared or matched, and in collections that hold nothing else.
    """
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        if any(map(_is_name, _decisive(node))) or _compares_kinds(node) or _lists_kinds(node):
            yield node.lineno if isinstance(node, ast.expr | ast.stmt | ast.pattern) else 0


def _decisive(node: ast.AST) -> list[ast.AST | None]:
    """The parts of a node that decide something where they are a channel's name."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Dict):
        return [*node.keys]
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [*node.elts]
    if isinstance(node, ast.Assign | ast.AnnAssign) and _is_constant(node):
        return [node.value]
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.MatchValue):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOK_UPS:
        return [*node.args]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node] if SQL_WORD.search(node.value) and IN_SQL.search(f" {node.value} ") else []
    return []


def _is_constant(node: ast.Assign | ast.AnnAssign) -> bool:
    """Return True if the name that is assigned is written as that of a constant, to be compared with later."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(each, ast.Name) and each.id.isupper() for each in targets)


def _compares_kinds(node: ast.AST) -> bool:
    """Return True if a ``kind`` is compared with, or matched by, the name of a plug-in."""
    if isinstance(node, ast.Match):
        sides: list[ast.AST] = [node.subject, *(each.pattern for each in node.cases)]
    else:
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    asked = {getattr(side, "attr", getattr(side, "id", "")) for side in sides}
    return "kind" in asked and any(_value(part) in KINDS for side in sides for part in ast.walk(side))


def _lists_kinds(node: ast.AST) -> bool:
    """Return True for a mapping, a set or a frozenset of names of plug-ins alone."""
    parts = node.keys if isinstance(node, ast.Dict) else node.elts if isinstance(node, ast.Set) else []
    return bool(parts) and all(_value(part) in KINDS for part in parts)


def _value(part: ast.AST | None) -> object:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else None


def _is_name(part: ast.AST | None) -> bool:
    if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
        return False
    return part.value in NAMES or bool(SQL_WORD.search(part.value))


def test_nothing_outside_its_file_decides_by_the_name_of_a_plug_in() -> None:
    """A channel or probe kind that is added is treated like every other: what it is stands in its class."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(RESPONDER.rglob("*.py"))
        if path.parent not in OWN
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
        'SLACK = "slack"',
        'if channel.kind == "teams": pass',
        'if finding.kind in {"http", "grpc"}: pass',
        'if question.kind != "promql": pass',
        'match probe.kind:\n    case "tcp": pass',
        'THROUGH_SERVICE = frozenset({"http", "tcp"})',
        'SERVERS = {"loki": "RESPONDER_LOKI_URL", "grafana": "RESPONDER_GRAFANA_URL"}',
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
        'PORTS = {"http": 80, "https": 443}',
        'if parts.scheme == "http": pass',
    ],
)
def test_other_text_is_not_a_decision(source: str) -> None:
    """Documentation, log events and the names of settings may say Slack."""
    assert not list(decisions(source))
