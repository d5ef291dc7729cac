"""The worst alert of an incident is hidden for a while: it is neither milder nor forgotten for that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from responder.engine import pipeline
from responder.engine.effects.context import History
from tests.support.builders import NOW, a_group, an_alert
from tests.unit.engine.test_pipeline import EVERYTHING, a_delivery, a_desk, begun, following, told

MILD = an_alert(labels={"severity": "warning", "instance": "2"})


def test_an_incident_is_not_milder_because_its_worst_alert_is_hidden() -> None:
    """A P1 that is silenced still fires; when the silence expires it is not announced as worse."""
    context = a_desk()
    first = begun(context, an_alert(), MILD)
    hidden = following(first, a_group(MILD), context)
    assert hidden.incident is not None
    assert hidden.incident.severity == "P1"
    assert told(following(hidden, a_group(an_alert(), MILD), context, 3)) == []


def test_a_p1_that_was_hidden_at_the_end_pages_when_it_is_shown_again() -> None:
    """The resolve was announced, and only a P3 re-fired since: the P1 is news, though it started long ago."""
    context = a_desk()
    first = begun(context, an_alert(), MILD)
    assert first.incident is not None
    over = replace(first.incident, open=False, resolved_at=NOW + timedelta(minutes=5))
    mild = pipeline.triage(a_group(MILD), a_delivery(2, 600), History(over), context)
    assert told(mild) == [("slack", "edit"), ("slack", "aloud")]
    shown = following(mild, a_group(an_alert(), MILD), context, 3, after=660)
    assert ("pagerduty", "trigger") in told(shown)
    assert shown.request is not None


def test_what_is_repeated_and_worse_by_now_pages() -> None:
    """New rules may raise the severity of a firing alert: its next notification pages."""
    first = begun(a_desk(replace(EVERYTHING, severity="P3")))
    assert ("pagerduty", "trigger") in told(following(first, a_group(), a_desk()))
