"""Output formats for problems of files: text, JSON, GitHub annotations, SARIF."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from responder import __version__
from responder.cli.errors import FAILED
from responder.model.problem import Level, Problem
from responder.model.suggestions import nearest
from responder.model.text import number_of

_WITHOUT_LINE = frozenset({"no-rules", "unreadable", "encoding", "too-big"})
#: Maximum characters shown of a line, around the column: a file may be a single line.
_WIDEST = 160
_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems with what their output needs.

    ``lines`` are those of each file. ``passed`` describes what was checked, for a check without errors. ``keys`` are
    those of the JSON output beside the problems. ``page`` returns the explanation of a code, or "". ``path`` returns
    the path of a problem's file relative to the working directory, so that a code host finds it.
    """

    problems: Sequence[Problem]
    lines: Mapping[str, Sequence[str]]
    page: Callable[[str], str]
    path: Callable[[Problem], str] = lambda problem: problem.position.path
    passed: str = ""
    keys: Mapping[str, object] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(problem.level is Level.ERROR for problem in self.problems)


def as_text(found: Findings) -> str:
    """Format as text: each problem with its source line and a caret under the column."""
    blocks = [_block(problem, found.lines.get(problem.position.path, ())) for problem in found.problems]
    if found.problems:
        names = {problem.position.path for problem in found.problems}
        counted = Counter(problem.level for problem in found.problems)
        several = [number_of(number, level.value) for level, number in sorted(counted.items())]
        total = f"{' and '.join(several)} in {number_of(len(names), 'file')}"
        blocks.append(click.style(total, fg="red" if found.errors else "yellow", bold=True))
    if found.passed and not found.errors:
        blocks.append(click.style("ok", fg="green", bold=True) + f"  {found.passed}")
    return "\n".join(blocks)


def as_json(found: Findings) -> str:
    """Format as JSON. Scripts rely on its keys: add, never rename."""
    listed = [
        {
            "file": problem.position.path,
            "line": problem.position.line,
            "column": problem.position.column,
            "level": problem.level.value,
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in found.problems
    ]
    return json.dumps({"problems": listed, **found.keys}, indent=2)


def as_github(found: Findings) -> str:
    """Format as GitHub Actions workflow commands, escaped as in actions/toolkit, ``command.ts``."""
    return "\n".join(
        f"::{problem.level.value} file={_property(found.path(problem))},line={problem.position.line},"
        f"col={problem.position.column},title={_property(problem.code)}::{_data(_whole(problem))}"
        for problem in found.problems
    )


def as_sarif(found: Findings) -> str:
    """Format as SARIF 2.1.0 (OASIS), for code hosts and editors."""
    codes = sorted({problem.code for problem in found.problems})
    pages = {code: page for code in codes if (page := found.page(code).strip())}
    rules = [
        {"id": code, "shortDescription": {"text": page.splitlines()[0]}, "help": {"text": page}}
        for code, page in pages.items()
    ]
    driver = {"name": "responder", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(problem, found.path(problem)) for problem in found.problems]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


WRITERS: Mapping[str, Callable[[Findings], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
OUTPUT = click.option("--output", type=click.Choice(list(WRITERS)), default="text", show_default=True)
STRICT = click.option("--strict", is_flag=True, help="Fail on warnings as well.")
EXPLAIN = click.option("--explain", "code", metavar="CODE", help="Explain a problem code, with examples, and exit.")


def finish(found: Findings, output: str, *, strict: bool) -> None:
    """Print problems and exit."""
    click.echo(WRITERS[output](found))
    sys.exit(FAILED if found.errors or (strict and found.problems) else 0)


def explain(code: str, codes: Collection[str], page: Callable[[str], str]) -> None:
    """Print the explanation of one of some codes. Raises click.BadParameter for another."""
    if code not in codes:
        raise click.BadParameter(f"unknown code '{code}': {nearest(code, codes)}", param_hint="--explain")
    click.echo(f"{click.style(code, bold=True)}\n\n{page(code).strip()}")


def _result(problem: Problem, path: str) -> dict[str, Any]:
    region = {"startLine": problem.position.line, "startColumn": problem.position.column}
    where = {"artifactLocation": {"uri": path}, "region": region}
    return {
        "ruleId": problem.code,
        "level": problem.level.value,
        "message": {"text": _whole(problem)},
        "locations": [{"physicalLocation": where}],
    }


def _whole(problem: Problem) -> str:
    return problem.message + (f" ({problem.hint})" if problem.hint else "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _block(problem: Problem, lines_of_file: Sequence[str]) -> str:
    colour = _COLOURS[problem.level]
    code = click.style(f"{problem.level.value}[{problem.code}]", fg=colour, bold=True)
    lines = [f"{click.style(str(problem.position), bold=True)}: {code} {problem.message}"]
    if source := _source(problem, lines_of_file):
        number = str(problem.position.line)
        source, before = _window(source, problem.position.column - 1)
        source = "".join(sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in source)
        # Tabs stay tabs before the caret, so that it is aligned with any tab width.
        indent = "".join("\t" if sign == "\t" else " " for sign in source[:before])
        lines.append(f"  {number} | {source}")
        lines.append(f"  {' ' * len(number)} | {indent}{click.style('^', fg=colour, bold=True)}")
    if problem.hint:
        lines.append(f"  {click.style('help:', fg='cyan')} {problem.hint}")
    return "\n".join(lines) + "\n"


def _source(problem: Problem, lines: Sequence[str]) -> str:
    """Return the source line of a problem; empty if there is none."""
    if problem.code in _WITHOUT_LINE or problem.position.line > len(lines):
        return ""
    return lines[problem.position.line - 1]


def _window(line: str, position: int) -> tuple[str, int]:
    """Return the visible part of a line, and the number of characters in it before the column."""
    begin = max(0, min(position - _WIDEST // 2, len(line) - _WIDEST))
    end = begin + _WIDEST
    head, tail = "…" if begin else "", "…" if end < len(line) else ""
    return f"{head}{line[begin:end]}{tail}", position - begin + len(head)
