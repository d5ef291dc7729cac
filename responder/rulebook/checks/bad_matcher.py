"""The matcher is not in Alertmanager's syntax, or its regex is not valid RE2.

A matcher is a label name, one of = != =~ !~ and a value, as in Alertmanager's configuration. A regex must match the
whole value. A missing label has the empty string as its value.

Bad:

    rules:
      - {id: down, match: 'alertname=~"Service("', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname=~"Service.*"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace

from responder.model.problem import Position, Problem
from responder.model.rule import ANNOTATION, Matcher, MatcherError
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.rule_schema import RuleShape
from responder.rulebook.yaml.builder import Path


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield invalid and empty matchers. Stores the valid ones in ``rule_files``."""
    for number, entry in enumerate(rule_files.rules):
        texts: list[tuple[str, Path]] = [(text, ("match", at)) for at, text in enumerate(entry.value.match)]
        labels = yield from _read(entry, texts, around)
        texts = [(text, ("match_annotations", at)) for at, text in enumerate(entry.value.match_annotations)]
        annotations = yield from _read(entry, texts, around)
        prefixed = (replace(matcher, name=ANNOTATION + matcher.name) for matcher in annotations)
        rule_files.matchers[number] = (*labels, *prefixed)
        for each, adjust in enumerate(entry.value.adjust):
            found: list[Matcher] = []
            for at, when in enumerate(adjust.when):
                texts = [(text, ("adjust", each, "when", at, "match", line)) for line, text in enumerate(when.match)]
                found.extend((yield from _read(entry, texts, around)))
            rule_files.conditions[number, each] = tuple(found)


def _read(
    entry: Entry[RuleShape], texts: Iterable[tuple[str, Path]], around: RuleReferences
) -> Generator[Problem, None, tuple[Matcher, ...]]:
    """Yield the problems of matcher texts with their paths in the rule; return the valid matchers."""
    found: list[Matcher] = []
    for text, path in texts:
        try:
            read = around.parse(text)
        except MatcherError as error:
            hint = 'write a label, one of = != =~ !~ and a value: alertname="ServiceDown"'
            yield Problem(_position(entry, path, text, error.offset), "bad-matcher", error.message, hint)
            continue
        if not read:
            said = "no matcher: this would match every alert"
            yield Problem(_position(entry, path, text, 0), "bad-matcher", said, "write match: [] if this is intended")
        found.extend(read)
    return tuple(found)


def _position(entry: Entry[RuleShape], path: Path, text: str, offset: int) -> Position:
    """Return the position of a character; the start of the value if the file has the text in another form."""
    position = entry.at(*path)
    line = entry.document.line(position.line)[position.column - 1 :]
    for quote in ("", "'"):
        if line.startswith(quote + text) and "\n" not in text:
            return Position(position.path, position.line, position.column + len(quote) + offset)
    return position
