"""``responder rules check``: print all problems of the rule files."""

import gc
import sys
from dataclasses import replace
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
    help="Folder of the runbooks. [default: runbooks, beside FOLDER]",
)
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
@click.option("--online", is_flag=True, help="Request the runbooks that are URLs, and report dead links.")
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
    from responder.cli.rules import findings
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
            links = dead_links(found.rule_files, settings_from_environment())
        found = replace(found, problems=tuple(sorted((*found.problems, *links))))
    click.echo(findings.WRITERS[output](found, folder))
    if any(problem.code == "no-rules" for problem in found.problems):
        sys.exit(MISUSED)
    sys.exit(FAILED if found.errors or (strict and found.problems) else 0)


def _explain(code: str) -> None:
    from responder.rulebook.check_pages import CODES, page
    from responder.rulebook.suggestions import nearest

    if code not in CODES:
        raise click.BadParameter(f"unknown code '{code}': {nearest(code, CODES)}", param_hint="--explain")
    click.echo(f"{click.style(code, bold=True)}\n\n{page(code).strip()}")
