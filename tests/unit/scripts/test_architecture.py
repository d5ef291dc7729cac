"""The page about the architecture is drawn from what is enforced."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from scripts.architecture import PAGE, PICTURE, ROOT, page, picture, write


def test_the_picture_shows_the_enforced_layers() -> None:
    """A layer that is added or moved in pyproject.toml shows in the picture and in its description."""
    pyproject = (ROOT / "pyproject.toml").read_text()
    if os.environ.get("UPDATE_DOCS"):
        write()
    assert picture(pyproject) == PICTURE.read_text(), "stale: run python -m scripts.architecture"
    assert page(PAGE.read_text(), pyproject) == PAGE.read_text(), "stale: run python -m scripts.architecture"


def test_inner_layers_stand_in_their_package() -> None:
    """The layers inside a package are drawn from the contract of that package."""
    text = """
[[tool.importlinter.contracts]]
type = "layers"
containers = ["responder"]
layers = ["cli", "web | engine"]
[[tool.importlinter.contracts]]
type = "layers"
containers = ["responder.engine"]
layers = ["jobs", "workers | simulation"]
[[tool.importlinter.contracts]]
type = "forbidden"
"""
    drawn = picture(text)
    assert re.findall(r">([^<>\n]+)</text>", drawn) == ["cli", "↓", "web", "engine", "jobs", "workers · simulation"]
    assert "from top to bottom: cli; web, engine]" in page("", text)


NAMING_FILES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", NAMING_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_named_in_the_docs_exist(path: Path) -> None:
    """A file that is renamed is renamed in the docs too; NAME stands for any name."""
    named = re.findall(r"`((?:responder|tests|scripts|docs|benchmarks|deploy)/[\w./-]+)`", path.read_text())
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []
