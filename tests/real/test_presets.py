"""Presets with the slow tools that check their cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.cli.init import init
from responder.cli.rules import rules


@pytest.mark.timeout(240)
def test_the_cases_of_a_preset_notice_changes_of_its_rules(tmp_path: Path) -> None:
    """At least 95 % of the changes of single values in a fresh set, each of which changes a decision, fail a case."""
    done = CliRunner().invoke(init, [str(tmp_path), "--preset", "minio"])
    assert done.exit_code == 0, done.output
    where = ("--rules", str(tmp_path / "rules"), "--runbooks", str(tmp_path / "runbooks"))
    tested = CliRunner().invoke(rules, ["test", *where, "--mutate", "--timeout", "200s"])
    assert tested.exit_code == 0, tested.output
    assert "minimum 95 %" in tested.output
