"""``responder runbooks list``: the catalog of runbooks."""

import json
import sys
from pathlib import Path

import click

from responder.cli.errors import MISUSED, named_failures
from responder.cli.options import RULES, RUNBOOKS


@click.command("list")
@RULES
@RUNBOOKS
@click.option(
    "--output", type=click.Choice(["text", "json"]), help="Output format. [default: text in a terminal, else json]"
)
def list_them(rules: str | None, runbooks: str | None, output: str | None) -> None:
    """List the runbooks: urgency, age, steps, the rules that link to them, and the title.

    Exit status: 0, 2 if there is no runbook.
    """
    from responder import bootstrap
    from responder.cli.runbooks.catalog import entries
    from responder.cli.runbooks.folder import Folder, load_book
    from responder.cli.table import Column, table, terminal

    with named_failures():
        folders = bootstrap.folders_from_environment()
        folder = Folder(Path(runbooks or folders.runbooks))
        where = Path(rules or folders.rules)
        book, note = load_book(where if where.is_dir() else None, "the rules that link to each file are not known")
        found = entries(folder, book, bootstrap.SystemClock().now().date())
    if note:
        click.echo(f"note: {note}", err=True)
    if not found:
        click.echo(f"error: no runbooks (*.md) in {folder.path}", err=True)
        sys.exit(MISUSED)
    if (output or ("text" if sys.stdout.isatty() else "json")) == "json":
        click.echo(json.dumps([each.as_dict() for each in found], indent=2, ensure_ascii=False))
        return
    columns = (
        *(
            Column("RUNBOOK"),
            Column("URGENCY", colours={"Critical": "red"}),
            Column("UPDATED"),
            Column("STEPS", right=True),
        ),
        *(Column("RULES", right=True), Column("TITLE")),
    )
    rows = (
        (each.file, each.urgency, each.updated or "-", str(each.steps), str(len(each.rules)), each.title)
        for each in found
    )
    for line in table(columns, rows, terminal()):
        click.echo(line)
