"""Each code has a page whose bad example has that problem and whose good example has none."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from responder.bootstrap import examine_rules
from responder.model.problem import Problem
from responder.rulebook.check_pages import CODES, examples, page
from responder.rulebook.checks import ADVICE, CHECKS, REQUIRED

ROOT = Path(__file__).parents[3]
FIRST = "<!-- written by tests/unit/rulebook/test_check_pages.py -->\n"
LAST = "<!-- end -->\n"

BASE = {
    "platform": "platform: {environment: prod, namespace: shop}\n",
    "severities": """\
severities:
  P1: {meaning: m, response: r, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
    page_budget: 8s, next_update: 30m}
  P3: {meaning: m, response: r, respond_within: 4h, responders: one, pages: false, pagerduty: info,
    page_budget: 30s, next_update: 4h}
""",
    "services": "services: {shop: {health: 'http://shop:8080/health', owner: o, impact: i}}\n",
    "contacts": "contacts:\n  - {role: On-Call, contact: PagerDuty, hours: 24/7}\n",
    "probes": "probes: {health: {kind: tcp, target: '${health}'}}\n",
    "rules": "rules:\n  - {id: unknown, match: [], severity: P3, first_step: Read., probes: [health],"
    " channels: [slack]}\n",
}
WITHOUT = {
    "missing-platform": {"platform"},
    "no-catch-all": {"rules", "probes"},
    "after-catch-all": {"rules", "probes"},
}


def _problems(folder: Path, code: str, example: str) -> list[Problem]:
    """Problems of an example among the files around it, without those that the example itself defines."""
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "common.md").write_text("# Common\n\n## Service down\n")
    (folder / "rules").mkdir()
    own = set(re.findall(r"^(\w+):", example, re.MULTILINE)) - {"rules", "probes"} | WITHOUT.get(code, set())
    for number, (name, text) in enumerate(BASE.items()):
        if name not in own:
            (folder / "rules" / f"{'99' if name == 'rules' else number}-{name}.yaml").write_text(text)
    (folder / "rules" / "50-example.yaml").write_text(example)
    return list(examine_rules(str(folder / "rules"), str(folder / "runbooks")).problems)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page_with_true_examples(code: str, tmp_path: Path) -> None:
    """Each code is explained, and its examples are as bad and as good as they claim."""
    text = page(code)
    assert len(text.splitlines()[0]) > 20
    found = examples(code)
    if code in {"no-rules", "dead-link", "unreadable", "encoding", "too-big", "too-deep"}:
        assert found == {}
        return
    assert set(found) == {"Bad", "Good"}, text
    assert code in {each.code for each in _problems(tmp_path / "bad", code, found["Bad"])}
    assert _problems(tmp_path / "good", code, found["Good"]) == []


def test_every_code_in_the_source_has_a_page() -> None:
    """No problem can be shown whose code leads nowhere."""
    written = set()
    suppressions = ROOT / "responder" / "model" / "suppressions.py"
    for path in (suppressions, *(ROOT / "responder" / "rulebook").rglob("*.py")):
        written |= set(re.findall(r'(?:Problem\([^\n]*?|_problem\(event), "([a-z]+(?:-[a-z]+)+)"', path.read_text()))
    assert {"bad-ignore", "duplicate-key", "unknown-key", "no-rules"} <= written
    assert written <= set(CODES), written - set(CODES)


def test_what_can_be_silenced_is_never_needed() -> None:
    """A comment can hide advice, never a mistake that keeps the rules from working."""
    assert set(ADVICE) < set(CHECKS)
    assert not [code for code in ADVICE if code.startswith(("unknown-", "missing-", "bad-", "no-"))]


def test_every_check_is_in_the_docs(tmp_path: Path) -> None:
    """The docs list each check, with the level and subject of its problems."""
    rows = ["| code | level | problem |\n|---|---|---|\n"]
    for code in ADVICE:
        problems = _problems(tmp_path / code, code, examples(code)["Bad"])
        (level,) = {each.level.value for each in problems if each.code == code}
        rows.append(f"| `{code}` | {level} | {page(code).splitlines()[0]} |\n")
    rows.append("\n`serve` does not start if one of these checks fails:\n\n| code | check |\n|---|---|\n")
    rows += [f"| `{code}` | {page(code).splitlines()[0]} |\n" for code in REQUIRED]
    docs = ROOT / "docs" / "rule-tools.md"
    text = docs.read_text()
    before, _, rest = text.partition(FIRST)
    expected = before + FIRST + "".join(rows) + LAST + rest.partition(LAST)[2]
    if os.environ.get("UPDATE_DOCS"):
        docs.write_text(expected)
    assert docs.read_text() == expected, "docs/rule-tools.md is stale: run make generate"
