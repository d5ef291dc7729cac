"""Runbooks are written from what is known, listed, shown, and reported on with what happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.cli import main
from responder.cli.runbooks.new import _alerts
from responder.model.rule import Matcher, Op
from responder.model.transcript import StepRecord
from responder.store.database import Database
from responder.store.incidents import incidents, transcripts
from responder.store.incidents.runbook_use import by_runbook
from tests.support.builders import NOW, a_content, a_rule, an_incident

ROOT = Path(__file__).parents[3]

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped runbooks, with the shipped rules beside it."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return Path(shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks"))


@pytest.fixture
def run(folder: Path) -> Run:
    """Run one command line on the copy."""
    env = {
        "RESPONDER_RULES": str(folder.parent / "rules"),
        "RESPONDER_RUNBOOKS": str(folder),
        "RESPONDER_DATABASE_URL": f"sqlite:///{folder.parent}/responder.db",
    }
    return lambda *arguments: CliRunner().invoke(main, ["runbooks", *arguments], env=env)


def test_a_new_runbook_has_what_the_rules_know_and_is_finished_but_for_its_marks(run: Run, folder: Path) -> None:
    """The template is filled from rule and catalog; lint finds nothing but the marks for a person."""
    done = run("new", "Plato slow", "--rule", "service-down")
    assert done.exit_code == 0, done.output
    text = (folder / "plato-slow.md").read_text()
    for known in (
        "# Plato slow\n",
        "**Owner**: team-plato",
        "**Criticality**: Critical",
        "`ServiceDown`",
        "- plato is down",
        "- Depended on by: nexus",
        "up to P1, response 15 minutes",
        "kubectl -n butterfly get pods -l app=plato",
        "curl -sS --max-time 5 http://plato:8080/actuator/health",
        "3. SRE Team: Slack: #sre-team (24/7)",
    ):
        assert known in text
    found = json.loads(run("lint", str(folder / "plato-slow.md"), "--output", "json").stdout)["problems"]
    assert {each["code"] for each in found} == {"placeholder"}
    assert len(found) == text.count("TODO")


def test_a_new_runbook_without_rules_says_so(run: Run, folder: Path) -> None:
    """Without rules the fields are marks, and lint still finds nothing else."""
    shutil.rmtree(folder.parent / "rules")
    done = run("new", "kafka-lag", "--alert", "KafkaLag")
    assert "no rule files found" in done.stderr
    assert "# Kafka lag\n" in (folder / "kafka-lag.md").read_text()
    found = json.loads(run("lint", str(folder / "kafka-lag.md"), "--output", "json").stdout)["problems"]
    assert {each["code"] for each in found} == {"placeholder"}


def test_a_runbook_is_never_overwritten(run: Run, folder: Path) -> None:
    """An existing runbook is kept; --stdout writes no file."""
    before = (folder / "scaling.md").read_text()
    done = run("new", "Scaling")
    assert done.exit_code == 1
    assert "exists" in done.stderr
    assert run("new", "Scaling", "--stdout").stdout.startswith("# Scaling\n")
    assert (folder / "scaling.md").read_text() == before
    assert run("new", "../x", "--stdout").stdout.startswith("# ../x\n")
    assert run("new", "///").exit_code == 2


def test_unknown_names_are_refused(run: Run) -> None:
    """A misspelled rule or service is named with the nearest one."""
    assert "did you mean 'service-down'" in run("new", "X", "--rule", "service-dwn").stderr
    assert "did you mean 'plato'" in run("new", "X", "--service", "platoo").stderr


def test_alerts_are_those_that_a_rule_names() -> None:
    """Names come from equal matchers and plain alternatives, not from patterns."""
    matchers = (Matcher("alertname", Op.REGEX, "A|B|C.*"), Matcher("alertname", Op.NOT_EQUAL, "D"))
    assert _alerts(replace(a_rule(), matchers=matchers)) == ["A", "B"]


def test_the_list_is_a_catalog_with_urgency(run: Run) -> None:
    """Critical runbooks come first; a pipe gets JSON."""
    found = json.loads(run("list").stdout)
    assert [each["urgency"] for each in found] == sorted(each["urgency"] for each in found)
    by_file = {each["file"]: each for each in found}
    assert "README.md" not in by_file
    assert "service-down" in by_file["common-issues.md"]["rules"]
    assert by_file["common-issues.md"]["runnable"] > 0
    text = run("list", "--output", "text").stdout
    assert text.splitlines()[0].split() == ["RUNBOOK", "URGENCY", "UPDATED", "STEPS", "RULES", "TITLE"]


def test_a_section_is_shown_as_a_page_links_to_it(run: Run, folder: Path) -> None:
    """The text of a section in a pipe is that of the file."""
    shown = run("show", "common-issues#service-down").stdout
    assert shown.startswith("### Service down\n")
    assert shown in (folder / "common-issues.md").read_text()
    assert run("show", "common-issues.md").stdout == (folder / "common-issues.md").read_text()
    assert "did you mean 'common-issues.md'" in run("show", "common-issue").stderr
    assert "did you mean 'service-down'" in run("show", "common-issues#service-dwn").stderr
    assert run("show", "../rules/README").exit_code == 1


def test_the_report_names_gaps(run: Run, folder: Path) -> None:
    """Missing sections, stale and orphaned runbooks are named; without a database the use is unknown, not zero."""
    common = folder / "common-issues.md"
    common.write_text(common.read_text().replace("### Certificate expiry", "### Expiry"))
    scaling = folder / "scaling.md"
    scaling.write_text(scaling.read_text().replace("**Last Updated**: 2", "**Last Updated**: 1"))
    (folder / "alone.md").write_text("# Alone\n")
    found = json.loads(run("report", "--output", "json").stdout)
    assert found["missing"]
    assert all("certificate" in rule for rule in found["missing"])
    assert found["covered"] == found["rules"] - len(found["missing"])
    assert found["stale"] == ["scaling.md"]
    assert found["orphaned"] == ["alone.md"]
    assert found["never_used"] is found["used"] is None
    assert "there is no database" in found["note"]
    assert "Never used, used and failed: unknown" in run("report").stdout


def test_the_report_counts_incidents(run: Run, database: Database) -> None:
    """Runbooks that no incident named, and those whose incidents re-fired or lasted, come from the database."""
    usual = an_incident(open=False, resolved_at=NOW + timedelta(minutes=5))
    several = [
        replace(usual, id="1", dedup_key="1"),
        replace(usual, id="2", dedup_key="2", flaps=2),
        replace(usual, id="3", dedup_key="3", runbook="scaling.md", resolved_at=NOW + timedelta(days=2)),
        replace(usual, id="4", dedup_key="4", runbook="incident-response.md#first-five-minutes"),
    ]
    done = StepRecord(at=NOW, runbook="disaster-recovery.md#loss-of-a-database", step="1", result="match")
    ran = [done, replace(done, result="mismatch")]
    with database.write() as connection:
        incidents.save(connection, several, ())
        incidents.save_contents(connection, [replace(a_content(), incident="1")], (), NOW)
        transcripts.add(connection, "1", ran)
    with database.read() as connection:
        used = by_runbook(connection, NOW)
    assert [(each.runbook, each.incidents, each.refired, each.long) for each in used] == [
        ("common-issues.md#service-down", 2, 1, 0),
        ("incident-response.md#first-five-minutes", 1, 0, 0),
        ("scaling.md", 1, 0, 1),
    ]
    found = json.loads(run("report", "--output", "json").stdout)
    assert found["never_used"] == ["responder.md"]
    assert (found["steps_run"], found["steps_differing"]) == ({done.runbook: 2}, {done.runbook: 1})
    text = run("report").stdout
    assert "Used and failed: common-issues.md#service-down, scaling.md\n" in text
