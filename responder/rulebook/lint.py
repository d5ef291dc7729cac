"""All errors and warnings of a folder of rule files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from responder.model.problem import InvalidRules, Level, Problem
from responder.model.rule import RuleBook
from responder.model.suppressions import silence
from responder.rulebook.assemble import assemble
from responder.rulebook.checks import ADVICE
from responder.rulebook.load import gather, required
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.yaml.reader import no_collection


@dataclass(frozen=True, slots=True)
class LintResult:
    """``problems`` in the order of the files. ``rule_files`` is None without a valid rule book."""

    problems: tuple[Problem, ...]
    rule_files: RuleFiles | None = None
    lines: Mapping[str, Sequence[str]] | None = None

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(problem.level is Level.ERROR for problem in self.problems)

    def book(self) -> RuleBook | None:
        """Assemble the rule book; not done in advance, since `rules check` does not need it."""
        return assemble(self.rule_files, self.rule_files.revision) if self.rule_files is not None else None


#: Errors that do not affect the checks of ``ADVICE``, which run in spite of them.
APART: Final = frozenset(
    {"unknown-runbook", "unknown-section", "unknown-contact", "unknown-service", "no-catch-all", "no-heartbeat-rule"}
)


def examine(folder: Path | str, around: RuleReferences, today: date, within: Path | None = None) -> LintResult:
    """Return all problems of the files in a folder, without those that a comment suppresses today.

    The checks of ``ADVICE`` run only if all errors are ``APART``: otherwise they would report follow-up problems.
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
    left = silence(sorted(found), lines, ADVICE, today)
    return LintResult(tuple(sorted({*problems, *left})), None if problems else rule_files, lines)
