"""`responder init` writes valid rules for another platform."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.cli.init import init
from responder.cli.rules import rules
from responder.cli.rules.schema import text as schema_text

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which init has run."""
    done = CliRunner().invoke(init, [str(tmp_path / "mine")])
    assert done.exit_code == 0, done.output
    return tmp_path / "mine"


def test_the_starting_set_passes_its_own_tools(folder: Path) -> None:
    """The written rules have no problems, and their tests pass for every rule."""
    checked = CliRunner().invoke(rules, ["check", str(folder / "rules"), "--strict"])
    assert checked.exit_code == 0, checked.output
    where = ("--rules", str(folder / "rules"), "--runbooks", str(folder / "runbooks"))
    tested = CliRunner().invoke(rules, ["test", *where, "--coverage"])
    assert tested.exit_code == 0, tested.output
    assert "4 of 4 rules reached" in tested.output
    assert "depends on" not in tested.output


def test_nothing_is_overwritten(folder: Path) -> None:
    """A second run, or a run in the wrong folder, destroys no work."""
    (folder / "rules" / "10-services.yaml").write_text("# mine")
    done = CliRunner().invoke(init, [str(folder)])
    assert done.exit_code == 1
    assert "rules/10-services.yaml" in done.output
    assert (folder / "rules" / "10-services.yaml").read_text() == "# mine"


def test_every_file_explains_itself(folder: Path) -> None:
    """A newcomer learns from the files themselves what they are for, and editors help with them."""
    for path in (folder / "rules").glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# "), path
        assert "# yaml-language-server: $schema=schema.json\n" in text, path
    assert (folder / "rules" / "schema.json").read_text() == schema_text()


def test_the_package_holds_the_starting_set() -> None:
    """The command works where the program was installed from a package, not only in a checkout."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["responder"]
    found = {path for pattern in data for path in (ROOT / "responder").glob(pattern) if path.is_file()}
    assert set((ROOT / "responder" / "cli" / "starter").rglob("*.*")) <= found
