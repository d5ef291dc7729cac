"""`responder runbooks lint` checks a folder with everything beside it, and ends with a status that scripts can use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.cli.runbooks import runbooks
from responder.standins.server import Call, Reply, StandIn
from responder.store.database import Database
from responder.store.incidents import incidents
from tests.support.builders import an_incident

ROOT = Path(__file__).parents[3]
#: The shipped runbooks are held to their age by CI of the project that copies them, not by this test.
ANY_AGE = ("--stale-days", "100000", "--critical-days", "100000")
PLAIN = "# A\n\n[b](b.md)\n\n```sh\necho 'a\n```\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped runbooks, with the shipped rules beside it."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return Path(shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks"))


def _lint(*arguments: str) -> Result:
    return CliRunner().invoke(runbooks, ["lint", *arguments])


def test_nothing_is_found_in_the_shipped_runbooks() -> None:
    """The runbooks that are shipped pass their own lint, with the template's checks, against the shipped rules."""
    done = _lint(str(ROOT / "runbooks"), "--strict", "--profile", "template", *ANY_AGE)
    assert done.exit_code == 0, done.output
    assert "commands parsed by shellcheck" in done.stdout
    assert done.stderr == ""


def test_contacts_and_severities_are_those_of_the_rules_beside_the_folder(folder: Path) -> None:
    """A contact that was changed in the rules only is found in the runbooks."""
    rules = folder.parent / "rules" / "03-contacts.yaml"
    rules.write_text(rules.read_text().replace("@eng-lead", "@head-of-eng"))
    done = _lint(str(folder), "--output", "json", *ANY_AGE)
    found = [each for each in json.loads(done.stdout)["problems"] if "../docs/" not in each["message"]]
    assert {each["code"] for each in found} == {"unknown-contact"}
    assert "Slack: @head-of-eng" in {each["message"].split("'")[3] for each in found if "is '" in each["message"]}
    assert done.exit_code == 1


def _commit(folder: Path, day: str) -> None:
    env = {
        **{f"GIT_{who}_{what}": "ci" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **{f"GIT_{who}_DATE": f"{day}T12:00:00Z" for who in ("AUTHOR", "COMMITTER")},
        "PATH": os.environ["PATH"],
    }
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "edit")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, env=env, timeout=30)


def test_the_last_update_is_compared_with_git(tmp_path: Path) -> None:
    """A commit after the last update is reported, but not in a shallow clone, which has one commit only."""
    folder = tmp_path / "a"
    folder.mkdir()
    text = "# A\n\n**Last Updated**: 2026-11-01\n\nText.\n"
    (folder / "old.md").write_text(text)
    (folder / "new.md").write_text(text)
    _commit(folder, "2026-11-02")
    (folder / "new.md").write_text(f"{text}\nMore.\n")
    _commit(folder, "2026-11-20")
    found = json.loads(_lint(str(folder), "--output", "json", *ANY_AGE).stdout)["problems"]
    assert [(each["code"], Path(each["file"]).name) for each in found] == [("changed-since-update", "new.md")]
    shallow = tmp_path / "b"
    subprocess.run(["git", "clone", "-q", "--depth=1", folder.as_uri(), str(shallow)], check=True, timeout=30)
    assert json.loads(_lint(str(shallow), "--output", "json", *ANY_AGE).stdout)["problems"] == []


def test_incidents_that_a_runbook_did_not_solve_are_named_on_request(
    tmp_path: Path, database: Database, database_url: str
) -> None:
    """With --incidents, an incident of the database that re-fired after the last update is reported."""
    (tmp_path / "a.md").write_text("# A\n\n**Last Updated**: 2020-11-01\n\nText.\n")
    with database.transaction() as connection:
        incidents.save(connection, (an_incident(runbook="a.md#b", flaps=1),), ())
    arguments = (str(tmp_path), "--output", "json", *ANY_AGE)
    assert json.loads(_lint(*arguments).stdout)["problems"] == []
    done = CliRunner().invoke(
        runbooks, ["lint", "--incidents", *arguments], env={"RESPONDER_DATABASE_URL": database_url}
    )
    (found,) = json.loads(done.stdout)["problems"]
    assert (found["code"], "INC-118 re-fired" in found["message"]) == ("failed-since-update", True)


def test_invalid_rules_are_named_and_the_rest_is_checked(folder: Path) -> None:
    """A mistake in the rules does not hide the problems of the runbooks."""
    (folder.parent / "rules" / "50.yaml").write_text("rulez: []\n")
    (folder / "scaling.md").write_text(PLAIN)
    done = _lint(str(folder / "scaling.md"), "--output", "json")
    assert "have errors (responder rules check" in done.stderr
    assert {each["code"] for each in json.loads(done.stdout)["problems"]} == {"dead-link", "command-syntax"}


def test_a_file_is_checked_beside_its_neighbours(folder: Path) -> None:
    """Links of a single file into others of its folder are followed, and their problems are not reported."""
    (folder / "scaling.md").write_text(PLAIN)
    assert _lint(str(folder / "common-issues.md"), *ANY_AGE).exit_code in {0, 1}
    done = _lint(str(folder / "scaling.md"))
    assert done.exit_code == 1
    assert f"{folder}/scaling.md:3:5: error[dead-link] there is no file 'b.md'" in done.stdout
    (folder / "b.md").write_text("# B\n\nText.\n")
    assert "dead-link" not in _lint(str(folder / "scaling.md")).stdout


@pytest.mark.parametrize("parser", ["shellcheck", "built-in"])
def test_commands_are_parsed_by_what_is_installed(tmp_path: Path, parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without shellcheck open quotes are still found, and the output says what was not checked."""
    if parser == "built-in":
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "a.md").write_text("# A\n\n```sh\necho 'a\n```\n\n```sh\nif true; echo a\n```\n")
    done = _lint(str(tmp_path), "--output", "json")
    found = json.loads(done.stdout)
    assert found["shell_parser"].startswith(parser if parser == "shellcheck" else "the built-in parser")
    assert [each["line"] for each in found["problems"]] == ([4, 8] if parser == "shellcheck" else [4])
    assert ("install shellcheck" in done.stderr) == (parser == "built-in")


def test_a_program_that_is_no_shellcheck_is_named(tmp_path: Path) -> None:
    """A broken parser is an error, not a clean result."""
    (tmp_path / "a.md").write_text("# A\n\n```sh\necho a\n```\n")
    done = _lint(str(tmp_path), "--shellcheck", "/bin/true")
    assert done.exit_code == 1
    assert "error: shellcheck cannot be used" in done.stderr


def test_fix_changes_files_and_prints_what_is_left(tmp_path: Path) -> None:
    """--fix fixes what is mechanical and reports the rest."""
    path = tmp_path / "a.md"
    path.write_text("# A\n\n[b](b.md)\n\n```\nkubectl -n shop get pods –l a=b\n```\n")
    done = _lint(str(tmp_path), "--fix")
    assert "```sh\nkubectl -n shop get pods –l" in path.read_text()
    assert "1 edit in 1 file" in done.stderr
    assert "dead-link" in done.stdout
    _lint(str(tmp_path), "--fix")
    assert "```sh\nkubectl -n shop get pods -l" in path.read_text()
    assert "0 edits in 0 files" in _lint(str(tmp_path), "--fix").stderr


def test_a_link_out_of_the_repository_is_not_read(tmp_path: Path) -> None:
    """A symbolic link in a folder under review leads to no file outside of it."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("# S\n\nTODO\n")
    (tmp_path / "repo" / "a.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "repo" / "b.md").write_text("# B\n\n[s](../secret.md)\n")
    done = _lint(str(tmp_path / "repo"), "--output", "json")
    found = [(Path(each["file"]).name, each["code"]) for each in json.loads(done.stdout)["problems"]]
    assert found == [("a.md", "unreadable"), ("b.md", "dead-link")]


def test_formats_and_statuses_are_those_of_rules_check(folder: Path, tmp_path: Path) -> None:
    """Scripts that read `rules check` can read this."""
    (folder / "scaling.md").write_text("# A\n\n```\nkubectl -n shop get pods\n```\n")
    assert _lint(str(folder / "scaling.md")).exit_code == 0
    assert _lint(str(folder / "scaling.md"), "--strict").exit_code == 1
    github = _lint(str(folder / "scaling.md"), "--output", "github").stdout
    assert github.startswith(f"::warning file={folder}/scaling.md,line=3,col=1,title=no-language::")
    sarif = json.loads(_lint(str(folder / "scaling.md"), "--output", "sarif").stdout)
    assert sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"] == "no-language"
    (tmp_path / "empty").mkdir()
    assert _lint(str(tmp_path / "empty")).exit_code == 2
    assert _lint(str(tmp_path / "missing")).exit_code == 2
    assert "name one folder alone" in _lint(str(folder), str(tmp_path)).stderr
    assert _lint("--explain", "ded-link").exit_code == 2


class _Pages(StandIn):
    """A web server with one page; another one is gone, and a third one fails."""

    def answer(self, call: Call) -> Reply:
        """200, 404, or 500."""
        return Reply({"/here": 200, "/gone": 404}.get(call.path, 500))


def test_online_requests_the_addresses_of_links(tmp_path: Path) -> None:
    """--online reports a page that is gone as an error where its link stands; without it nothing is requested."""
    with _Pages() as server:
        links = "\n".join(f"- [x]({server.url}/{name}#a)" for name in ("here", "gone", "broken"))
        (tmp_path / "a.md").write_text(f"# A\n\n{links}\n")
        found = json.loads(_lint(str(tmp_path), "--online", "--output", "json").stdout)["problems"]
        assert json.loads(_lint(str(tmp_path), "--output", "json").stdout)["problems"] == []
    assert [(each["line"], each["column"], each["level"], each["message"].rpartition(": ")[2]) for each in found] == [
        (4, 7, "error", "status 404"),
        (5, 7, "warning", "status 500"),
    ]
