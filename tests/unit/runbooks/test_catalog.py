"""Links into runbooks are checked against the anchors that GitHub really makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from responder.rulebook.file_state import file_states
from responder.runbooks.catalog import anchors, read
from responder.runbooks.markdown import read as read_markdown

ANCHORS = [
    ("# Service down", "service-down"),
    ("## Step 1: Check the pods", "step-1-check-the-pods"),
    ("### `kubectl` & friends", "kubectl--friends"),
    ("# A [link](https://example.com) here", "a-link-here"),
    ("# snake_case and-dash", "snake_case-and-dash"),
    ("# Über die Brücke", "über-die-brücke"),
    ("# *Very* **bold**!", "very-bold"),
    ("Underlined\n==========", "underlined"),
    ("# Closed #", "closed"),
    ("#", ""),
]


@pytest.mark.parametrize(("markdown", "anchor"), ANCHORS)
def test_a_heading_gets_githubs_anchor(markdown: str, anchor: str) -> None:
    """A valid link opens the section on GitHub."""
    assert anchors(markdown) == {anchor}


def test_headings_of_one_name_are_numbered() -> None:
    """Repeated headings have distinct anchors."""
    found = read_markdown("# Step\n\n## Step\n\n## Step 1\n\n## Step\n").headings
    assert [each.anchor for each in found] == ["step", "step-1", "step-1-1", "step-2"]
    assert [(each.level, each.line) for each in found] == [(1, 1), (2, 3), (2, 5), (2, 7)]


def test_comments_in_commands_are_no_headings() -> None:
    """A comment inside a command block is not taken for a section."""
    assert anchors("# One\n\n```bash\n# Two\n```\n\n    # Three\n") == {"one"}


def test_a_folder_is_read_by_file(tmp_path: Path) -> None:
    """Every runbook of the folder can be linked to, and nothing else."""
    (tmp_path / "a.md").write_bytes(b"# One \xff\n")
    (tmp_path / "b.txt").write_text("# Two\n")
    (tmp_path / "c.md").mkdir()
    assert read(tmp_path) == {"a.md": frozenset({"one-"})}
    assert read(tmp_path / "missing") == {}


@pytest.mark.parametrize("name", ["a.md", "kubernetes/KubePodCrashLooping.md", "docs/api/v1/README.md"])
def test_runbooks_in_sub_folders_are_found(tmp_path: Path, name: str) -> None:
    """A checkout of a runbook repository can be the runbook folder; hidden folders such as .git are left out."""
    for each in (name, ".git/x.md", "docs/.hidden/y.md"):
        path = tmp_path / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# One\n## Two words\n")
    assert read(tmp_path) == {name: frozenset({"one", "two-words"})}
    before = file_states([tmp_path])
    (tmp_path / name).write_text("# Another\n")
    assert file_states([tmp_path]) != before
