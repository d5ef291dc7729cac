"""Comments that suppress a problem, with a reason, until a date.

    # responder: ignore CODE until=2027-01-31 reason="why it is right as it is"

on the line of the problem, or on the line above it; in Markdown it is an HTML comment, ``<!-- responder: ... -->``.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from responder.model.problem import Level, Position, Problem
from responder.model.suggestions import nearest

_COMMENT = re.compile(r"(?:^|\s)(?P<all>#\s*responder:\s*ignore\b(?P<rest>.*))$")
_HTML_COMMENT = re.compile(r"(?P<all><!--\s*responder:\s*ignore\b(?P<rest>.*?)-->)")
_FORM = re.compile(r'\s+(?P<code>[a-z-]+)(?:\s+until=(?P<until>\S+))?(?:\s+reason="(?P<reason>[^"]*)")?\s*$')
_HINT = '# responder: ignore CODE until=2027-01-31 reason="..."'


@dataclass(frozen=True, slots=True)
class Suppression:
    """Parsed comment. ``lines`` are the lines to which it applies."""

    position: Position
    code: str
    until: date
    lines: tuple[int, int]


def silence(
    problems: Iterable[Problem],
    files: Mapping[str, Sequence[str]],
    codes: Collection[str],
    today: date,
    *,
    markdown: bool = False,
) -> Iterator[Problem]:
    """Yield the problems that no comment suppresses, and the problems of the comments.

    ``files`` maps their names to their lines. ``codes`` are those that may be suppressed. A comment applies through its
    last day.
    """
    ignores: list[Suppression] = []
    for name, lines in files.items():
        for found in _comments(name, lines, codes, _HTML_COMMENT if markdown else _COMMENT):
            if isinstance(found, Problem):
                yield found
            else:
                ignores.append(found)
    used: set[Suppression] = set()
    by_line = {(each.position.path, line, each.code): each for each in ignores for line in each.lines}
    for problem in problems:
        each = by_line.get((problem.position.path, problem.position.line, problem.code))
        if each is None or problem.code not in codes:
            yield problem
            continue
        used.add(each)
        if each.until < today:
            yield problem
    yield from _leftover(ignores, used, today)


def _leftover(ignores: Iterable[Suppression], used: Collection[Suppression], today: date) -> Iterator[Problem]:
    for each in ignores:
        if each not in used:
            said = f"no {each.code} here to suppress"
            yield Problem(each.position, "unused-ignore", said, "remove the comment", Level.WARNING)
        elif each.until < today:
            said = f"this comment expired on {each.until}"
            hint = "fix the problem, or write a new date and reason"
            yield Problem(each.position, "expired-ignore", said, hint, Level.WARNING)


def _comments(
    name: str, lines: Sequence[str], codes: Collection[str], comment: re.Pattern[str]
) -> Iterator[Suppression | Problem]:
    for number, line in enumerate(lines, 1):
        if "responder:" not in line or not (found := comment.search(line)):
            continue
        position = Position(name, number, found.start("all") + 1)
        alone = not line[: found.start("all")].strip()
        yield _read(found["rest"], position, (number, number + 1 if alone else number), codes)


def _read(rest: str, position: Position, lines: tuple[int, int], codes: Collection[str]) -> Suppression | Problem:
    form = _FORM.match(rest)
    if form is None:
        return Problem(position, "bad-ignore", "invalid suppression comment", f"write {_HINT}")
    code, until, reason = form["code"], form["until"], form["reason"]
    if code not in codes:
        return Problem(position, "bad-ignore", f"'{code}' cannot be suppressed", nearest(code, codes))
    if not (reason or "").strip():
        return Problem(position, "bad-ignore", "suppression comment without reason", f"write {_HINT}")
    try:
        return Suppression(position, code, date.fromisoformat(until or ""), lines)
    except ValueError:
        return Problem(position, "bad-ignore", "suppression comment without a valid end date", f"write {_HINT}")
