"""The effect of an action on the handling of an incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from responder.converse.apply import Applied, apply
from responder.model.action import Action, ActionKind
from responder.model.report import UNHANDLED, Handling
from tests.support.builders import NOW

TAKEN = Handling(acknowledged_by="Ann", acknowledged_at=NOW)


def an_action(kind: ActionKind = ActionKind.ACKNOWLEDGE, **changes: Any) -> Action:
    """An action by Ann on the incident INC-118."""
    given: dict[str, Any] = {
        "incident": "INC-118",
        "kind": kind,
        "entry": "slack",
        "key": "1",
        "actor": "Ann",
        "at": NOW,
    }
    return Action(**{**given, **changes})


def applied(
    action: Action, handling: Handling = UNHANDLED, *, fires_since: datetime | None = NOW - timedelta(hours=1)
) -> Applied:
    """The effect of an action that came from Slack."""
    return apply(action, fires_since=fires_since, handling=handling, entry_title="Slack", now=NOW)


def test_an_acknowledgement_names_the_person_and_the_entry_point() -> None:
    """The incident keeps who acknowledged it and when."""
    found = applied(an_action(at=NOW - timedelta(seconds=4)))
    then = NOW - timedelta(seconds=4)
    assert found.handling == Handling(acknowledged_by="Ann", acknowledged_at=then, taken_at=then)
    assert found.outcome == "acknowledged by Ann (Slack)"
    assert found.changed


def test_the_second_acknowledgement_changes_nothing() -> None:
    """Two people press at once: the first one has acknowledged, and no channel is notified twice."""
    found = applied(an_action(actor="Bob"), TAKEN)
    assert found == Applied(handling=TAKEN, outcome="no change: already acknowledged by Ann", changed=False)


def test_an_acknowledgement_that_ended_can_be_given_again() -> None:
    """PagerDuty's acknowledgement timed out: the incident is free again."""
    found = applied(an_action(ActionKind.UNACKNOWLEDGE, actor=""), TAKEN)
    assert not found.handling.acknowledged
    assert found.outcome == "acknowledgement ended in Slack"
    assert applied(an_action(actor="Bob"), found.handling).handling.acknowledged_by == "Bob"


def test_a_snooze_acknowledges() -> None:
    """A snooze has an end in the future, and keeps an earlier acknowledgement."""
    later = NOW + timedelta(hours=4)
    found = applied(an_action(ActionKind.SNOOZE, actor="Bob", until=later), TAKEN)
    assert (found.handling.acknowledged_by, found.handling.snoozed_until) == ("Ann", later)
    assert applied(an_action(ActionKind.SNOOZE, until=NOW)).outcome == "refused: the end of the snooze is in the past"


def test_reports_in_the_wrong_order_end_in_the_newest_state() -> None:
    """PagerDuty's webhooks may come late: an acknowledgement from before a release is not news."""
    released = applied(an_action(ActionKind.UNACKNOWLEDGE, at=NOW + timedelta(minutes=5)), TAKEN).handling
    late = applied(an_action(at=NOW + timedelta(minutes=1)), released)
    assert not late.changed
    assert not late.handling.acknowledged
    assert applied(an_action(at=NOW + timedelta(minutes=6)), released).handling.acknowledged


def test_a_resolve_of_a_resolved_incident_is_no_error() -> None:
    """Responder's own resolve comes back as a webhook of PagerDuty."""
    found = applied(an_action(ActionKind.RESOLVE), fires_since=None)
    assert not found.refused
    assert not found.changed


_AFTERWARDS = {ActionKind.NOTE, ActionKind.RESOLVE, ActionKind.POSTMORTEM, ActionKind.ARCHIVE}
_OTHERS = [kind for kind in ActionKind if kind not in _AFTERWARDS]


@pytest.mark.parametrize("kind", _OTHERS)
def test_a_resolved_incident_takes_notes_only(kind: ActionKind) -> None:
    """Old messages stay pressable for ever: what no longer applies is refused with the reason."""
    assert applied(an_action(kind), fires_since=None).outcome == "refused: the incident is resolved"
    assert applied(an_action(ActionKind.NOTE, text="it was the proxy"), fires_since=None).changed


@pytest.mark.parametrize("kind", [ActionKind.RESOLVE, ActionKind.ACKNOWLEDGE])
def test_a_late_report_about_an_earlier_page_changes_nothing(kind: ActionKind) -> None:
    """Incidents of one group have one dedup key: the resolve of the last one must not resolve the present one."""
    found = applied(an_action(kind, at=NOW - timedelta(minutes=1)), fires_since=NOW)
    assert found == Applied(handling=UNHANDLED, outcome="no change: it is about an earlier page", changed=False)
    assert applied(an_action(kind, at=NOW), fires_since=NOW).changed


def test_a_note_needs_words() -> None:
    """An empty note is refused, and a long one is cut."""
    assert applied(an_action(ActionKind.NOTE, text=" \n")).refused
    assert len(applied(an_action(ActionKind.NOTE, text="x" * 9000)).outcome) < 2100


def test_a_resolve_gives_its_reason() -> None:
    """The reason that a person gives is the resolution."""
    found = applied(an_action(ActionKind.RESOLVE, text="restarted plato"))
    assert (found.resolves, found.outcome) == (True, "resolved by Ann (Slack): restarted plato")


def test_the_same_assignee_or_priority_is_no_news() -> None:
    """PagerDuty repeats its webhooks: what is known already notifies no channel."""
    found = applied(an_action(ActionKind.REASSIGN, target="Bob"))
    assert found.outcome == "assigned to Bob by Ann (Slack)"
    assert not applied(an_action(ActionKind.REASSIGN, target="Bob"), found.handling).changed
    assert applied(an_action(ActionKind.PRIORITY, target="P2")).outcome == "priority P2 set by Ann (Slack)"


def test_a_name_is_one_line_of_text() -> None:
    """A display name with markup or line breaks stays text, and a missing one says automation."""
    assert "\n" not in applied(an_action(actor="Ann\n<!channel>")).outcome
    assert applied(an_action(actor="")).outcome == "acknowledged by automation (Slack)"
