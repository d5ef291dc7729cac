"""``responder runbooks show``: print a runbook or one of its sections."""

import re
import sys
from pathlib import Path

import click

from responder.cli.errors import FatalError, named_failures
from responder.cli.options import RUNBOOKS


@click.command()
@click.argument("name", metavar="FILE[#SECTION]")
@RUNBOOKS
def show(name: str, runbooks: str | None) -> None:
    """Print a runbook, or one section of it: formatted in a terminal, as Markdown otherwise.

    FILE is a file of the runbook folder, with or without .md; SECTION is the anchor of a heading, as in rules and on
    pages: common-issues#service-down.

    Exit status: 0, 1 if there is no such file or section.
    """
    from responder import bootstrap

    with named_failures():
        folder = Path(runbooks or bootstrap.folders_from_environment().runbooks)
        text = _text(folder, *name.partition("#")[::2])
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    from responder.model.text import clean

    # As text: a shell's lexer marks placeholders as errors.
    plain = re.sub(r"^(\s*`{3,})\S.*$", r"\1text", clean(text), flags=re.MULTILINE)
    Console().print(Markdown(plain, code_theme="ansi_dark"))


def _text(path: Path, file: str, anchor: str) -> str:
    """Return the Markdown of a runbook or section. Raises FatalError if there is none."""
    from responder.cli.runbooks.folder import Folder
    from responder.model.suggestions import nearest
    from responder.runbooks.document import parse

    folder = Folder(path)
    name = file if file.endswith(".md") else f"{file}.md"
    names = folder.names()
    if name not in names:
        raise FatalError(f"no runbook '{name}' in {path}: {nearest(name, names) or 'there is none'}")
    try:
        text = folder.text(name)
    except OSError as error:
        raise FatalError(f"{path / name}: {error.strerror or error}") from None
    if not anchor:
        return text
    document = parse(name, text)
    section = document.section(anchor)
    if section is None:
        raise FatalError(f"{name} has no section '#{anchor}': {nearest(anchor, document.anchors)}")
    return "\n".join(document.lines[section.line - 1 : section.end_line]).rstrip("\n") + "\n"
