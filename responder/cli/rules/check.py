"""``responder rules check``: print all problems of the rule files."""

import gc
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder.cli.errors import FAILED, MISUSED, named_failures

if TYPE_CHECKING:
    from responder.cli.findings import Findings
    from responder.rulebook.lint import LintResult

FORMATS = ("text", "json", "sarif", "github")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--runbooks",
    default=None,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the runbooks. [default: runbooks, beside FOLDER]",
)
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
@click.option(
    "--online",
    is_flag=True,
    help="Request the runbooks that are URLs, and report dead links.",
)
@click.option("--explain", "code", metavar="CODE", help="Explain a problem code, with examples, and exit.")
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
    if code is not None:
        _explain(code)
        return
    from responder.bootstrap import examine_rules, settings_from_environment
    from responder.cli.findings import WRITERS
    from responder.rulebook.yaml.reader import no_collection

    if folder is None:
        with named_failures():
            settings = settings_from_environment()
        folder, runbooks = Path(settings.rules), runbooks or Path(settings.runbooks)
    runbooks = runbooks or folder.resolve().parent / "runbooks"
    with named_failures(), no_collection():
        found = examine_rules(str(folder), str(runbooks), confined=True)
        gc.freeze()  # The objects live until exit; collecting garbage among them would take a sixth of the time.
    if online and found.rule_files is not None:
        from responder.cli.rules.online import dead_links

        with named_failures():
            links = dead_links(found.rule_files, folder / "tests", settings_from_environment())
        found = replace(found, problems=tuple(sorted((*found.problems, *links))))
    click.echo(WRITERS[output](findings_of(found, folder)))
    if any(problem.code == "no-rules" for problem in found.problems):
        sys.exit(MISUSED)
    sys.exit(FAILED if found.errors or (strict and found.problems) else 0)


def findings_of(found: "LintResult", folder: Path) -> "Findings":
    """Return the problems of rule files in the form of the output formats."""
    from responder.cli.findings import Findings
    from responder.model.problem import Problem
    from responder.model.text import number_of
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


def _explain(code: str) -> None:
    from responder.model.suggestions import nearest
    from responder.rulebook.check_pages import CODES, page

    if code not in CODES:
        raise click.BadParameter(f"unknown code '{code}': {nearest(code, CODES)}", param_hint="--explain")
    click.echo(f"{click.style(code, bold=True)}\n\n{page(code).strip()}")
