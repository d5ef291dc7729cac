"""Output formats for problems of rule files: text, JSON, GitHub annotations, SARIF."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from responder import __version__
from responder.model.problem import Level, Problem
from responder.model.text import number_of
from responder.rulebook.check_pages import CODES, page
from responder.rulebook.lint import LintResult

_WITHOUT_LINE = frozenset({"no-rules", "unreadable", "encoding", "too-big"})
#: Maximum characters shown of a line, around the column: a file may be a single line.
_WIDEST = 160
_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow"}


def as_text(found: LintResult, _folder: Path) -> str:
    """Format as text: each problem with its source line and a caret under the column."""
    blocks = [_block(problem, (found.lines or {}).get(problem.position.path, ())) for problem in found.problems]
    if found.problems:
        names = {problem.position.path for problem in found.problems}
        counted = Counter(problem.level for problem in found.problems)
        several = [number_of(number, level.value) for level, number in sorted(counted.items())]
        total = f"{' and '.join(several)} in {number_of(len(names), 'file')}"
        blocks.append(click.style(total, fg="red" if found.errors else "yellow", bold=True))
    if found.rule_files is not None and not found.errors:
        rule_files = found.rule_files
        counts = {"rule": len(rule_files.rules), "probe": len(rule_files.probes), "service": len(rule_files.services)}
        said = ", ".join(number_of(count, word) for word, count in counts.items())
        blocks.append(click.style("ok", fg="green", bold=True) + f"  {said}, revision {rule_files.revision[:12]}")
    return "\n".join(blocks)


def as_json(found: LintResult, _folder: Path) -> str:
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
    rules = len(found.rule_files.rules) if found.rule_files and not found.errors else None
    return json.dumps({"problems": listed, "rules": rules}, indent=2)


def as_github(found: LintResult, folder: Path) -> str:
    """Format as GitHub Actions workflow commands, escaped as in actions/toolkit, ``command.ts``."""
    return "\n".join(
        f"::{problem.level.value} file={_property(_path(problem, folder))},line={problem.position.line},"
        f"col={problem.position.column},title={_property(problem.code)}::{_data(_whole(problem))}"
        for problem in found.problems
    )


def as_sarif(found: LintResult, folder: Path) -> str:
    """Format as SARIF 2.1.0 (OASIS), for code hosts and editors."""
    codes = sorted({problem.code for problem in found.problems})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": page(code).strip().splitlines()[0]},
            "help": {"text": page(code).strip()},
        }
        for code in codes
        if code in CODES
    ]
    driver = {"name": "responder", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(problem, folder) for problem in found.problems]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


WRITERS: Mapping[str, Callable[[LintResult, Path], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}


def _result(problem: Problem, folder: Path) -> dict[str, Any]:
    region = {"startLine": problem.position.line, "startColumn": problem.position.column}
    where = {"artifactLocation": {"uri": _path(problem, folder)}, "region": region}
    return {
        "ruleId": problem.code,
        "level": problem.level.value,
        "message": {"text": _whole(problem)},
        "locations": [{"physicalLocation": where}],
    }


def _path(problem: Problem, folder: Path) -> str:
    """Return the path relative to the working directory, so that a code host finds the file."""
    if problem.code == "no-rules":
        return folder.as_posix()
    return (folder / Path(problem.position.path).name).as_posix()


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
