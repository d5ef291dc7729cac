"""A lagging Alertmanager of a pair says that a resolved alert fires, and corrects this with its next flush."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.model.incident import ChangeKind, Incident
from responder.model.timing import USUAL
from responder.triage.recheck import review
from tests.support.builders import NOW, a_group, an_alert
from tests.unit.engine.test_pipeline import a_delivery, a_desk, begun

OVER = an_alert(firing=False, ends_at=NOW + timedelta(minutes=2))


def heard(incident: Incident, *alerts: object, number: int, after: float) -> Incident:
    """The stored incident after one more notification that sends nothing."""
    group = a_group(*alerts)  # type: ignore[arg-type]
    effects = pipeline.triage(group, a_delivery(number, after), History(incident), a_desk())
    assert effects.messages == ()
    assert effects.incident is not None
    return effects.incident


def contradicted() -> Incident:
    """A resolved incident that the lagging peer then reports as firing."""
    context = a_desk()
    first = begun(context)
    ended = pipeline.triage(a_group(OVER), a_delivery(2, 120), History(first.incident), context)
    assert ended.incident is not None
    assert not ended.incident.open
    return heard(ended.incident, an_alert(), number=3, after=130)


def test_what_a_lagging_peer_takes_back_pages_nobody() -> None:
    """A peer of Alertmanager that lags by seconds does not cause a page six minutes after the resolve."""
    with_doubt = contradicted()
    assert with_doubt.review_at == NOW + timedelta(seconds=130) + USUAL.peer
    settled = heard(with_doubt, OVER, number=4, after=140)
    assert (settled.open, settled.review_at) == (False, None)
    assert review(settled, NOW + timedelta(hours=1)).kind is ChangeKind.REPEATED


def test_it_may_be_taken_back_late() -> None:
    """The peer's next flush ends the doubt even where it comes long after the incident could have returned."""
    with_doubt = replace(contradicted(), review_at=NOW + timedelta(hours=2))
    settled = heard(with_doubt, OVER, number=4, after=3600)
    assert (settled.open, settled.review_at) == (False, None)


def test_what_is_not_taken_back_pages() -> None:
    """A peer that goes on saying so may be the only one that still sees it."""
    assert review(contradicted(), NOW + timedelta(seconds=130) + USUAL.peer).kind is ChangeKind.AGAIN
