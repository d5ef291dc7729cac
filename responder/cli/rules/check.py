"""`responder rules check`: what is wrong with the rule files, all at once."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

from responder.cli.errors import FAILED, MISUSED, named_failures

FORMATS = ("text", "json", "sarif", "github")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--runbooks",
    default=None,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the runbooks that rules lead to. [default: runbooks, beside FOLDER]",
)
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
@click.option("--explain", "code", metavar="CODE", help="Print what a code means, with an example, and end.")
def check(folder: Path | None, runbooks: Path | None, output: str, *, strict: bool, code: str | None) -> None:
    """Print every problem of the rule files in FOLDER as file:line:column.

    Without FOLDER these are RESPONDER_RULES and RESPONDER_RUNBOOKS, as for `serve`.

    A warning, and an error about rules that work, can be silenced by a comment on its line or the one above:
    # responder: ignore CODE until=2027-01-31 reason="...".

    Exit status: 0 nothing is wrong, 1 there are errors (with --strict: or warnings), 2 FOLDER cannot be read or holds
    no rule file.
    """
    if code is not None:
        _explain(code)
        return
    from responder.bootstrap import examine_rules, settings_from_environment
    from responder.cli.rules import findings
    from responder.rulebook.yaml.reader import no_collection

    if folder is None:
        with named_failures():
            settings = settings_from_environment()
        folder, runbooks = Path(settings.rules), runbooks or Path(settings.runbooks)
    with no_collection():
        found = examine_rules(str(folder), str(runbooks or folder.resolve().parent / "runbooks"))
        gc.freeze()  # They stay until the process ends: looking for garbage in them would take a sixth of the time.
    click.echo(findings.WRITERS[output](found, folder))
    if any(problem.code == "no-rules" for problem in found.problems):
        sys.exit(MISUSED)
    sys.exit(FAILED if found.errors or (strict and found.problems) else 0)


def _explain(code: str) -> None:
    from responder.rulebook.check_pages import CODES, page
    from responder.rulebook.suggestions import nearest

    if code not in CODES:
        raise click.BadParameter(f"there is no code '{code}': {nearest(code, CODES)}", param_hint="--explain")
    click.echo(f"{click.style(code, bold=True)}\n\n{page(code).strip()}")
