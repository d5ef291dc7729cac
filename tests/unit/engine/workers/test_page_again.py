"""Growth that hides an outage: an open incident pages again, under a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from responder.model.rule import PageAgain
from responder.store.database import Database
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_triage import Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage whose rule has no probes: every page is due at once."""
    found = Shop(database, clock)
    found.context = a_desk(replace(EVERYTHING, probes=()))
    yield found
    found.diagnosis.close()


def host(number: int, **changes: Any) -> dict[str, Any]:
    """An alert about one host."""
    labels = {"alertname": "HostUnreachable", "severity": "critical", "instance": f"host{number}"}
    return an_alert(labels=labels, fingerprint=f"{number:016x}", **changes)


def over(number: int) -> dict[str, Any]:
    """The same, resolved."""
    return host(number, status="resolved", endsAt="2026-11-23T10:00:00Z")


def notified(shop: Shop, *alerts: dict[str, Any], **changes: Any) -> None:
    """Deliver a notification of these alerts, a minute after the one before."""
    shop.clock.move(60)
    firing = any(each["status"] == "firing" for each in alerts)
    shop.deliver(a_body(alerts=list(alerts), status="firing" if firing else "resolved", **changes))


def events(shop: Shop) -> list[tuple[str, str]]:
    """The events for PagerDuty: moment, and the number of the key."""
    rows = shop.rows("SELECT kind, ordering_key FROM messages WHERE channel = 'pagerduty' ORDER BY id")
    return [(moment, key[64:] or "-1") for moment, key in rows]


FIRST, SECOND = ("start", "-1"), ("start", "-2")


def test_other_alerts_page_again_once_what_was_paged_for_is_silenced(shop: Shop) -> None:
    """The alert that was paged is silenced for good, and four other hosts of its group go down: on-call is paged."""
    notified(shop, host(1))
    notified(shop, host(2), host(3), host(4), host(5))
    assert events(shop) == [FIRST, SECOND]
    notified(shop, host(2), host(3), host(4), host(5), host(6))
    notified(shop, host(5), host(6))
    assert events(shop) == [FIRST, SECOND]
    [update] = shop.rows("SELECT facts FROM messages WHERE channel = 'slack' AND kind = 'update' ORDER BY id LIMIT 1")
    assert b"paged again: none of the alerts paged before fires now; 4 other alerts firing" in update[0]


def test_other_alerts_page_again_once_what_was_paged_for_is_resolved(shop: Shop) -> None:
    """A host that joined an open incident is paged for when the host that was paged has recovered."""
    notified(shop, host(1))
    notified(shop, host(1), host(2))
    assert events(shop) == [FIRST]
    notified(shop, over(1), host(2))
    assert events(shop) == [FIRST, SECOND]


def test_a_resolve_goes_to_every_key(shop: Shop) -> None:
    """No alert stays open at PagerDuty, and nothing else gets the resolve twice."""
    notified(shop, host(1))
    notified(shop, over(1), host(2))
    notified(shop, over(2))
    assert events(shop)[2:] == [("resolution", "-1"), ("resolution", "-2")]
    streams = {row[0] for row in shop.rows("SELECT ordering_key FROM messages WHERE channel = 'slack'")}
    assert len(streams) == 1


def test_what_was_paged_for_and_still_fires_pages_nobody_again(shop: Shop) -> None:
    """Growth beside the alert that was paged, repeats and alerts that come back are the incident on-call knows."""
    notified(shop, host(1))
    notified(shop, host(1), *map(host, range(2, 60)))
    notified(shop, host(1), *map(host, range(2, 60)))
    notified(shop, over(1), *map(over, range(3, 60)), host(2))
    assert events(shop) == [FIRST, SECOND]
    notified(shop, host(1, startsAt="2026-11-23T10:01:00Z"), over(2))
    assert events(shop) == [FIRST, SECOND]


def test_alerts_cut_off_by_max_alerts_are_not_taken_for_gone(shop: Shop) -> None:
    """With truncated alerts nobody knows that the alert which was paged has stopped."""
    notified(shop, host(1))
    notified(shop, host(2), truncatedAlerts=3)
    assert events(shop) == [FIRST]


def test_an_incident_from_before_this_version_does_not_page_again(shop: Shop) -> None:
    """An upgrade pages nobody, since the alerts that an older version paged for are unknown."""
    notified(shop, host(1))
    with shop.database.write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET alerts = replace(alerts, '\"page\":1', '\"page\":0')")
    notified(shop, host(2))
    assert events(shop) == [FIRST]


@pytest.mark.parametrize(("most", "pages"), [(9, [FIRST]), (10, [FIRST, SECOND])])
def test_growth_by_a_factor_pages_again_where_a_severity_says_so(
    shop: Shop, most: int, pages: list[tuple[str, str]]
) -> None:
    """`page_again: {factor: 5, from: 10}` pages for the tenth alert when one was paged for; without it none does."""
    severities = shop.context.book.severities
    growing = {"P1": replace(severities["P1"], page_again=PageAgain(5, 10))}
    shop.context = replace(shop.context, book=replace(shop.context.book, severities={**severities, **growing}))
    notified(shop, host(1))
    notified(shop, *map(host, range(1, most + 1)))
    assert events(shop) == pages
    notified(shop, *map(host, range(1, 50)))
    assert len(events(shop)) == 2
    notified(shop, *map(host, range(1, 51)))
    assert len(events(shop)) == (3 if most == 10 else 2)
