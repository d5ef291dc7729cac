"""`responder rules`: what is wrong with the rule files, all at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from responder.model.problem import Problem
    from responder.model.rule import RuleBook

_WITHOUT_LINE = frozenset({"no-rules", "unreadable", "encoding", "too-big"})


@click.group()
def rules() -> None:
    """Check the rule files."""


@rules.command()
@click.argument("folder", default="rules", type=click.Path(path_type=Path))
@click.option(
    "--runbooks",
    default=None,
    type=click.Path(path_type=Path),
    help="Folder of the runbooks that rules lead to. [default: runbooks, beside FOLDER]",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(folder: Path, runbooks: Path | None, output: str) -> None:
    """Print every problem of the rule files in FOLDER as file:line:column.

    Exit status: 0 nothing is wrong, 1 there are problems, 2 FOLDER cannot be read or holds no rule file.
    """
    from responder.rulebook.load import BadRules

    book: RuleBook | None = None
    problems: Sequence[Problem] = ()
    try:
        book = load_book(folder, runbooks or folder.resolve().parent / "runbooks")
    except BadRules as error:
        problems = error.problems
    click.echo(_as_json(book, problems) if output == "json" else _as_text(folder, book, problems))
    unreadable = any(problem.code == "no-rules" for problem in problems)
    sys.exit(2 if unreadable else 1 if problems else 0)


def load_book(folder: Path, runbooks: Path) -> RuleBook:
    """The rule book of a folder, with the probes and channels that we have. Raises BadRules."""
    from responder.bootstrap import load_rules

    return load_rules(str(folder), str(runbooks))


def _as_json(book: RuleBook | None, problems: Sequence[Problem]) -> str:
    listed = [
        {
            "file": problem.place.path,
            "line": problem.place.line,
            "column": problem.place.column,
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
    return json.dumps({"problems": listed, "rules": len(book.rules) if book else None}, indent=2)


def _as_text(folder: Path, book: RuleBook | None, problems: Sequence[Problem]) -> str:
    if book is not None:
        counted = f"{len(book.rules)} rules, {len(book.probes)} probes, {len(book.services)} services"
        return click.style("ok", fg="green", bold=True) + f"  {counted}, revision {book.revision[:12]}"
    names = {problem.place.path for problem in problems}
    sources = {name: _lines(folder / Path(name).name) for name in names}
    blocks = [_block(problem, sources[problem.place.path]) for problem in problems]
    files = len(names)
    total = f"{len(problems)} problem{'s'[: len(problems) != 1]} in {files} file{'s'[: files != 1]}"
    return "\n".join([*blocks, click.style(total, fg="red", bold=True)])


def _block(problem: Problem, lines_of_file: Sequence[str]) -> str:
    """A problem with the line it is about, and a caret under the place."""
    code = click.style(f"error[{problem.code}]", fg="red", bold=True)
    lines = [f"{click.style(str(problem.place), bold=True)}: {code} {problem.message}"]
    if source := _source(problem, lines_of_file):
        number = str(problem.place.line)
        # Tabs stay tabs before the caret, so that it stands under its place whatever a tab's width is.
        indent = "".join("\t" if sign == "\t" else " " for sign in source[: problem.place.column - 1])
        lines.append(f"  {number} | {source}")
        lines.append(f"  {' ' * len(number)} | {indent}{click.style('^', fg='red', bold=True)}")
    if problem.hint:
        lines.append(f"  {click.style('help:', fg='cyan')} {problem.hint}")
    return "\n".join(lines) + "\n"


def _source(problem: Problem, lines: Sequence[str]) -> str:
    """The line a problem is about, harmless to a terminal; empty where there is none."""
    if problem.code in _WITHOUT_LINE or problem.place.line > len(lines):
        return ""
    line = lines[problem.place.line - 1]
    return "".join(sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in line)


def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
