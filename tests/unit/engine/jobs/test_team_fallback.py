"""Fallback of pages on the channels of a team."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import left_open
from responder.engine.jobs.fallback import planned_fallbacks
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.model.team import Team
from responder.notify.channels.pagerduty import PagerDuty
from responder.store.outbox.undelivered import UndeliveredMessage
from tests.support.builders import NOW, a_content, a_draft
from tests.unit.engine.test_pipeline import CHANNELS_USED, a_desk

TEAMS = {
    "payments": Team(name="payments", channels=("payments-pager",), fallback=("payments-backup", "shared")),
    "search": Team(name="search", channels=("search-pager",)),
}
NAMES = ("payments-pager", "payments-backup", "shared", "search-pager")


def a_context() -> DecisionContext:
    """The context of two teams, PagerDuty and Slack of the settings."""
    named = {name: PagerDuty(Secret("0" * 32), name=name) for name in NAMES}
    base = a_desk(channels=CHANNELS_USED | named)
    return replace(base, book=replace(base.book, teams=TEAMS))


def after(channel: str, team: str, kind: MessageKind = MessageKind.START, channel_kind: str = "") -> str:
    """Return the channel that a page rejected by this channel goes to."""
    page = UndeliveredMessage(
        id=1,
        dead=True,
        resolved=False,
        message=a_draft(channel=channel, kind=kind, channel_kind=channel_kind),
        decision=replace(a_content().decision, teams=(team,), pages=True),
        written_at=NOW,
        error="HTTP 400",
        failing_since=None,
    )
    [found] = planned_fallbacks([page], a_context(), 60.0, NOW + timedelta(seconds=1))
    return found.channel


@pytest.mark.parametrize(
    ("channel", "team", "kind", "expected"),
    [
        ("payments-pager", "payments", MessageKind.START, "payments-backup"),
        ("payments-backup", "payments", MessageKind.FALLBACK, "shared"),
        ("shared", "payments", MessageKind.FALLBACK, "pagerduty"),
        ("pagerduty", "payments", MessageKind.FALLBACK, "slack"),
        ("slack", "payments", MessageKind.FALLBACK, "log"),
        ("search-pager", "search", MessageKind.START, "pagerduty"),
        ("removed-pager", "search", MessageKind.START, "pagerduty"),
    ],
)
def test_a_page_falls_back_to_its_team_and_then_to_the_settings(
    channel: str, team: str, kind: MessageKind, expected: str
) -> None:
    """The fallbacks of the page's own team go first; no page reaches the channels of another team."""
    assert after(channel, team, kind) == expected


@pytest.mark.parametrize(("kind", "expected"), [("pagerduty", "pagerduty"), ("slack", "slack"), ("", "pagerduty")])
def test_the_kind_of_a_removed_channel_decides_who_gets_its_messages(kind: str, expected: str) -> None:
    """Only a message of a removed pager, or of an unknown kind, pages on-call by another channel."""
    assert after("removed", "search", channel_kind=kind) == expected


def test_a_pager_that_is_gone_is_named_in_the_resolve() -> None:
    """A resolve names each channel that may have paged and is no longer configured."""
    assert "removed-pager" in left_open(["removed-pager", "slack"], CHANNELS_USED)
    assert left_open(["pagerduty", "slack"], CHANNELS_USED) == ""
