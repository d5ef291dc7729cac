"""``responder runbooks list``: the catalog of runbooks."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from responder import bootstrap
from responder.cli.errors import MISUSED, named_failures
from responder.cli.options import AUTO_OUTPUT, RULES, RUNBOOKS
from responder.cli.runbooks.catalog import CatalogEntry, entries
from responder.cli.runbooks.folder import Folder, load_book
from responder.cli.table import Column, print_rows


@click.command("list")
@RULES
@RUNBOOKS
@AUTO_OUTPUT
def list_them(rules: str | None, runbooks: str | None, output: str) -> None:
    """List the runbooks: urgency, age, steps, the rules that link to them, and the title.

    Exit status: 0, 2 if there is no runbook.
    """
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
    columns = (
        *(Column("RUNBOOK"), Column("URGENCY", colours={"Critical": "red"}), Column("UPDATED")),
        *(Column("STEPS", right=True), Column("RULES", right=True), Column("TITLE")),
    )
    print_rows(found, output, columns, _cells, asdict)


def _cells(each: CatalogEntry) -> tuple[str, ...]:
    return each.file, each.urgency, each.updated or "-", str(each.steps), str(len(each.rules)), each.title
