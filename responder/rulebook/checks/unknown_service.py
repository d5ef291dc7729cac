"""Services depend on services of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.draft import Draft, Surroundings
from responder.rulebook.hints import nearest


def check(draft: Draft, _around: Surroundings) -> Iterator[Problem]:
    """A `depends_on` that the catalogue does not have."""
    names = draft.names("services")
    if "services" in draft.spoiled.get("parts", set()):
        return
    for entry in draft.services:
        for number, name in enumerate(entry.value.depends_on):
            if name not in names:
                said = f"there is no service '{name}'"
                yield Problem(entry.at("depends_on", number), "unknown-service", said, nearest(name, names))
