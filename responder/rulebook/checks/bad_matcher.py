"""Matchers are written as Alertmanager's are, and their regexes are RE2.

The syntax is that of Alertmanager's configuration: a label, one of = != =~ !~ and a value. A regex must match the
whole value, and a label that is missing has the empty string as its value.

Bad:

    rules:
      - {id: down, match: 'alertname=~"Service("', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname=~"Service.*"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from responder.model.problem import Position, Problem
from responder.model.rule import Matcher, MatcherError
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.schema import RuleShape
from responder.rulebook.yaml.builder import Path


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """A matcher that cannot be read, or an empty one: it would match everything. Keeps what it read in the draft."""
    for number, entry in enumerate(rule_files.rules):
        texts: list[tuple[str, Path]] = [(text, ("match", at)) for at, text in enumerate(entry.value.match)]
        rule_files.matchers[number] = yield from _read(entry, texts, around)
        for each, adjust in enumerate(entry.value.adjust):
            found: list[Matcher] = []
            for at, when in enumerate(adjust.when):
                texts = [(text, _inside(entry, each, at, line)) for line, text in enumerate(when.match)]
                found.extend((yield from _read(entry, texts, around)))
            rule_files.conditions[number, each] = tuple(found)


def _read(
    entry: Entry[RuleShape], texts: Iterable[tuple[str, Path]], around: RuleReferences
) -> Generator[Problem, None, tuple[Matcher, ...]]:
    """The matchers of some texts, each with its path in the rule."""
    found: list[Matcher] = []
    for text, path in texts:
        try:
            read = around.parse(text)
        except MatcherError as error:
            hint = 'a matcher is a label, one of = != =~ !~ and a value: alertname="ServiceDown"'
            yield Problem(_position(entry, path, text, error.offset), "bad-matcher", error.message, hint)
            continue
        if not read:
            said = "this holds no matcher, and would match every alert"
            yield Problem(_position(entry, path, text, 0), "bad-matcher", said, "write match: [] if that is meant")
        found.extend(read)
    return tuple(found)


def _inside(entry: Entry[RuleShape], adjust: int, at: int, line: int) -> Path:
    """The path of a condition's matcher, whether conditions stand in a list or one stands alone."""
    path: Path = ("adjust", adjust, "when", at, "match", line)
    alone: Path = ("adjust", adjust, "when", "match", line)
    return alone if entry.document.has((*entry.path, *alone[:-1])) else path


def _position(entry: Entry[RuleShape], path: Path, text: str, offset: int) -> Position:
    """The character itself where the text stands in the file as it is; the start of the value otherwise."""
    position = entry.at(*path)
    line = entry.document.line(position.line)[position.column - 1 :]
    for quote in ("", "'"):
        if line.startswith(quote + text) and "\n" not in text:
            return Position(position.path, position.line, position.column + len(quote) + offset)
    return position
