"""Drafts of post-mortems that severities ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from responder.engine.jobs.postmortems import OLDEST, SETTLE, PostmortemJob
from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import Action, ActionKind
from responder.store.database import Database
from responder.store.incidents import actions
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified
from tests.unit.engine.workers.test_triage import Shop


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Shop:
    """A triage whose severities ask for a post-mortem within two days, with an open incident."""
    found = Shop(database, clock)
    desk = a_desk(replace(EVERYTHING, probes=()))
    severities = {name: replace(each, postmortem_due=172_800.0) for name, each in desk.book.severities.items()}
    found.context = replace(desk, book=replace(desk.book, severities=severities))
    notified(found, host(1))
    return found


def act(shop: Shop, kind: ActionKind, key: str = "k") -> None:
    """Store an action on the incident and apply it."""
    number = str(shop.rows("SELECT id FROM incidents")[0][0])
    action = Action(incident=number, kind=kind, entry="cli", key=key, actor="Ann", at=shop.clock.now())
    actions.keep(shop.database, action, shop.clock.now())
    apply(shop)


def apply(shop: Shop) -> None:
    """Apply the stored actions."""
    ActionWorker(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).step()


def drafts(shop: Shop) -> list[dict[str, str]]:
    """The facts of the drafts that were written for channels."""
    rows = shop.rows("SELECT facts FROM messages WHERE kind = 'postmortem' ORDER BY id")
    return [json.loads(bytes(row[0])) for row in rows]


def run(shop: Shop, later: timedelta = SETTLE) -> None:
    """Let time pass, run the job, and apply what it stored."""
    shop.clock.move(later.total_seconds())
    PostmortemJob(shop.database, lambda: shop.context, shop.clock).run()
    apply(shop)


def test_one_draft_is_posted_after_the_resolve(shop: Shop) -> None:
    """A minute after the resolve each channel that people read gets one draft with its due time; pagers get none."""
    run(shop)
    assert not drafts(shop), "it still fires"
    act(shop, ActionKind.RESOLVE)
    run(shop, timedelta(seconds=5))
    assert not drafts(shop), "it may fire again"
    run(shop)
    run(shop)
    readers = [name for name, channel in shop.context.channels.items() if not channel.pages]
    sent = shop.rows("SELECT DISTINCT channel FROM messages WHERE kind = 'postmortem'")
    assert {str(row[0]) for row in sent} <= set(readers)
    assert len(drafts(shop)) == len(sent) > 0
    assert drafts(shop)[0]["draft"].startswith("# Post-mortem: ")
    assert drafts(shop)[0]["update"].startswith("Draft, due ")


def test_a_draft_that_a_person_asked_for_is_not_posted_again(shop: Shop) -> None:
    """A press after the resolve posts the draft; the job adds none, and a double press is one."""
    act(shop, ActionKind.RESOLVE)
    shop.clock.move(1)
    act(shop, ActionKind.POSTMORTEM, "first")
    act(shop, ActionKind.POSTMORTEM, "second")
    posted = len(drafts(shop))
    run(shop)
    assert len(drafts(shop)) == posted > 0


def test_old_incidents_and_other_severities_get_none(shop: Shop) -> None:
    """A resolve of more than a day ago, or of a severity without a post-mortem, posts nothing."""
    act(shop, ActionKind.RESOLVE)
    with_drafts = shop.context
    none = {name: replace(each, postmortem_due=None) for name, each in with_drafts.book.severities.items()}
    shop.context = replace(with_drafts, book=replace(with_drafts.book, severities=none))
    run(shop)
    shop.context = with_drafts
    run(shop, OLDEST)
    assert not drafts(shop)
