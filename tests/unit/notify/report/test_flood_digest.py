"""The title of a digest says what its incidents have in common, or that they have nothing in common."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from responder.model.flood import FloodCounter
from responder.notify.report.flood_digest import digest
from tests.support.builders import a_book

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kinds", "labels", "said"),
    [
        ({"Down of mysql": 3, "Slow of mysql": 1}, {}, "most Down of mysql (3)"),
        ({f"Down{number} of mysql": 1 for number in range(4)}, {}, "nothing in common"),
        ({f"Down{number} of mysql": 1 for number in range(4)}, {"cluster=eu": 4}, "each of another kind"),
    ],
)
def test_a_kind_of_one_incident_is_not_called_most(kinds: dict[str, int], labels: dict[str, int], said: str) -> None:
    """A digest of incidents that all differ says so, and never names one of them as what most are."""
    severity = a_book().severities["P2"]
    flood = FloodCounter(severity="P2", began_at=NOW.timestamp(), counted=4, in_digest=4, kinds=kinds, labels=labels)
    found = digest(flood, severity, a_book(), NOW)
    assert found.decision.title.endswith(said)
    assert "(1)" not in found.decision.title
    assert ("Biggest groups: none" in found.alerts.summary) is (max(kinds.values()) == 1)


@pytest.mark.parametrize(
    ("kinds", "names", "said"),
    [
        ({f"HostDown of web-{number}": 1 for number in range(12)}, {"HostDown": 12}, "most HostDown (12)"),
        ({"A of x": 3} | {f"B{number} of y": 1 for number in range(9)}, {}, "the largest group A of x (3)"),
        ({"HostDown of web-1": 7, "A of x": 5}, {"HostDown": 7, "A": 5}, "most HostDown of web-1 (7)"),
        ({f"HostDown of web-{number}": 1 for number in range(4)}, {"HostDown": 4}, "the largest group HostDown (4)"),
        ({"A of x": 2} | {f"B{number} of y": 1 for number in range(10)}, {}, "of many kinds"),
        ({"A of x": 6, "B of x": 6}, {}, "the largest group A of x (6)"),
    ],
)
def test_the_largest_group_is_named_as_what_it_is(kinds: dict[str, int], names: dict[str, int], said: str) -> None:
    """One name about many subjects is a group, and a group is most incidents only if it is half of them."""
    severity = a_book().severities["P2"]
    flood = FloodCounter(
        severity="P2", began_at=NOW.timestamp(), counted=12, in_digest=12, kinds=kinds, names=names, labels={}
    )
    assert digest(flood, severity, a_book(), NOW).decision.title.endswith(said)


@pytest.mark.parametrize(
    ("labels", "said", "step"),
    [
        ({"cluster=eu": 12, "node=w-3": 12, "namespace=a": 12}, "all with node w-3", "Check node w-3 first: all of"),
        ({"cluster=eu": 12, "namespace=shop": 9}, "most with namespace shop", "Check namespace shop first: most of"),
        ({"cluster=eu": 6, "cluster=us": 6}, "nothing in common", "Find what the incidents have in common first"),
        ({"cluster=eu": 12}, "each of another kind", "Check cluster eu first: all of"),
    ],
)
def test_the_narrowest_label_that_most_share_is_named(labels: dict[str, int], said: str, step: str) -> None:
    """The title of incidents of many kinds says where they are, and half of them are not most of them."""
    severity, kinds = a_book().severities["P2"], {f"A{number} of x{number}": 1 for number in range(12)}
    flood = FloodCounter(
        severity="P2", began_at=NOW.timestamp(), counted=12, in_digest=12, kinds=kinds, names={}, labels=labels
    )
    found = digest(flood, severity, a_book(), NOW)
    assert found.decision.title.endswith(said)
    assert found.decision.first_step.startswith(step)


def test_groups_of_one_are_counted_and_not_listed() -> None:
    """The biggest groups are those of two incidents and more; the others are a number."""
    kinds = {"A of x": 8} | {f"B{number} of y": 1 for number in range(4)}
    flood = FloodCounter(severity="P2", began_at=NOW.timestamp(), counted=12, in_digest=12, kinds=kinds, labels={})
    said = digest(flood, a_book().severities["P2"], a_book(), NOW).alerts.summary
    assert "Biggest groups: A of x (8) and 4 more kinds." in said
    assert "(1)" not in said
