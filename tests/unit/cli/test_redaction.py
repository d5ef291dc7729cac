"""Commands that show alerts redact them as messages do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.cli import main

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))
SECRETS = ("hunter2pw", "Sommer!2026", "abcdefghijklmnopqrstuvwxyz0123456789")
LABELS = {
    "alertname": "Odd",
    "password": "hunter2pw",
    "service": "https://ann:hunter2pw@db",
    "severity": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "pod": "password=Sommer!2026",
}
CASES = """
tests:
  - name: redacted
    alert: LABELS
    expect: {severity: P1, subject: plato, reason: other}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "explain"),
        ("rules", "explain", "--output", "json"),
        ("dry-run", "--explain"),
        ("dry-run", "--explain", "--output", "json"),
    ],
)
def test_alerts_are_shown_without_secrets(arguments: tuple[str, ...]) -> None:
    """Neither text nor JSON shows what a label's value holds or its name announces; the rest stays readable."""
    done = CliRunner().invoke(main, [*arguments, *HERE, "-"], input=json.dumps({"labels": LABELS}))
    assert done.exit_code == 0, done.output
    assert "[REDACTED:github-token]" in done.output
    assert "[REDACTED:userinfo]@db" in done.output
    assert [each for each in SECRETS if each in done.output] == []
    if "json" in arguments:
        assert json.loads(done.output)


def test_the_label_that_a_rule_compares_is_redacted(tmp_path: Path) -> None:
    """A matcher of a label whose name announces a secret shows that another value came, and not which."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "rules" / "00-first.yaml").write_text(
        "rules:\n  - {id: first, match: [password=x], severity: P3, first_step: Look., channels: [slack]}\n", "utf-8"
    )
    for arguments in (("rules", "explain"), ("dry-run", "--explain")):
        done = CliRunner().invoke(
            main,
            [*arguments, *HERE, "--rules", str(tmp_path / "rules"), "-"],
            input=json.dumps({"labels": LABELS}),
        )
        assert "'[REDACTED:secret]'" in done.output, done.output
        assert "hunter2pw" not in done.output


def test_failures_of_cases_are_shown_without_secrets(tmp_path: Path) -> None:
    """A failed test case ends in the logs of CI: what came, its trace and the JUnit report are redacted."""
    cases, report = tmp_path / "cases.yaml", tmp_path / "report.xml"
    cases.write_text(CASES.replace("LABELS", json.dumps(LABELS)), "utf-8")
    done = CliRunner().invoke(main, ["rules", "test", *HERE, "--junit", str(report), str(cases)])
    assert "FAIL redacted" in done.output, done.output
    shown = done.output + report.read_text("utf-8")
    assert "[REDACTED:" in report.read_text("utf-8")
    assert [each for each in SECRETS if each in shown] == []
