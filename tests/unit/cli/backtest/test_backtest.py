"""`responder backtest` says what a change of the rules would have meant, before it ships."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from responder import bootstrap
from responder.model.secret import Secret
from responder.settings import Settings
from responder.store.inbox.inbox import Inbox
from tests.unit.cli.backtest.conftest import BEGAN, HISTORY, a_body, as_found

ROOT = Path(__file__).parents[4]
Run = Callable[..., Result]


def _adds_up(found: dict[str, Any]) -> None:
    numbers = found["summary"]
    for kind in (name for name in numbers if name in next(iter(found["days"].values()))):
        assert numbers[kind] == sum(day[kind] for day in found["days"].values()), kind
        if not kind.startswith("pages_"):
            assert numbers[kind] == sum(rule[kind] for rule in found["rules"].values()), kind
    assert numbers["pages_after"] == numbers["pages_before"] + numbers["new_page"] - numbers["lost_page"]


def test_every_difference_is_counted_once(run: Run, past: Path) -> None:
    """The report shows additional and missing pages, and changed decisions."""
    done = run(str(past), "--output", "json")
    assert done.exit_code == 0, done.output
    found = as_found(done)
    _adds_up(found)
    counted = {name: count for name, count in found["summary"].items() if isinstance(count, int) and count}
    assert counted == {
        "notifications": 9,
        "pages_before": 1,
        "pages_after": 2,
        "new_page": 2,
        "lost_page": 1,
        "worse_severity": 2,
        "milder_severity": 1,
        "runbook_gained": 2,
        "runbook_lost": 1,
        "other_runbook": 1,
        "other_channels": 3,
        "other_rule": 1,
    }
    assert found["rules"]["slow"]["new_page"] == 2
    assert found["rules"]["down"]["lost_page"] == 1
    assert found["rules"]["unknown"]["runbook_lost"] == 1
    assert {day: (each["pages_before"], each["pages_after"]) for day, each in found["days"].items()} == {
        "2026-11-02": (1, 1),
        "2026-11-03": (0, 1),
    }


def test_each_number_has_its_cases(run: Run, past: Path) -> None:
    """Each number can be expanded to its notifications and their results."""
    found = as_found(run(str(past), "--output", "json", "--cases", "1"))
    assert [(pile["kinds"], pile["rule"], pile["total"], len(pile["notifications"])) for pile in found["cases"]] == [
        (["new_page", "worse_severity", "runbook_gained", "other_channels"], "slow", 2, 1),
        (["lost_page", "milder_severity", "other_runbook", "other_channels"], "down", 1, 1),
        (["runbook_lost", "other_rule"], "unknown", 1, 1),
    ]
    [lost] = found["cases"][1]["notifications"]
    assert lost["source"].endswith("0.json")
    assert lost["before"]["notified"] == ["pagerduty", "slack"]
    assert lost["after"]["notified"] == ["slack"]
    assert (lost["before"]["severity"], lost["after"]["severity"]) == ("P1", "P3")
    text = run(str(past), "--cases", "1").output
    assert "pages     1 before, 2 after: 2 new, 1 lost" in text
    assert "new page, worse severity, runbook gained, other channels: slow, 2" in text
    assert "and 1 more (--cases)" in text
    assert "2026-11-03 00:20:00 UTC" not in text


def test_the_same_rules_change_nothing(run: Run, past: Path, sets: Path) -> None:
    """A change that only moves things about is shown to be one."""
    done = run(str(past), "--max-new-pages", "0", "--max-lost-pages", "0", against=f"{sets}/after")
    assert done.exit_code == 0, done.output
    assert "no differences" in done.output


def test_the_gate_keeps_pages_from_appearing_and_vanishing(run: Run, past: Path) -> None:
    """CI stops a change that pages more often than allowed, or drops pages that must stay."""
    allowed = run(str(past), "--max-new-pages", "2", "--max-lost-pages", "1")
    assert allowed.exit_code == 0
    refused = run(str(past), "--max-new-pages", "1", "--max-lost-pages", "0")
    assert refused.exit_code == 1
    assert "error: 2 new pages, limit 1" in refused.stderr
    assert "error: 1 lost page, limit 0" in refused.stderr


def test_our_own_store_is_the_usual_history(run: Run, sets: Path) -> None:
    """Without anything to name, the webhooks of the running installation are replayed, as far back as wanted."""
    settings = Settings(database_url=Secret(f"sqlite:///{sets}/responder.db"))
    now = bootstrap.SystemClock().now()
    bootstrap.prepare_store(settings)
    with bootstrap.database(settings) as database:
        for number, body in enumerate(HISTORY):
            Inbox(database).keep(_bytes(body), "", now - timedelta(hours=len(HISTORY) - number))
    whole = as_found(run("--output", "json"))
    assert (whole["summary"]["notifications"], whole["summary"]["new_page"], whole["summary"]["lost_page"]) == (9, 2, 1)
    assert whole["history"] == "the database"
    assert [each["source"] for each in whole["cases"][1]["notifications"]] == ["notification 1"]
    late = as_found(run("--output", "json", "--since", "150m"))
    assert (late["summary"]["notifications"], late["summary"]["lost_page"]) == (2, 0)


def _bytes(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def test_a_gate_that_looked_at_nothing_fails(run: Run) -> None:
    """An empty history is no proof, so a gate does not pass on it."""
    bootstrap.prepare_store(bootstrap.settings_from_environment())
    done = run("--max-new-pages", "0")
    assert done.exit_code == 1
    assert "no notification in the database: nothing to compare" in done.stderr
    assert run("x", "--prometheus", "http://127.0.0.1:1").exit_code == 2
    assert run("--since", "soon").exit_code == 2


def test_a_body_that_cannot_be_read_is_named(run: Run, past: Path) -> None:
    """Notifications that could not be decided are reported, and the command fails; the others are still decided."""
    (past / "00-broken.json").write_text("{")
    done = run(str(past), str(past / "missing.json"))
    assert done.exit_code == 1
    assert "2 could not be read:" in done.output
    assert "00-broken.json: $: not JSON" in done.output
    assert "missing.json: cannot be read: No such file or directory" in done.output
    assert "9 notifications from " in done.output


def test_rules_that_cannot_be_used_are_said_to_be_those_before(run: Run, past: Path, sets: Path) -> None:
    """An error in the old rules names the old revision, with its place."""
    (sets / "before" / "rules.yaml").write_text("rules: [{id: a}]")
    done = run(str(past))
    assert done.exit_code == 1
    assert f"error: invalid rules in {sets}/before:" in done.stderr
    assert "before/rules.yaml:1:" in done.stderr


def test_what_fires_on_is_compared_again_only_where_it_changes(run: Run, sets: Path) -> None:
    """An alert that repeats for days is one difference and not a hundred."""
    lines = [a_body("Down", 1 + number % 2, minute=number) for number in range(20)]
    (sets / "long.jsonl").write_text("\n".join(_bytes(line).decode() for line in lines))
    found = as_found(run(str(sets / "long.jsonl"), "--output", "json"))
    assert found["summary"]["notifications"] == 20
    assert (found["summary"]["milder_severity"], found["summary"]["lost_page"]) == (1, 1)
    assert found["summary"]["first"] == BEGAN.isoformat()


def test_a_rule_in_shadow_is_compared_like_one_that_is_absent(run: Run, past: Path, sets: Path) -> None:
    """A rule moved into shadow is compared like a removed one; an added shadow rule changes nothing."""
    before = (sets / "before" / "rules.yaml").read_text()
    after = sets / "after" / "rules.yaml"
    after.write_text(before.replace("id: down,", "id: down, enabled: shadow,"))
    shadowed = as_found(run(str(past), "--output", "json"))["summary"]
    lines = before.splitlines(keepends=True)
    after.write_text("".join(line for line in lines if "id: down," not in line))
    assert as_found(run(str(past), "--output", "json"))["summary"] == shadowed
    assert shadowed["lost_page"] == 1
    shadow = "  - {id: trial, match: [], severity: P1, first_step: Look., channels: [slack], enabled: shadow}\n"
    after.write_text(before.replace("rules:\n", f"rules:\n{shadow}"))
    assert "no differences" in run(str(past)).output


@pytest.fixture
def repository(sets: Path) -> Path:
    """A git repository whose last commit holds the rules before, with those after in the working tree."""
    if shutil.which("git") is None:
        pytest.skip("git is missing: sudo apt install git")
    (sets / "before").rename(sets / "rules")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "rules", "runbooks"], [*who, "commit", "--quiet", "-m", "before"]):
        subprocess.run(["git", "-C", str(sets), *words], check=True, timeout=30)
    shutil.copy(sets / "after" / "rules.yaml", sets / "rules" / "rules.yaml")
    (sets / "runbooks" / "a.md").write_text("# Two\n\n# One\n\n# Three\n")
    return sets


def test_a_git_revision_is_compared_with_the_working_tree(run: Run, repository: Path, past: Path) -> None:
    """Before a commit, an author sees what the edit does; in CI, a reviewer what the branch does."""
    done = run(str(past), "--rules", f"{repository}/rules", against="HEAD")
    assert done.exit_code == 0, done.output
    assert "  before  HEAD (" in done.output
    assert "2 new, 1 lost" in done.output
    assert (repository / "rules" / "rules.yaml").read_text() == (repository / "after" / "rules.yaml").read_text()


def test_a_revision_that_is_none_is_told(run: Run, repository: Path, past: Path) -> None:
    """A slip in the name of a revision, and rules that are not under git, are said in a sentence."""
    rules = ("--rules", f"{repository}/rules")
    unknown = run(str(past), *rules, against="--output=x")
    assert unknown.exit_code == 1
    assert f"'--output=x' is not a git revision of {repository}/rules: name one with --against" in unknown.stderr
    missing = run(str(past), *rules, against="./nothing")
    assert "'./nothing' is not a folder: name one with --against" in missing.stderr
    later = run(str(past), "--rules", f"{repository}/after", against="HEAD")
    assert "has no folder after" in later.stderr


@pytest.mark.parametrize("is_revision", [True, False], ids=["revision", "no such revision"])
def test_a_folder_never_stands_in_for_a_revision(
    run: Run, repository: Path, past: Path, monkeypatch: pytest.MonkeyPatch, *, is_revision: bool
) -> None:
    """A change that adds a folder named as the revision it is compared with does not replace the baseline."""
    monkeypatch.chdir(repository)
    (repository / "main").mkdir()
    shutil.copy(repository / "after" / "rules.yaml", repository / "main" / "rules.yaml")
    if is_revision:
        subprocess.run(["git", "branch", "-M", "main"], check=True, timeout=30)
    else:
        subprocess.run(["git", "branch", "-M", "other"], check=True, timeout=30)
    done = run(str(past), "--rules", "rules", against="main")
    if is_revision:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, timeout=30, capture_output=True, text=True)
        assert f"  before  main ({commit.stdout[:12]})" in done.output
        assert "2 new, 1 lost" in done.output
    else:
        assert (done.exit_code, done.stdout) == (1, "")
        assert "'main' is not a git revision of rules: for the folder write --against ./main" in done.stderr
    folder = run(str(past), "--rules", "rules", against="./main")
    assert "  before  ./main, " in folder.output
    assert "no differences" in folder.output


@pytest.mark.parametrize("target", ["../elsewhere.yaml", "/etc/passwd", "missing.yaml", "../rules-too/x.yaml"])
def test_a_link_in_the_old_revision_is_one_sentence(run: Run, repository: Path, past: Path, target: str) -> None:
    """A symbolic link of the old revision that leads nowhere or outside is named and never followed."""
    (repository / "rules-too").mkdir()
    (repository / "rules-too" / "x.yaml").write_text("rules: []\n")
    (repository / "rules" / "link.yaml").symlink_to(target)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["add", "rules", "rules-too"], [*who, "commit", "--quiet", "-m", "link"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True, timeout=30)
    (repository / "rules" / "link.yaml").unlink()
    done = run(str(past), "--rules", f"{repository}/rules", against="HEAD")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"is a symbolic link to {target}, outside rules" in done.stderr


def test_the_shipped_rules_and_examples_agree_with_themselves(run: Run) -> None:
    """Every sample, hostile ones too, can be replayed."""
    shipped = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))
    done = run(str(ROOT / "examples" / "alerts"), *shipped, against=str(ROOT / "rules"))
    assert done.exit_code == 0, done.output
    assert "no differences" in done.output


def test_alerts_that_were_cut_off_are_not_thought_to_be_judged(run: Run, tmp_path: Path) -> None:
    """A gate that saw a part of the alerts only says how many it did not see."""
    folder = tmp_path / "cut"
    folder.mkdir()
    for number, cut in enumerate((0, 3, 4), 1):
        body = a_body("Down", number) | {"truncatedAlerts": cut}
        (folder / f"{number}.json").write_text(json.dumps(body))
    numbers = as_found(run(str(folder), "--output", "json"))["summary"]
    assert (numbers["notifications"], numbers["cut_off"], numbers["missing_alerts"]) == (3, 2, 7)
    shown = run(str(folder)).output
    assert "2 notifications truncated by Alertmanager's max_alerts: 7 alerts missing" in shown
