"""A flood gives a few pages and a digest instead of hundreds of pages, and unlike incidents are still paged."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from responder.standins import butterfly
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real

STORM = 300
#: ``flood_above`` of P1 in the shipped rules.
LIMIT = 10
BUDGET = 8.0


def a_storm(number: int) -> bytes:
    """One of many groups alike: a P1 of its own each."""
    body = example("service-down").replace(b"ServiceDown", b"HighErrorRate")
    return body.replace(b'"groupKey":"', b'"groupKey":"storm-%d/' % number)


def test_a_storm_makes_few_pages_and_a_fresh_p1_is_paged_in_its_midst(stage: Stage) -> None:
    """Of 300 P1s in seconds each is an incident and few are pages; a P1 unlike them pages within its budget."""
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve(workers="2"):
        with ThreadPoolExecutor(8) as pool:
            first = list(pool.map(lambda number: stage.post(a_storm(number)).status, range(STORM // 2)))
            began = time.monotonic()
            assert stage.post(example("service-down")).status == 202
            last = list(pool.map(lambda number: stage.post(a_storm(number)).status, range(STORM // 2, STORM)))
        assert set(first + last) == {202}
        until(lambda: any("is down" in event.summary for event in stage.pagerduty.events))
        until(lambda: any("Flood" in event.summary for event in stage.pagerduty.events))
        until(lambda: not rows(stage.database, "SELECT id FROM notifications WHERE state = 'new'"))
        until(
            lambda: (
                not rows(stage.database, "SELECT id FROM messages WHERE state = 'waiting' AND channel = 'pagerduty'")
            )
        )
    fresh = next(event for event in stage.pagerduty.events if "is down" in event.summary)
    assert fresh.arrived - began < BUDGET
    assert "db" in fresh.summary
    assert len({event.dedup_key for event in stage.pagerduty.events}) <= LIMIT + 3 + 2
    assert rows(stage.database, "SELECT count(*) FROM incidents WHERE open") == [(STORM + 1,)]
    told = "SELECT count(*) FROM incidents WHERE channels = '' AND reason LIKE '%only in digest FLOOD-P1-%'"
    assert rows(stage.database, told) >= [(STORM - LIMIT - 3,)]
    digest = next(event for event in stage.pagerduty.events if "Flood" in event.summary)
    details = digest.body["payload"]["custom_details"]
    assert "HighErrorRate of plato" in details["01 Summary"]
    assert any("service=plato (all)" in str(text) for text in details.values()), details
