"""The decision records: one file each, with a title, a status and a decision, all of them in the index."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
TITLE = re.compile(r"# (\d+)\. (.+)\n\nStatus: (in force(?:; amends \d+(?:, \d+)*)?)\n\n## ")
SECTIONS = ["Context", "Decision", "Consequences"]
FIRST = "<!-- written by tests/unit/test_decisions.py -->\n"
LAST = "<!-- end -->\n"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_the_common_form(path: Path) -> None:
    """A reader finds the same parts in each record: number, title, status, context, decision, consequences."""
    text = path.read_text()
    found = TITLE.match(text)
    assert found is not None, "begin with '# NNN. Title', then 'Status: in force'"
    assert path.name.startswith(f"{int(found[1]):03d}-")
    assert [part for part in SECTIONS if not re.search(rf"^## {part}\n\n\S", text, re.MULTILINE)] == []
    assert not re.search(r"^(<{7}|>{7})", text, re.MULTILINE), "a merge left its marks"


def test_numbers_are_unique() -> None:
    """A decision can be referred to by its number; a superseded number is not used again."""
    index = (FOLDER / "README.md").read_text()
    superseded = re.findall(r"^- (\d+), ", index, re.MULTILINE)
    numbers = [path.name.partition("-")[0].lstrip("0") for path in RECORDS] + superseded
    assert sorted(number for number in set(numbers) if numbers.count(number) > 1) == []


def test_the_index_is_complete() -> None:
    """Every decision in force is in the index."""
    index = FOLDER / "README.md"
    text = index.read_text()
    before, _, rest = text.partition(FIRST)
    _, _, after = rest.partition(LAST)
    rows = "".join(_row(path) for path in RECORDS)
    expected = before + FIRST + rows + LAST + after
    if os.environ.get("UPDATE_DOCS"):
        index.write_text(expected)
    assert index.read_text() == expected, "docs/decisions/README.md is stale: run make generate"


def _row(path: Path) -> str:
    found = TITLE.match(path.read_text())
    assert found is not None
    return f"- [{found[1]}. {found[2]}]({path.name})\n"
