"""Lists of incidents: filters, and pages that begin below the last row of the page before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.incidents.records import Cursor, Filter, page
from tests.support.builders import NOW, a_content, an_incident

COUNT = 25


@pytest.fixture(autouse=True)
def rows(database: Database) -> None:
    """Incidents a minute apart, every fifth open, every third of team blue."""
    with database.write() as connection:
        for number in range(COUNT):
            name = f"INC-{number:03}"
            one = replace(
                an_incident(),
                id=name,
                dedup_key=name,
                title=f"volume {number} fills up",
                opened_at=NOW + timedelta(minutes=number // 2),
                open=number % 5 == 0,
            )
            content = replace(a_content(), incident=name)
            teams = ("blue",) if number % 3 == 0 else ()
            content = replace(content, decision=replace(content.decision, teams=teams))
            incidents.save(connection, [one], [])
            incidents.save_contents(connection, [content], (), NOW)


def walk(database: Database, wanted: Filter, limit: int, most_scanned: int | None = 2000) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    after: Cursor | None = None
    for _ in range(100):
        with database.read() as connection:
            one = page(connection, wanted, limit, after, most_scanned=most_scanned)
        found += [each.incident.id for each in one.rows]
        after = one.next
        if after is None:
            return found
    pytest.fail("the pages have no end")


@pytest.mark.parametrize("limit", [1, 7, COUNT, 100])
@pytest.mark.parametrize("most_scanned", [3, 2000])
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(), range(COUNT)),
        (Filter(is_open=True), range(0, COUNT, 5)),
        (Filter(is_open=False, team="blue"), [each for each in range(0, COUNT, 3) if each % 5]),
        (Filter(text="VOLUME 2"), [2, *range(20, COUNT)]),
        (Filter(text="inc-007"), [7]),
        (Filter(since=NOW + timedelta(minutes=10)), range(20, COUNT)),
        (Filter(severity="P9"), []),
        (Filter(text="nothing"), []),
    ],
)
def test_the_pages_hold_each_match_once(
    database: Database, wanted: Filter, numbers: list[int], limit: int, most_scanned: int
) -> None:
    """All pages together hold every match once, the newest first, whatever a page may look at."""
    expected = [f"INC-{number:03}" for number in sorted(numbers, reverse=True)]
    assert walk(database, wanted, limit, most_scanned) == expected
