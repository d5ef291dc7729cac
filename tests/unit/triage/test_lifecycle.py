"""State by comparison: what a notification changes."""

from __future__ import annotations

from dataclasses import replace

from responder.model.alert import Alert, AlertGroup
from responder.model.incident import Change, ChangeKind, Incident
from responder.standins.builders import a_group, a_resolved_alert, an_alert, an_incident
from responder.triage.lifecycle import compare

ONE = an_alert(labels={"instance": "1"})
TWO = an_alert(labels={"instance": "2"})
ONE_OVER = a_resolved_alert(labels={"instance": "1"})
TWO_OVER = a_resolved_alert(labels={"instance": "2"})


def after(*notifications: AlertGroup) -> tuple[Incident | None, Change]:
    """Apply notifications in order, as the engine does, and return the last change."""
    incident: Incident | None = None
    for number, group in enumerate(notifications, 1):
        change = compare(group, incident, number)
        if change.kind is ChangeKind.NEW:
            incident = replace(an_incident(), open=True, alerts=change.alerts, delivery=number, id=f"INC-{number}")
        elif incident and change.kind is not ChangeKind.STALE:
            resolved = change.kind is ChangeKind.RESOLVED
            incident = replace(incident, open=not resolved, alerts=change.alerts, delivery=number)
    return incident, change


def kind(*notifications: tuple[Alert, ...]) -> ChangeKind:
    """The kind of the last change."""
    return after(*(a_group(*alerts) for alerts in notifications))[1].kind


def test_the_first_firing_notification_opens() -> None:
    """An alert that fires opens an incident."""
    assert kind((ONE,)) is ChangeKind.NEW


def test_a_repeated_notification_changes_nothing() -> None:
    """Duplicates of an Alertmanager pair and repeat intervals do not page again."""
    assert kind((ONE, TWO), (ONE, TWO), (TWO, ONE)) is ChangeKind.REPEATED


def test_one_more_alert_is_growth() -> None:
    """People hear when the incident becomes bigger."""
    assert kind((ONE,), (ONE, TWO)) is ChangeKind.GROWN


def test_growth_wins_over_a_resolution_in_the_same_notification() -> None:
    """Bad news is not hidden by good news."""
    _, change = after(a_group(ONE), a_group(ONE_OVER, TWO))
    assert change.kind is ChangeKind.GROWN
    assert "1 resolved" in change.reason


def test_a_part_that_resolves_is_said() -> None:
    """People hear when the incident becomes smaller."""
    assert kind((ONE, TWO), (ONE, TWO_OVER)) is ChangeKind.PARTLY_RESOLVED


def test_it_is_resolved_when_nothing_fires() -> None:
    """The incident closes with its last alert."""
    incident, change = after(a_group(ONE, TWO), a_group(ONE_OVER, TWO_OVER))
    assert change.kind is ChangeKind.RESOLVED
    assert incident is not None
    assert not incident.open


def test_a_truncated_group_is_never_resolved() -> None:
    """max_alerts makes Alertmanager say "resolved" while cut-off alerts still fire: we do not believe it."""
    _, change = after(a_group(ONE, TWO), a_group(ONE_OVER, truncated=1))
    assert change.kind is ChangeKind.PARTLY_RESOLVED
    assert "max_alerts" in change.reason
    _, change = after(a_group(ONE, TWO), a_group(ONE_OVER, truncated=1), a_group(ONE_OVER, truncated=1))
    assert change.kind is ChangeKind.REPEATED


def test_a_silenced_member_does_not_keep_the_incident_open() -> None:
    """Alertmanager never reports the end of a silenced alert; the reason says that it was left out."""
    _, change = after(a_group(ONE, TWO), a_group(TWO_OVER))
    assert change.kind is ChangeKind.RESOLVED
    assert "silenced or inhibited" in change.reason


def test_firing_again_after_the_end_opens_anew() -> None:
    """The same group, later, is a new incident that says which one it follows."""
    incident, change = after(a_group(ONE), a_group(ONE_OVER), a_group(ONE))
    assert change.kind is ChangeKind.NEW
    assert "INC-1" in change.reason
    assert incident is not None
    assert incident.id == "INC-3"


def test_a_resolution_of_nothing_is_recorded_only() -> None:
    """A resolve for an incident we never had does not open one."""
    assert kind((ONE_OVER,)) is ChangeKind.STALE


def test_an_older_delivery_cannot_undo_a_newer_one() -> None:
    """Two workers that decide out of order do not reopen what is over."""
    incident, _ = after(a_group(ONE), a_group(ONE_OVER))
    change = compare(a_group(ONE), incident, 1)
    assert change.kind is ChangeKind.STALE
    assert "older than delivery 2" in change.reason
