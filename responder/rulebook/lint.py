"""All that can be said about a folder of rule files: what is wrong, and what is most likely wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from responder.model.problem import InvalidRules, Level, Problem
from responder.model.rule import RuleBook
from responder.rulebook.assemble import assemble
from responder.rulebook.checks import ADVICE
from responder.rulebook.load import gather, required
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.suppressions import silence
from responder.rulebook.yaml.reader import no_collection


@dataclass(frozen=True, slots=True)
class LintResult:
    """``problems`` in the order of the files. ``rule_files`` is None without a valid rule book."""

    problems: tuple[Problem, ...]
    rule_files: RuleFiles | None = None
    lines: Mapping[str, Sequence[str]] | None = None

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.level is Level.ERROR for problem in self.problems)

    def book(self) -> RuleBook | None:
        """The rule book, put together now: who only looks for problems need not wait for it."""
        return assemble(self.rule_files, self.rule_files.revision) if self.rule_files is not None else None


#: Errors that change nothing of what the checks of ``ADVICE`` look at: they have their say beside these.
APART: Final = frozenset(
    {"unknown-runbook", "unknown-section", "unknown-contact", "unknown-service", "no-catch-all", "no-heartbeat-rule"}
)


def examine(folder: Path | str, around: RuleReferences, today: date, within: Path | None = None) -> LintResult:
    """Every problem of the files in a folder, less those that a comment silences on this day. Raises nothing.

    The checks of ``ADVICE`` look only at files that make a rule book, or would but for what is ``APART``: what they
    would say of others is an echo.
    """
    with no_collection():
        return _examine(folder, around, today, within)


def _examine(folder: Path | str, around: RuleReferences, today: date, within: Path | None) -> LintResult:
    try:
        rule_files = gather(folder, within)
    except InvalidRules as error:
        return LintResult(error.problems)
    lines = {document.name: document.lines for document in rule_files.documents}
    problems = required(rule_files, around)
    if not APART.issuperset(problem.code for problem in problems):
        return LintResult(problems, None, lines)
    found = {problem for check in ADVICE.values() for problem in check(rule_files, around)}
    left = silence(sorted(found), rule_files.documents, ADVICE, today)
    return LintResult(tuple(sorted({*problems, *left})), None if problems else rule_files, lines)
