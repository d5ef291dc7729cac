"""``responder completion`` and the man pages: made from the commands themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.cli import main
from scripts import man_pages


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_names_the_command(shell: str) -> None:
    """The script of each shell completes `responder`, and bash can parse its own."""
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"{shell}_complete" in done.output
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.output, text=True, check=True, timeout=30)


def test_commands_are_completed() -> None:
    """A press of the tab key after `responder run` offers the command that begins so."""
    given = {"COMP_WORDS": "responder run", "COMP_CWORD": "1", "_RESPONDER_COMPLETE": "bash_complete"}
    done = CliRunner().invoke(main, prog_name="responder", env=given)
    assert done.output.split() == ["plain,runbooks"]


def test_every_command_has_a_man_page(tmp_path: Path) -> None:
    """A man page exists for each command and each command of a group, with its options and exit statuses."""
    man_pages.write(tmp_path)
    names = {path.stem for path in tmp_path.iterdir()}
    assert {"responder", "responder-serve", "responder-runbooks-lint", "responder-incidents-show"} <= names
    text = (tmp_path / "responder-redact.1").read_text("utf-8")
    assert "Exit status: 0, 1 for a file that cannot be read" in text
    assert "2 for a wrong command line" in text
