"""Publication on a status page: after a person confirmed it, and not before; then it follows the incident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from responder.engine.effects.context import DecisionContext
from responder.model.action import ActionKind
from responder.model.secret import Secret
from responder.notify.channels.statuspage import Statuspage
from responder.store.database import Database
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_desk
from tests.unit.engine.workers.test_actions import act
from tests.unit.engine.workers.test_triage import FIRING, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert


def a_public_desk(*, automatic: bool = False) -> DecisionContext:
    """P1 and plato have a status page."""
    rule = replace(EVERYTHING, probes=(), publishes=automatic)
    context = a_desk(rule, CHANNELS_USED | {"public": Statuspage(Secret("key"), "page", name="public")})
    book = context.book
    worst = replace(book.severities["P1"], status_pages=("public",))
    plato = replace(book.services["plato"], components={"public": ("8kbf7d35c070",)})
    changed = replace(book, severities={**book.severities, "P1": worst}, services={**book.services, "plato": plato})
    return replace(context, book=changed)


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage with a status page."""
    found = Shop(database, clock)
    found.context = a_public_desk()
    yield found
    found.diagnosis.close()


def published(shop: Shop) -> list[tuple[str, str]]:
    """Kind and step of each message for the status page."""
    rows = shop.rows("SELECT kind, step FROM messages WHERE channel = 'public' ORDER BY id")
    return [(row[0], row[1]) for row in rows]


def test_nothing_is_published_without_a_person(shop: Shop) -> None:
    """An incident opens, is acknowledged and noted, and resolves: customers read none of it."""
    shop.deliver(a_body(alerts=[FIRING]))
    act(shop)
    act(shop, ActionKind.NOTE, key="n", text="the disk is full")
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert published(shop) == []


def test_a_person_publishes_and_the_page_follows(shop: Shop) -> None:
    """The confirmation opens it once, a further text updates it, a note does not, and the resolve resolves it."""
    shop.deliver(a_body(alerts=[FIRING]))
    assert act(shop, ActionKind.PUBLISH) == "published on the status page by Ann (command line)"
    assert act(shop, ActionKind.PUBLISH, key="again").startswith("refused: it is on the status page")
    act(shop, ActionKind.PUBLISH, key="more", text="Search is slow.", target="Identified")
    twice = act(shop, ActionKind.PUBLISH, key="twice", text="Search is slow.", target="Identified")
    assert twice == "no change: the same text was published last"
    act(shop, ActionKind.NOTE, key="n", text="the disk of 10.1.2.3 is full")
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert published(shop) == [("start", "open"), ("note", "update"), ("resolution", "resolve")]
    facts = [row[0] for row in shop.rows("SELECT facts FROM messages WHERE channel = 'public' ORDER BY id")]
    assert [b"Search is slow." in each for each in facts] == [False, True, False]
    assert [b'"public_status":"Identified"' in each for each in facts] == [False, True, False]
    assert act(shop, ActionKind.PUBLISH, key="x", text="y", target="Resolved").startswith("refused: ")
    notes = shop.rows("SELECT facts FROM messages WHERE channel = 'slack' AND kind = 'note' ORDER BY id")
    assert b"published on the status page as identified by Ann (command line): Search is slow." in notes[1][0]
    assert not shop.rows("SELECT id FROM messages WHERE channel = 'pagerduty' AND kind = 'note'")


def test_an_incident_without_a_page_cannot_be_published(shop: Shop) -> None:
    """The severity or the service does not ask for it."""
    labels = {"alertname": "ServiceDown", "service": "plato", "severity": "warning"}
    shop.deliver(a_body(alerts=[an_alert(labels=labels)]))
    assert act(shop, ActionKind.PUBLISH).startswith("refused: neither its severity nor its service")
    assert published(shop) == []


def test_a_rule_may_publish_by_itself(shop: Shop) -> None:
    """With automatic: true the page opens with the incident, and re-fires reopen it."""
    shop.context = a_public_desk(automatic=True)
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[OVER], status="resolved"))
    shop.deliver(a_body(alerts=[an_alert(labels=FIRING["labels"], startsAt="2026-11-23T10:01:00Z")]))
    assert published(shop) == [("start", "open"), ("resolution", "resolve"), ("again", "update")]
