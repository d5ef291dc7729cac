"""All problems of runbooks, and the edits that fix some of them. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from responder.model.problem import Position, Problem
from responder.model.suppressions import silence
from responder.runbooks.document import Document
from responder.runbooks.lint.checks import CHECKS
from responder.runbooks.lint.contract import SECTIONS, Edit, Profile, Runbook

_INDEXES = frozenset({"readme.md", "index.md", "_index.md", "contributing.md"})
#: Sections of the template from which on a file is taken to follow it. Runbooks of other projects have up to five of
#: them: Overview, Prerequisites, Symptoms, Verification and Escalation are common titles.
_ENOUGH_SECTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class LintResult:
    """``problems`` in the order of the files, and the edits by file that fix some of them."""

    problems: tuple[Problem, ...]
    edits: dict[str, tuple[Edit, ...]]


def profile_of(document: Document) -> Profile:
    """Return the kind of a file: an index by its name, a runbook of the template by its sections or tagged commands."""
    if document.path.rsplit("/", 1)[-1].lower() in _INDEXES:
        return Profile.INDEX
    titles = {section.title.lower() for section in document.sections}
    count = sum(title.lower() in titles for title in SECTIONS)
    tagged = any(command.fence.tag for command in document.commands)
    return Profile.TEMPLATE if count >= _ENOUGH_SECTIONS or tagged else Profile.PLAIN


def examine(runbooks: Iterable[Runbook]) -> LintResult:
    """Return all problems of runbooks, without those that a comment suppresses today."""
    problems: list[Problem] = []
    edits: dict[str, tuple[Edit, ...]] = {}
    for runbook in runbooks:
        path = runbook.document.path
        found = {problem: edit for problem, edit in _found(runbook)}  # noqa: C416 - the same problem is reported once
        left = tuple(silence(sorted(found), {path: _commentable(runbook)}, CHECKS, runbook.today, markdown=True))
        problems.extend(sorted(left))
        if fixes := tuple(edit for problem in left for edit in found.get(problem, ())):
            edits[path] = fixes
    return LintResult(tuple(problems), edits)


def _found(runbook: Runbook) -> Iterator[tuple[Problem, tuple[Edit, ...]]]:
    for code, each in CHECKS.items():
        if runbook.profile in each.profiles:
            for finding in each.check(runbook):
                position = Position(runbook.document.path, finding.line, finding.column)
                yield Problem(position, code, finding.message, finding.hint, finding.level), finding.edits


def _commentable(runbook: Runbook) -> list[str]:
    """Return the lines of a runbook; those of code are empty, since a comment in code is an example of one."""
    code = runbook.document.code_lines
    return ["" if number in code else line for number, line in enumerate(runbook.document.lines, 1)]


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits applied; an edit whose old text is not there is left out."""
    lines = re.split(r"(\r\n|\r|\n)", text)
    for edit in sorted(edits, key=lambda each: (each.line, each.column), reverse=True):
        number = 2 * (edit.line - 1)
        line = lines[number] if number < len(lines) else ""
        begin = edit.column - 1
        if line.startswith(edit.old, begin):
            lines[number] = line[:begin] + edit.new + line[begin + len(edit.old) :]
    return "".join(lines)
