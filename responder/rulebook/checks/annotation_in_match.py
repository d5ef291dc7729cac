"""A matcher on a label `annotation.NAME`, which no alert has: annotations are matched with `match_annotations`.

`match` compares labels. A name with a dot is a valid label, so that the rule is valid and never matches.

Bad:

    rules:
      - {id: linked, match: 'annotation.team!=""', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: linked, match: [], match_annotations: 'team!=""', severity: P3, first_step: Look., channels: [slack]}
"""

import re
from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.rule import ANNOTATION
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_NAME = re.compile(r"(?:common_?)?annotations?[._]", re.IGNORECASE)


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield matchers on labels whose name means an annotation."""
    for number, entry in enumerate(rule_files.rules):
        for matcher in rule_files.matchers.get(number, ()):
            found = _NAME.match(matcher.name)
            if found and not matcher.name.startswith(ANNOTATION):
                name = matcher.name[found.end() :]
                said = f"'{matcher.name}' is no label of an alert: match compares labels"
                yield Problem(entry.at("match"), "annotation-in-match", said, f"write match_annotations: {name}...")
