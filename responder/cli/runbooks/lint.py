"""``responder runbooks lint``: print all problems of runbooks, also those that their history shows."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import click

from responder import bootstrap
from responder.cli.errors import MISUSED, FatalError, named_failures
from responder.cli.findings import EXPLAIN, OUTPUT, STRICT, Findings, explain, finish
from responder.cli.git import git
from responder.cli.rules.links import LinkStatus
from responder.cli.runbooks.folder import Folder, catalog_of, load_book, open_folder, rules_beside
from responder.cli.runbooks.shellcheck import find_parser
from responder.model.problem import Problem
from responder.model.text import number_of
from responder.runbooks.lint.contract import Failure, Profile, Runbook
from responder.runbooks.lint.lint import apply, examine, profile_of
from responder.runbooks.lint.pages import CODES, page
from responder.runbooks.lint.shell import script_of
from responder.settings import Settings

PROFILES = ("auto", "template", "plain")
#: Incidents that are read, the newest first.
_MOST_INCIDENTS: Final = 1000


@click.command()
@click.argument("paths", nargs=-1, metavar="[FOLDER | FILE...]", type=click.Path(path_type=Path))
@click.option(
    "--rules",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the rule files to compare with.",
)
@OUTPUT
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="auto",
    show_default=True,
    help="Which checks apply: those for the template's sections and steps, or those for any Markdown.",
)
@click.option("--stale-days", metavar="N", type=click.IntRange(1), default=180, show_default=True, help="Maximum age.")
@click.option(
    "--critical-days", metavar="N", type=click.IntRange(1), default=90, show_default=True, help="The same, if critical."
)
@click.option("--incidents", is_flag=True, help="Also name incidents in the database that a runbook did not solve.")
@click.option("--online", is_flag=True, help="Request the URLs, and report dead links.")
@click.option("--fix", is_flag=True, help="Fix what is mechanical, and print what is left.")
@STRICT
@click.option("--shellcheck", metavar="FILE", help="Program that parses the commands. [default: shellcheck]")
@EXPLAIN
def lint(
    paths: tuple[Path, ...],
    rules: Path | None,
    output: str,
    profile: str,
    stale_days: int,
    critical_days: int,
    *,
    incidents: bool,
    online: bool,
    fix: bool,
    strict: bool,
    shellcheck: str | None,
    code: str | None,
) -> None:
    """Print all problems of the runbooks in FOLDER as file:line:column. Default: RESPONDER_RUNBOOKS.

    Contacts, severities, services and namespaces are compared with the rule files: --rules, else the folder `rules`
    beside FOLDER, else RESPONDER_RULES.

    To suppress a problem, write a comment on its line or the line above:
    <!-- responder: ignore CODE until=2027-01-31 reason="..." -->.

    Exit status: 0 if there are no errors (with --strict: and no warnings), 1 if there are, 2 if FOLDER cannot be read
    or has no runbook.
    """
    if code is not None:
        explain(code, CODES, page)
        return
    if missing := [path for path in paths if not path.exists()]:
        click.echo(f"error: {missing[0]}: no such file or folder of runbooks", err=True)
        sys.exit(MISUSED)
    with named_failures():
        folder, names = open_folder(paths)
    if not names:
        click.echo(f"error: no runbooks (*.md) in {folder.path}", err=True)
        sys.exit(MISUSED)
    days = (stale_days, critical_days)
    with named_failures():
        linter = _Linter(folder, rules, profile, days, shellcheck, incidents=incidents, online=online)
        if fix:
            linter.fix(names)
        found = linter.findings(names)
    finish(found, output, strict=strict)


class _Linter:
    """Runs the checks on files, with everything that they compare with."""

    def __init__(
        self,
        folder: Folder,
        rules: Path | None,
        profile: str,
        days: tuple[int, int],
        shellcheck: str | None,
        *,
        incidents: bool,
        online: bool,
    ) -> None:
        self.folder, self.profile, self.days, self.online = folder, profile, days, online
        self.parser = find_parser(shellcheck)
        book, self.note = load_book(rules_beside(folder.path, rules))
        self.catalog = catalog_of(book) if book else None
        self.today = bootstrap.SystemClock().now().date()
        self.changed = changed_dates(folder.path)
        self.failures = failures(bootstrap.settings_from_environment()) if incidents else {}

    def findings(self, names: list[str]) -> Findings:
        """Return all problems of the files."""
        runbooks = self._runbooks(names)
        if self.note:
            click.echo(f"note: {self.note}", err=True)
        problems = (*self.folder.problems, *examine(runbooks).problems)
        lines = {self._shown(each.document.path): each.document.lines for each in runbooks}
        commands = sum(len(each.document.commands) for each in runbooks)
        checked = (
            f"{number_of(len(runbooks), 'runbook')}, {number_of(commands, 'command')} parsed by {self.parser.name}"
        )
        if not self.parser.program and commands and problems:
            click.echo(f"note: commands are parsed by {self.parser.name}: install shellcheck", err=True)
        return Findings(
            tuple(map(self._placed, problems)),
            lines,
            page=page,
            passed=checked,
            keys={"runbooks": len(runbooks), "shell_parser": self.parser.name},
        )

    def fix(self, names: list[str]) -> None:
        """Apply the edits of the problems that have some."""
        edits = examine(self._runbooks(names)).edits
        for name, each in edits.items():
            path = (self.folder.path / name).resolve()
            text = path.read_bytes().decode("utf-8", "replace")
            path.write_bytes(apply(text, each).encode())
        self.folder.forget()
        count = sum(len(each) for each in edits.values())
        click.echo(f"{number_of(count, 'edit')} in {number_of(len(edits), 'file')}", err=True)

    def _runbooks(self, names: list[str]) -> list[Runbook]:
        documents = list(self.folder.documents(names))
        scripts = {
            (document.path, index): script_of(command.fence)
            for document in documents
            for index, command in enumerate(document.commands)
        }
        errors = self.parser.errors(scripts)
        dead = self._dead_urls({link.target for document in documents for link in document.links})
        found = []
        for document in documents:
            profile = profile_of(document)
            if self.profile != "auto" and profile is not Profile.INDEX:
                profile = Profile(self.profile)
            runbook = Runbook(document, profile, self.today, self.catalog, self.folder.anchors_of, self.folder.exists)
            found.append(
                replace(
                    runbook,
                    stale_days=self.days[0],
                    critical_days=self.days[1],
                    changed=self.changed.get(document.path),
                    failures=self.failures.get(document.path, ()),
                    shell_errors=errors.get(document.path, {}),
                    dead_urls=dead,
                )
            )
        return found

    def _dead_urls(self, targets: set[str]) -> Mapping[str, tuple[str, bool]]:
        if not self.online:
            return {}
        from responder.cli.rules.online import request_all

        urls = {each for each in targets if each.startswith(("http://", "https://"))}
        verdicts = request_all(urls, bootstrap.settings_from_environment())
        return {
            url: (reason, status is LinkStatus.NOWHERE)
            for url, (status, reason) in verdicts.items()
            if status is not LinkStatus.OK
        }

    def _shown(self, name: str) -> str:
        return (self.folder.path / name).as_posix()

    def _placed(self, problem: Problem) -> Problem:
        """Return a problem with the path as the user wrote it."""
        return replace(problem, position=problem.position._replace(path=self._shown(problem.position.path)))


def changed_dates(folder: Path) -> Mapping[str, date]:
    """Return the dates of the last commits of the files below a folder; empty without git, or in a shallow clone."""
    try:
        if git(folder, "rev-parse", "--is-shallow-repository").strip() != b"false":
            return {}  # its oldest commit seems to have changed every file
        log = git(
            folder, "-c", "core.quotePath=false", "log", "--format=%x00%as", "--name-only", "--relative", "--", "."
        )
    except FatalError:
        return {}
    found: dict[str, date] = {}
    day = date.min
    for line in log.decode("utf-8", "replace").splitlines():
        if line.startswith("\0"):
            day = date.fromisoformat(line[1:])
        elif line:
            found.setdefault(line, day)
    return found


def failures(settings: Settings) -> Mapping[str, Sequence[Failure]]:
    """Return the incidents that re-fired or took over a day, by the file of their runbook. Raises StoreError."""
    from responder.store.incidents.runbook_use import unsolved

    found: dict[str, list[Failure]] = {}
    with bootstrap.database(settings) as database, database.read() as connection:
        for each in unsolved(connection, bootstrap.SystemClock().now(), _MOST_INCIDENTS):
            outcome = "re-fired" if each.refired else "took over a day"
            file = each.runbook.partition("#")[0]
            found.setdefault(file, []).append(Failure(each.incident, each.opened_at.date(), outcome))
    return found
