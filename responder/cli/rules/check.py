"""``responder rules check``: print all problems of the rule files."""

import gc
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder.bootstrap import examine_rules, settings_from_environment
from responder.cli.errors import MISUSED, named_failures
from responder.cli.findings import EXPLAIN, OUTPUT, STRICT, WRITERS, Findings, explain, finish
from responder.model.problem import Problem
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.rulebook.lint import LintResult


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--runbooks",
    default=None,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the runbooks. [default: runbooks, beside FOLDER]",
)
@OUTPUT
@STRICT
@click.option(
    "--online",
    is_flag=True,
    help="Request the runbooks that are URLs, and report dead links.",
)
@EXPLAIN
def check(
    folder: Path | None, runbooks: Path | None, output: str, *, strict: bool, online: bool, code: str | None
) -> None:
    """Print all problems of the rule files in FOLDER as file:line:column.

    Default: RESPONDER_RULES and RESPONDER_RUNBOOKS, as for `serve`.

    To suppress a warning, or an error that does not prevent loading, write a comment on its line or the line above:
    # responder: ignore CODE until=2027-01-31 reason="...".

    Exit status: 0 if there are no errors (with --strict: and no warnings), 1 if there are, 2 if FOLDER cannot be read
    or has no rule file.
    """
    from responder.cli.rules.online import dead_links
    from responder.rulebook.check_pages import CODES, page
    from responder.rulebook.yaml.reader import no_collection

    if code is not None:
        explain(code, CODES, page)
        return

    if folder is None:
        with named_failures():
            settings = settings_from_environment()
        folder, runbooks = Path(settings.rules), runbooks or Path(settings.runbooks)
    runbooks = runbooks or folder.resolve().parent / "runbooks"
    with named_failures(), no_collection():
        found = examine_rules(str(folder), str(runbooks), confined=True)
        gc.freeze()  # The objects live until exit; collecting garbage among them would take a sixth of the time.
    if online and found.rule_files is not None:
        with named_failures():
            links = dead_links(found.rule_files, folder / "tests", settings_from_environment())
        found = replace(found, problems=tuple(sorted((*found.problems, *links))))
    if any(problem.code == "no-rules" for problem in found.problems):
        click.echo(WRITERS[output](findings_of(found, folder)))
        sys.exit(MISUSED)
    finish(findings_of(found, folder), output, strict=strict)


def findings_of(found: "LintResult", folder: Path) -> Findings:
    """Return the problems of rule files in the form of the output formats."""
    from responder.rulebook.check_pages import CODES, page

    def path(problem: Problem) -> str:
        if problem.code == "no-rules":
            return folder.as_posix()
        return (folder / Path(problem.position.path).name).as_posix()

    passed, rules = "", None
    if found.rule_files is not None and not found.errors:
        rule_files, rules = found.rule_files, len(found.rule_files.rules)
        counts = {"rule": rules, "probe": len(rule_files.probes), "service": len(rule_files.services)}
        said = ", ".join(number_of(count, word) for word, count in counts.items())
        passed = f"{said}, revision {rule_files.revision[:12]}"
    return Findings(
        found.problems,
        found.lines or {},
        page=lambda code: page(code) if code in CODES else "",
        path=path,
        passed=passed,
        keys={"rules": rules},
    )
