"""The last rule matches everything, so that no alert is ever dropped.

An alert that no rule knows is the one that nobody expected.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: unknown, match: [], severity: P3, first_step: Read it., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Place, Problem
from responder.rulebook.draft import Draft, Surroundings

_HINT = "end the last file with a rule that has match: []"


def check(draft: Draft, _around: Surroundings) -> Iterator[Problem]:
    """No rule at all, or a last one that has matchers."""
    last = draft.rules[-1] if draft.rules else None
    if any(not entry.value.match for entry in draft.rules) or "rules" in draft.spoiled.get("parts", set()):
        return
    if draft.spoiled.get("rules") and last is None:
        return
    place = last.at("match") if last else Place(draft.documents[-1].name, 1, 1)
    yield Problem(place, "no-catch-all", "an alert that no rule matches would be lost", _HINT)
