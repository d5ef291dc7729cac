"""Decisions about an incident that only need time to pass."""

from __future__ import annotations

from responder.model.incident import ChangeKind, Incident
from responder.model.timing import USUAL
from responder.triage.lifecycle import quiet_period
from responder.triage.recheck import review
from tests.support.builders import STARTED
from tests.unit.triage.test_lifecycle import MINUTE, ONE, ONE_OVER, TWO, TWO_OVER, Story, flaps, over


def known(story: Story) -> Incident:
    """The story's incident."""
    assert story.incident is not None
    return story.incident


def test_the_end_that_was_held_back_is_told_when_it_has_lasted() -> None:
    """Ten quiet minutes after its first re-fire, a flapping incident resolves, with the reason for the delay."""
    story = Story()
    story.hears(ONE, at=0)
    flaps(story, 1)
    assert story.hears(over(began=12, ended=13), at=13).kind is ChangeKind.HELD
    end = STARTED + 13 * MINUTE + quiet_period(1)
    assert review(known(story), end - MINUTE).kind is ChangeKind.REPEATED
    change = review(known(story), end)
    assert (change.kind, change.flaps, change.review_at) == (ChangeKind.RESOLVED, 1, None)
    assert change.reason == "resolved because no alert fired for 10 minutes after the last re-fire"


def test_what_was_not_named_any_more_is_resolved_in_the_end() -> None:
    """A silenced member does not keep an incident open for ever: Alertmanager never sends its resolve."""
    story = Story()
    story.hears(ONE, TWO)
    story.hears(TWO_OVER, at=6)
    early = review(known(story), STARTED + 6 * MINUTE + USUAL.peer / 2)
    assert (early.kind, early.resolve_at) == (ChangeKind.REPEATED, STARTED + 6 * MINUTE + USUAL.peer)
    change = review(known(story), STARTED + 6 * MINUTE + USUAL.peer)
    assert (change.kind, change.review_at, change.resolve_reason) == (ChangeKind.RESOLVED, None, "")
    assert "1 firing alert no longer notified (silenced or inhibited: ServiceDown instance 1)" in change.reason


def test_what_a_peer_keeps_saying_is_believed() -> None:
    """A peer that reports firing and never corrects it is doubted for at most six minutes."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER, at=6)
    story.hears(ONE, at=7)
    assert review(known(story), STARTED + 7 * MINUTE + USUAL.peer / 2).kind is ChangeKind.REPEATED
    change = review(known(story), STARTED + 7 * MINUTE + USUAL.peer)
    assert (change.kind, change.added, change.flaps) == (ChangeKind.AGAIN, (ONE.fingerprint,), 1)
    assert (change.firing, change.review_at) == (1, None)


def test_a_doubt_about_a_part_is_settled_as_growth() -> None:
    """The incident is open already: that one more of it fires is an update and no page."""
    story = Story()
    story.hears(ONE, TWO)
    story.hears(ONE_OVER, TWO)
    story.hears(ONE, TWO, at=6)
    change = review(known(story), STARTED + 6 * MINUTE + USUAL.peer)
    assert (change.kind, change.firing, change.flaps) == (ChangeKind.GROWN, 2, 0)
