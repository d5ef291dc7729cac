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

from collections.abc import Iterator

from responder.model.problem import Place, Problem
from responder.model.rule import Matcher, MatcherError
from responder.rulebook.draft import Draft, Entry, Surroundings
from responder.rulebook.schema import RuleShape


def check(draft: Draft, around: Surroundings) -> Iterator[Problem]:
    """A matcher that cannot be read, or an empty one: it would match everything. Keeps what it read in the draft."""
    for number, entry in enumerate(draft.rules):
        found: list[Matcher] = []
        for position, text in enumerate(entry.value.match):
            try:
                read = around.parse(text)
            except MatcherError as error:
                hint = 'a matcher is a label, one of = != =~ !~ and a value: alertname="ServiceDown"'
                yield Problem(_place(entry, position, text, error.offset), "bad-matcher", error.message, hint)
                continue
            if not read:
                said = "this holds no matcher, and would match every alert"
                yield Problem(_place(entry, position, text, 0), "bad-matcher", said, "write match: [] if that is meant")
            found.extend(read)
        draft.matchers[number] = tuple(found)


def _place(entry: Entry[RuleShape], position: int, text: str, offset: int) -> Place:
    """The character itself where the text stands in the file as it is; the start of the value otherwise."""
    place = entry.at("match", position)
    line = entry.document.line(place.line)[place.column - 1 :]
    for quote in ("", "'"):
        if line.startswith(quote + text) and "\n" not in text:
            return Place(place.path, place.line, place.column + len(quote) + offset)
    return place
