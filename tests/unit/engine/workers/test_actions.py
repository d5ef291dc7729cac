"""Actions of people, from the row that an entry point stored to the messages of all channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import Action, ActionKind
from responder.model.secret import Secret
from responder.notify.channels.pagerduty_notes import PagerDutyNotes
from responder.store.database import Database
from responder.store.incidents import actions, incidents
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified
from tests.unit.engine.workers.test_triage import Shop


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage with an open incident that was paged."""
    found = Shop(database, clock)
    found.context = a_desk(replace(EVERYTHING, probes=()))
    notified(found, host(1))
    yield found
    found.diagnosis.close()


def act(shop: Shop, kind: ActionKind = ActionKind.ACKNOWLEDGE, **changes: Any) -> str:
    """Store an action and apply it; return its outcome."""
    given: dict[str, Any] = {"incident": incident(shop), "kind": kind, "entry": "cli", "key": "k", "actor": "Ann"}
    number = actions.keep(shop.database, Action(**{**given, "at": shop.clock.now(), **changes}), shop.clock.now())
    worker = ActionWorker(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock)
    worker.step()
    with shop.database.read() as connection:
        row = actions.find(connection, number)
    assert row is not None
    assert row.state != "new"
    return row.outcome


def incident(shop: Shop) -> str:
    """The id of the newest incident."""
    return str(shop.rows("SELECT id FROM incidents ORDER BY opened_at DESC LIMIT 1")[0][0])


def sent(shop: Shop, kind: str) -> list[tuple[str, str]]:
    """Channel and step of each message of a kind."""
    return [
        (row[0], row[1]) for row in shop.rows(f"SELECT channel, step FROM messages WHERE kind = '{kind}' ORDER BY id")
    ]


def test_an_acknowledgement_reaches_every_notified_channel(shop: Shop) -> None:
    """Acknowledged on the command line: PagerDuty stops escalating, and Slack names the person."""
    assert act(shop) == "acknowledged by Ann (command line)"
    found = sent(shop, "acknowledged")
    assert ("pagerduty", "acknowledge") in found
    assert ("slack", "edit") in found


def test_an_acknowledgement_does_not_go_back_to_its_pager(shop: Shop) -> None:
    """PagerDuty reported it, so PagerDuty knows it."""
    act(shop, entry="pagerduty")
    assert not [channel for channel, _step in sent(shop, "acknowledged") if channel == "pagerduty"]
    assert [channel for channel, _step in sent(shop, "acknowledged") if channel == "slack"]


def test_actions_that_wait_together_are_applied_in_one_step(shop: Shop) -> None:
    """Several people press at once, or the engine was away: each action is settled, in order."""
    now = shop.clock.now()
    for number, actor in enumerate(("Ann", "Bob", "Cid")):
        given = Action(
            incident=incident(shop), kind=ActionKind.ACKNOWLEDGE, entry="cli", key=str(number), actor=actor, at=now
        )
        actions.keep(shop.database, given, now)
    ActionWorker(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).step()
    assert shop.rows("SELECT actor, state FROM actions ORDER BY id") == [
        ("Ann", "applied"),
        ("Bob", "unchanged"),
        ("Cid", "unchanged"),
    ]


def test_an_action_that_arrives_twice_is_stored_once(shop: Shop) -> None:
    """The same key of the same entry point is the same action."""
    act(shop)
    before = sent(shop, "acknowledged")
    assert act(shop) == "acknowledged by Ann (command line)"
    assert sent(shop, "acknowledged") == before
    assert act(shop, key="other") == "no change: already acknowledged by Ann"
    assert sent(shop, "acknowledged") == before


def test_a_repeated_notification_keeps_the_acknowledgement(shop: Shop) -> None:
    """Alertmanager repeats what fires; who acknowledged it is still known, also after an update."""
    act(shop)
    notified(shop, host(1), host(2))
    with shop.database.read() as connection:
        content = incidents.contents_of(connection, [incident(shop)])[incident(shop)]
    assert content.handling.acknowledged_by == "Ann"


def test_a_resolve_by_a_person_resolves_everywhere(shop: Shop) -> None:
    """PagerDuty gets the resolve, and the next notification with the same alert says that it still fires."""
    assert act(shop, ActionKind.RESOLVE, text="restarted") == "resolved by Ann (command line): restarted"
    assert ("pagerduty", "resolve") in sent(shop, "resolution")
    notified(shop, host(1))
    [again] = shop.rows("SELECT facts FROM messages WHERE channel = 'slack' AND kind = 'again' AND step = 'edit'")
    assert b"1 alert still firing" in again[0]


def test_a_resolve_in_pagerduty_is_sent_there_behind_what_waits(shop: Shop) -> None:
    """A message that waits for PagerDuty would open the incident anew: the resolve follows it, under the same key."""
    act(shop, ActionKind.RESOLVE, entry="pagerduty")
    assert ("pagerduty", "resolve") in sent(shop, "resolution")
    keys = shop.rows("SELECT DISTINCT ordering_key FROM messages WHERE channel = 'pagerduty'")
    assert len(keys) == 1


def test_a_page_for_other_alerts_is_not_acknowledged_yet(shop: Shop) -> None:
    """The acknowledgement was of the first page: when another one follows, nobody has taken it yet."""
    act(shop)
    notified(shop, host(2), host(3))
    with shop.database.read() as connection:
        content = incidents.contents_of(connection, [incident(shop)])[incident(shop)]
    assert not content.handling.acknowledged


def test_an_unknown_incident_is_refused(shop: Shop) -> None:
    """An id that is not in the database changes nothing and says so."""
    assert act(shop, incident="INC-0000000000", key="x") == "refused: no incident INC-0000000000"


def test_actions_from_elsewhere_become_notes_of_the_pager(shop: Shop) -> None:
    """PagerDuty's incident shows who acknowledged, noted and resolved; what came from PagerDuty does not go back."""
    notes = PagerDutyNotes(Secret("t"), "ann@example.com")
    shop.context = replace(shop.context, channels={**shop.context.channels, notes.name: notes})
    act(shop, key="1")
    act(shop, ActionKind.NOTE, key="2", text="the disk is full")
    act(shop, ActionKind.NOTE, key="3", text="seen there", entry="pagerduty")
    act(shop, ActionKind.RESOLVE, key="4", text="disk replaced")
    act(shop, ActionKind.POSTMORTEM, key="5")
    rows = shop.rows("SELECT facts, kind FROM messages WHERE channel = 'pagerduty_notes' ORDER BY id")
    assert [(json.loads(bytes(row[0]))["update"], row[1]) for row in rows] == [
        ("acknowledged by Ann (command line)", "note"),
        ("note by Ann (command line): the disk is full", "note"),
        ("resolved by Ann (command line): disk replaced", "note"),
    ]


def test_several_actions_are_applied_at_once(shop: Shop) -> None:
    """Actions that arrive together are applied in one transaction, each on what those before it did."""
    for number in range(3):
        action = Action(
            incident=incident(shop), kind=ActionKind.ACKNOWLEDGE, entry="cli", key=f"k{number}", at=shop.clock.now()
        )
        actions.keep(shop.database, action, shop.clock.now())
    ActionWorker(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).step()
    assert shop.rows("SELECT state FROM actions ORDER BY id") == [("applied",), ("unchanged",), ("unchanged",)]
