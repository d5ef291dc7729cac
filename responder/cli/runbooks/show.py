"""``responder runbooks show``: print a runbook or one of its sections."""

import re
import sys
from dataclasses import replace

import click

from responder import bootstrap
from responder.cli.errors import named_failures
from responder.cli.options import RUNBOOKS
from responder.model.text import clean


@click.command()
@click.argument("name", metavar="FILE[#SECTION]")
@RUNBOOKS
def show(name: str, runbooks: str | None) -> None:
    """Print a runbook, or one section of it: formatted in a terminal, as Markdown otherwise.

    FILE is a path, or that of a file in the folder of the runbooks, with or without .md; SECTION is the anchor of a
    heading, as in rules and on pages: common-issues#service-down.

    Exit status: 0, 1 if there is no such file or section.
    """
    from responder.cli.runbooks.steps import opened

    with named_failures():
        settings = bootstrap.folders_from_environment()
        document, anchor = opened(name, replace(settings, runbooks=runbooks or settings.runbooks))
    section = document.section(anchor) if anchor else None
    lines = document.lines[section.line - 1 : section.end_line] if section else document.lines
    text = "\n".join(lines).rstrip("\n") + "\n"
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    # As text: a shell's lexer marks placeholders as errors.
    plain = re.sub(r"^(\s*`{3,})\S.*$", r"\1text", clean(text), flags=re.MULTILINE)
    Console().print(Markdown(plain, code_theme="ansi_dark"))
