"""Reminders of a missed response or update: when they are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from responder.converse.reminders import Standing, due, respond_by
from responder.model.report import UNHANDLED, Handling
from responder.model.rule import Reminders
from responder.model.window import TimeRange, Window
from tests.support.builders import a_severity

#: A Friday, at noon.
OPENED = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
OFFICE = Window(
    name="office",
    zone=ZoneInfo("Europe/Berlin"),
    days=frozenset(range(5)),
    spans=(TimeRange(time(9), time(12)), TimeRange(time(13), time(17))),
)
TAKEN = Handling(acknowledged_by="Ann", acknowledged_at=OPENED, taken_at=OPENED)


def standing(name: str = "P1", **changes: Any) -> Standing:
    """An incident that nobody has acknowledged."""
    given: dict[str, Any] = {"severity": a_severity(name), "since": OPENED, "handling": UNHANDLED}
    return Standing(**{**given, **changes})


def after(minutes: float, found: Standing) -> str:
    """The text of the reminder that is due after some minutes, empty for none."""
    reminder = due(found, OPENED + timedelta(minutes=minutes))
    return reminder.text if reminder else ""


def test_a_response_is_late_at_its_time_and_not_before() -> None:
    """P1 is due after 15 minutes; the reminder names the time and the target."""
    assert after(14.9, standing()) == ""
    assert after(15, standing()) == "not acknowledged; the response was due at 12:15 UTC (15 minutes, all hands)"


def test_a_response_is_reminded_of_once() -> None:
    """The state after the first reminder leads to no second one, however long nobody answers."""
    first = due(standing(), OPENED + timedelta(minutes=15))
    assert first is not None
    assert after(1440, standing(handling=first.handling)) == ""


def test_an_acknowledged_incident_needs_updates_instead() -> None:
    """After an acknowledgement the response is never late; the update is, and the person is named."""
    taken = standing(handling=TAKEN, updated_at=OPENED)
    assert after(29, taken) == ""
    said = "acknowledged by Ann; no update since 12:00 UTC; the next one was due at 12:30 UTC"
    assert after(30, taken) == said
    assert after(30, replace(taken, updated_at=OPENED + timedelta(minutes=10))) == ""


def test_an_update_starts_the_time_anew() -> None:
    """One reminder for each update that is missed."""
    late = due(standing(handling=TAKEN), OPENED + timedelta(minutes=30))
    assert late is not None
    reminded = standing(handling=late.handling)
    assert after(300, reminded) == ""
    updated = replace(reminded, updated_at=OPENED + timedelta(minutes=40))
    assert after(69, updated) == ""
    assert after(70, updated)


def test_an_acknowledgement_that_ended_makes_the_response_due_again() -> None:
    """The time counts from the moment at which the person gave it back, also after an earlier reminder."""
    released = Handling(taken_at=OPENED + timedelta(minutes=60), response_reminded_at=OPENED + timedelta(minutes=15))
    assert after(74, standing(handling=released)) == ""
    assert "due at 13:15 UTC" in after(75, standing(handling=released))


def test_nothing_is_reminded_of_while_a_pager_escalates_unless_asked_for() -> None:
    """A pager that accepted the page escalates by itself; after an acknowledgement it does not."""
    assert after(15, standing(paged=True)) == ""
    asked = a_severity("P1", reminders=Reminders(paged=True))
    assert after(15, standing(paged=True, severity=asked))
    assert after(30, standing(paged=True, handling=TAKEN))


@pytest.mark.parametrize(
    ("reminders", "handling"), [(Reminders(response=False), UNHANDLED), (Reminders(update=False), TAKEN)]
)
def test_a_severity_may_do_without(reminders: Reminders, handling: Handling) -> None:
    """Each reminder can be switched off."""
    assert after(600, standing(severity=a_severity("P1", reminders=reminders), handling=handling)) == ""


def test_a_snooze_postpones_the_update() -> None:
    """A snoozed incident is quiet until then, and its next update counts from there."""
    snoozed = replace(TAKEN, snoozed_until=OPENED + timedelta(hours=2))
    assert after(119, standing(handling=snoozed)) == ""
    assert after(149, standing(handling=snoozed)) == ""
    assert after(150, standing(handling=snoozed))


def test_the_next_business_day_follows_a_window() -> None:
    """Opened on Friday at 13:00 in Berlin: late when the last span of the next day that opens has ended."""
    friday = standing("P4", severity=a_severity("P4", reminders=Reminders(window=OFFICE)))
    morning = replace(friday, since=datetime(2026, 11, 27, 2, 0, tzinfo=UTC))
    assert respond_by(morning) == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)
    evening = replace(friday, since=datetime(2026, 11, 27, 16, 0, tzinfo=UTC))
    assert respond_by(evening) == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert respond_by(standing("P4", window=OFFICE)) is not None


def test_without_a_business_day_only_the_update_is_late() -> None:
    """A severity that sets no time for the response is reminded of by its updates."""
    assert respond_by(standing("P4")) is None
    assert after(1439, standing("P4")) == ""
    assert after(1440, standing("P4")) == "no update since 2026-11-27 12:00 UTC; the next one was due at 12:00 UTC"
