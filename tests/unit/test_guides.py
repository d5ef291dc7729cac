"""Settings and rule files in pages, and what responder prints and logs as the guide to troubleshooting quotes it."""

import ast
import re
from functools import cache
from pathlib import Path

import yaml

from responder.rulebook.schema import File
from responder.runbooks.markdown import read
from responder.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "troubleshooting.md"
#: Quotes that are no text of responder: names of files, settings, labels, codes of vendors and what a person types.
TYPED = re.compile(r"/|responder |RESPONDER_[A-Z_.]+$|[a-z_]+$|[a-z_]+: (true|0)$|deploy/")


def test_each_setting_that_a_page_names_exists() -> None:
    """A reader can set what a page names: no setting is misspelled, or gone."""
    known = {name for name, _, _ in Settings().rows()}
    pages = (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("runbooks/*.md"))
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in pages
        for name in re.findall(r"RESPONDER_[A-Z_]*[A-Z]", path.read_text())
        if path.parent.name != "decisions"
    }
    assert len(named) > 100
    wrong = [(path, name) for path, name in named if not {name, name.removesuffix("_FILE")} & known]
    assert [each for each in wrong if not each[1].startswith("RESPONDER_SECRET_")] == []


def test_each_part_of_a_rule_file_in_a_guide_is_valid() -> None:
    """A reader can copy a part of a rule file from a guide: keys and types are right, nothing is missing."""
    found = 0
    for page in PAGE.parent.glob("*.md"):
        for fence in read(page.read_text()).fences:
            data = yaml.load(fence.content, yaml.CSafeLoader) if fence.language == "yaml" else {}
            if data and set(data) <= set(File.model_fields) - {"platform"}:
                File.model_validate(data)
                found += 1
    assert found > 3


@cache
def _texts() -> tuple[str, ...]:
    """All literals of responder; ``…`` stands for the values in a formatted one."""
    found = set()
    for path in ROOT.glob("responder/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values))
    return tuple(found)


def _symptoms() -> list[str]:
    rows = [line.split(" | ")[0].lstrip("| ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [row for row in rows if row != "symptom"]


def test_each_quoted_symptom_is_a_text_of_responder() -> None:
    """A reader who searches the page for a message finds it as responder writes it."""
    quotes = [quote for row in _symptoms() for quote in re.findall(r"`([^`]+)`", row) if not TYPED.match(quote)]
    assert len(quotes) > 40
    unknown = [
        quote
        for quote in quotes
        if not any(all(part in text for part in re.split(r" ?… ?", quote)) for text in _texts())
    ]
    assert unknown == []


def test_the_page_has_enough_symptoms() -> None:
    """Each row has a symptom, its meaning and what to do."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert all(line.count(" | ") == 2 for line in rows)
    assert len(_symptoms()) >= 15
