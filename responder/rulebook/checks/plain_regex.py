"""A regex matches only one string: write an equality matcher instead.

Bad:

    rules:
      - id: down
        match: alertname=~"ServiceDown"
        severity: P3
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator
from dataclasses import replace

from responder.model.problem import Level, Problem
from responder.model.rule import ANNOTATION, Matcher, Op
from responder.rulebook.analysis import regular_language as lang
from responder.rulebook.analysis.re2_parser import BeyondError, language
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.rule_schema import RuleShape

_PLAIN = {Op.REGEX: Op.EQUAL, Op.NOT_REGEX: Op.NOT_EQUAL}


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield matchers with a regex that matches only one string."""
    for number, matchers in rule_files.matchers.items():
        for matcher in matchers:
            if matcher.op in _PLAIN and (word := _only(matcher.value)) is not None:
                better = Matcher(matcher.name, _PLAIN[matcher.op], word)
                said = f"the regex of {matcher} matches only one string"
                entry = rule_files.rules[number]
                position = entry.at(*_path(entry, matcher, around))
                yield Problem(position, "plain-regex", said, f"write {better}", Level.WARNING)


def _only(pattern: str) -> str | None:
    if "|" in pattern or ".*" in pattern:
        return None
    try:
        found = lang.words(language(pattern), 1)
    except BeyondError:
        return None
    return min(found) if found else None


def _path(entry: Entry[RuleShape], matcher: Matcher, around: RuleReferences) -> tuple[str, int]:
    key, texts = "match", entry.value.match
    if matcher.name.startswith(ANNOTATION):
        key, texts = "match_annotations", entry.value.match_annotations
        matcher = replace(matcher, name=matcher.name.removeprefix(ANNOTATION))
    return key, next(number for number, text in enumerate(texts) if matcher in around.parse(text))
