"""A rule's id, and each name of a severity, service, probe, window, contact or heartbeat, is given once in all files.

Reports, metrics and the history of incidents name rules by their id. A pack and a probe do not share a name either:
they stand in the same places.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: target-down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Place, Problem
from responder.rulebook.draft import Draft, Surroundings


def check(draft: Draft, _around: Surroundings) -> Iterator[Problem]:
    """A name that an earlier file, or an earlier element of a list, has taken."""
    for entry in draft.platforms[1:]:
        yield _problem(entry.key(), "platform", draft.platforms[0].key())
    yield from _taken((entry.name, entry.at("id")) for entry in draft.rules)
    yield from _taken((entry.name, entry.at("cluster")) for entry in draft.heartbeats)
    for section in ("severities", "services", "windows", "contacts"):
        yield from _taken((entry.name, entry.key()) for entry in getattr(draft, section))
    probes = [(entry.name, entry.key()) for entry in draft.probes]
    yield from _taken(iter(probes + [(entry.name, entry.key()) for entry in draft.packs]))


def _taken(named: Iterator[tuple[str, Place]]) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for name, place in named:
        if (earlier := first.setdefault(name, place)) != place:
            yield _problem(place, name, earlier)


def _problem(place: Place, name: str, earlier: Place) -> Problem:
    return Problem(place, "duplicate-id", f"'{name}' is given twice", f"the first is at {earlier}: rename one")
