"""State by comparison: what a notification changes, in whatever order and however often it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from responder.model.alert import Alert, AlertGroup
from responder.model.clock import LINE_LIMIT
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.timing import USUAL
from responder.triage.lifecycle import MOST_TITLES, compare, without_outdated
from tests.support.builders import STARTED, a_group, a_resolved_alert, an_alert, an_incident

MINUTE = timedelta(minutes=1)


def fires(instance: str = "1", began: float = 0) -> Alert:
    """An alert that began some minutes after STARTED."""
    return an_alert(labels={"instance": instance}, starts_at=STARTED + began * MINUTE)


def over(instance: str = "1", began: float = 0, ended: float = 5) -> Alert:
    """The same alert, resolved some minutes after STARTED."""
    return a_resolved_alert(
        labels={"instance": instance}, starts_at=STARTED + began * MINUTE, ends_at=STARTED + ended * MINUTE
    )


ONE, TWO, ONE_OVER, TWO_OVER = fires("1"), fires("2"), over("1"), over("2")


class Story:
    """The incident of one group, as notifications change it."""

    def __init__(self) -> None:
        self.incident: Incident | None = None
        self.number = 0

    def hears(self, *alerts: Alert, at: float = 5, truncated: int = 0) -> Change:
        """Apply a notification that is received ``at`` minutes after STARTED, as the engine does."""
        self.number += 1
        now = STARTED + at * MINUTE
        group = replace(a_group(*alerts) if alerts else replace(a_group(), alerts=()), truncated=truncated)
        change = compare(without_outdated(group, self.incident, now), self.incident, self.number, now)
        self.incident = self.after(change, now)
        return change

    def after(self, change: Change, now: datetime) -> Incident | None:
        """The incident after a change."""
        kind = change.kind
        if kind is ChangeKind.NEW:
            self.incident = an_incident(id=f"INC-{self.number}", opened_at=now, resolved_at=None)
        if self.incident is None or kind is ChangeKind.STALE:
            return self.incident
        opens, ends = kind in {ChangeKind.NEW, ChangeKind.AGAIN}, kind is ChangeKind.RESOLVED
        return replace(
            self.incident,
            open=(self.incident.open or opens) and not ends,
            resolved_at=now if ends else None if opens else self.incident.resolved_at,
            notification=self.number,
            alerts=change.alerts,
            resolve_reason=change.resolve_reason,
            resolve_at=change.resolve_at,
            review_at=change.review_at,
            flaps=change.flaps,
            reopened_at=now if kind is ChangeKind.AGAIN else self.incident.reopened_at,
        )


def kind(*notifications: tuple[Alert, ...]) -> ChangeKind:
    """The kind of the last change."""
    story = Story()
    return [story.hears(*alerts) for alerts in notifications][-1].kind


def test_the_first_firing_notification_opens() -> None:
    """An alert that fires opens an incident."""
    assert kind((ONE,)) is ChangeKind.NEW


def test_a_repeated_notification_changes_nothing() -> None:
    """Duplicates of an Alertmanager pair and repeat intervals do not page again."""
    assert kind((ONE, TWO), (ONE, TWO), (TWO, ONE)) is ChangeKind.REPEATED


def test_one_more_alert_is_growth() -> None:
    """A growing incident is announced."""
    assert kind((ONE,), (ONE, TWO)) is ChangeKind.GROWN


def test_growth_wins_over_a_resolution_in_the_same_notification() -> None:
    """Bad news is not hidden by good news."""
    story = Story()
    story.hears(ONE)
    change = story.hears(ONE_OVER, TWO)
    assert change.kind is ChangeKind.GROWN
    assert "1 resolved" in change.reason


def test_a_part_that_resolves_is_said() -> None:
    """A shrinking incident is announced."""
    assert kind((ONE, TWO), (ONE, TWO_OVER)) is ChangeKind.PARTLY_RESOLVED


def test_it_is_resolved_when_nothing_fires() -> None:
    """The incident closes with its last alert."""
    assert kind((ONE, TWO), (ONE_OVER, TWO_OVER)) is ChangeKind.RESOLVED


def test_its_parts_may_end_one_after_the_other() -> None:
    """A resolved alert is announced once and then omitted: the incident resolves with its last alert."""
    assert kind((ONE, TWO), (ONE_OVER, TWO), (TWO_OVER,)) is ChangeKind.RESOLVED


def test_a_truncated_group_is_never_resolved() -> None:
    """max_alerts makes Alertmanager say "resolved" while truncated alerts still fire: this is not believed."""
    story = Story()
    story.hears(ONE, TWO)
    change = story.hears(ONE_OVER, truncated=1)
    assert change.kind is ChangeKind.PARTLY_RESOLVED
    assert "max_alerts" in change.reason
    assert story.hears(ONE_OVER, truncated=1).kind is ChangeKind.REPEATED
    assert story.incident is not None
    assert story.incident.review_at is None


def test_an_alert_that_is_not_named_keeps_the_incident_open_for_a_while() -> None:
    """A silence hides an alert and its end; so does a peer that does not know it yet. Both are given six minutes."""
    story = Story()
    story.hears(ONE, TWO)
    change = story.hears(TWO_OVER, at=6)
    assert change.kind is ChangeKind.PARTLY_RESOLVED
    assert "silenced or inhibited" in change.reason
    assert change.resolve_at == change.review_at == STARTED + 6 * MINUTE + USUAL.peer
    again = story.hears(TWO_OVER, at=7)
    assert (again.kind, again.resolve_at) == (ChangeKind.REPEATED, change.resolve_at)


def test_a_peer_that_knows_more_keeps_the_incident_open() -> None:
    """A "firing" from the other Alertmanager of a pair cancels the pending resolve without a second page."""
    story = Story()
    story.hears(ONE, TWO)
    story.hears(TWO_OVER, at=6)
    change = story.hears(ONE, TWO_OVER, at=7)
    assert (change.kind, change.resolve_at, change.resolve_reason) == (ChangeKind.REPEATED, None, "")


def test_firing_again_long_after_the_end_opens_anew() -> None:
    """The same group, an hour later, is a new incident that says which one it follows."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER)
    change = story.hears(fires(began=65), at=66)
    assert change.kind is ChangeKind.NEW
    assert "INC-1" in change.reason
    assert story.incident is not None
    assert story.incident.id == "INC-3"


def test_a_resolution_of_nothing_is_recorded_only() -> None:
    """An alert that started and ended before its first notification opens nothing; the reason says so."""
    change = Story().hears(ONE_OVER)
    assert change.kind is ChangeKind.STALE
    assert "fired and resolved between notifications" in change.reason


def test_an_older_delivery_cannot_undo_a_newer_one() -> None:
    """Two workers that decide out of order do not reopen a resolved incident."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER)
    story.number = 0
    change = story.hears(fires(began=6), at=7)
    assert change.kind is ChangeKind.STALE
    assert "older than notification 2" in change.reason


def test_a_lagging_peer_does_not_reopen_what_is_over() -> None:
    """One Alertmanager says resolved, the slower one still says firing with the same start: nothing pages."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER, at=6)
    change = story.hears(ONE, at=6.2)
    assert change.kind is ChangeKind.DOUBTED
    assert story.incident is not None
    assert not story.incident.open
    assert change.review_at == STARTED + 6.2 * MINUTE + USUAL.peer
    assert story.hears(over(ended=5), at=8).review_at is None


def test_a_lagging_peer_does_not_bring_back_a_part_that_is_over() -> None:
    """The same while other alerts of the group fire."""
    story = Story()
    story.hears(ONE, TWO)
    story.hears(ONE_OVER, TWO)
    change = story.hears(ONE, TWO, at=6)
    assert (change.kind, change.added) == (ChangeKind.REPEATED, ())
    assert change.review_at == STARTED + 6 * MINUTE + USUAL.peer


def test_a_peer_with_a_slightly_later_start_is_no_new_fire() -> None:
    """Two Prometheus of a pair see an alert begin a second apart: that is one alert."""
    story = Story()
    story.hears(fires(began=0))
    story.hears(fires(began=0.1))
    assert story.hears(over(began=0, ended=5), at=6).kind is ChangeKind.RESOLVED
    assert story.hears(fires(began=0.1), at=6.1).kind is ChangeKind.DOUBTED


def test_a_newer_start_is_a_new_fire() -> None:
    """An alert that fired after its known end pages at once, however soon."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER, at=6)
    assert story.hears(fires(began=5.5), at=6.1).kind is ChangeKind.AGAIN


def test_what_still_fires_long_after_its_end_was_told_is_believed() -> None:
    """Alertmanager lost its Prometheus for a while and said resolved: when it comes back the alert pages at once."""
    story = Story()
    story.hears(ONE)
    story.hears(ONE_OVER, at=6)
    late = 5 + USUAL.late / MINUTE
    assert story.hears(ONE, at=late - 0.1).kind is ChangeKind.DOUBTED
    assert story.hears(ONE, at=late).kind is ChangeKind.AGAIN


def test_the_end_of_an_earlier_life_does_not_end_a_later_one() -> None:
    """A resolve that comes late, after the alert began anew, closes nothing."""
    story = Story()
    story.hears(ONE)
    story.hears(fires(began=7), at=8)
    change = story.hears(ONE_OVER, at=9)
    assert change.kind is ChangeKind.REPEATED
    assert change.resolve_at is None
    assert story.hears(over(began=7, ended=10), at=11).kind is ChangeKind.RESOLVED


@pytest.mark.parametrize("order", [(fires(began=6), over(ended=5)), (over(ended=5), fires(began=6))])
def test_an_alert_that_is_named_twice_is_taken_as_it_is_last(order: tuple[Alert, Alert]) -> None:
    """A notification with the end of one life and the start of the next of the same alert: it fires."""
    story = Story()
    assert story.hears(*order, at=7).kind is ChangeKind.NEW
    assert story.hears(over(began=6, ended=8), over(began=0, ended=5), at=9).kind is ChangeKind.RESOLVED


def test_an_alert_named_as_firing_and_as_resolved_fires() -> None:
    """A contradictory notification is read as the worse of both."""
    assert Story().hears(ONE, ONE_OVER).kind is ChangeKind.NEW


def flaps(story: Story, times: int, every: float = 6) -> list[Change]:
    """The alert ends and begins anew; the changes of each end and each new beginning."""
    changes = []
    for number in range(times):
        began = (2 * number) * every
        ended = began + every
        changes.append(story.hears(over(began=began, ended=ended), at=ended))
        changes.append(story.hears(fires(began=ended + every), at=ended + every))
    return changes


def test_a_flapping_alert_is_one_incident_whose_end_is_held_back() -> None:
    """It resolves at once the first time; when it comes back its next end must last 10, 20, 40, 60 minutes."""
    story = Story()
    story.hears(ONE, at=0)
    changes = flaps(story, 6)
    assert [change.kind for change in changes] == [ChangeKind.RESOLVED, ChangeKind.AGAIN] + [
        ChangeKind.HELD,
        ChangeKind.AGAIN,
    ] * 5
    assert [change.flaps for change in changes if change.kind is ChangeKind.AGAIN] == [1, 2, 3, 4, 5, 6]
    ends = [6 + 12 * number for number in range(1, 6)]
    held = [change.resolve_at - STARTED for change in changes if change.resolve_at]
    assert [until / MINUTE - end for until, end in zip(held, ends, strict=True)] == [10, 20, 40, 60, 60]
    assert story.incident is not None
    assert story.incident.id == "INC-1"


def test_people_hear_less_and_less_often_of_a_flapping_alert() -> None:
    """The 1st, 2nd and 4th re-fire and so on are announced; all of them are counted."""
    story = Story()
    story.hears(ONE, at=0)
    told = [change.flaps for change in flaps(story, 9) if change.kind is ChangeKind.AGAIN and not change.quiet]
    assert told == [1, 2, 4, 8]


def test_what_has_fired_for_hours_ends_at_once() -> None:
    """An incident that re-fired and then fired for two hours does not flap: its resolve is announced at once."""
    story = Story()
    story.hears(ONE, at=0)
    flaps(story, 2)
    assert story.hears(over(began=24, ended=200), at=200).kind is ChangeKind.RESOLVED


def test_a_part_that_flaps_is_told_less_and_less_often() -> None:
    """A flapping alert of a group whose others keep firing does not fill the thread."""
    story = Story()
    story.hears(ONE, TWO, at=0)
    told = []
    for number in range(1, 9):
        story.hears(over(began=2 * number - 2, ended=2 * number - 1), TWO, at=2 * number - 1)
        told.append(not story.hears(fires(began=2 * number), TWO, at=2 * number).quiet)
    assert told == [True, True, False, True, False, False, False, True]


def test_a_new_alert_is_told_even_beside_one_that_flaps() -> None:
    """A new alert is never hidden by known ones."""
    story = Story()
    story.hears(ONE, TWO, at=0)
    for number in range(1, 4):
        story.hears(over(began=2 * number - 2, ended=2 * number - 1), TWO, at=2 * number - 1)
        story.hears(fires(began=2 * number), TWO, at=2 * number)
    assert not story.hears(fires(began=6), TWO, fires("3", began=7), at=7).quiet


def test_ends_long_past_are_forgotten() -> None:
    """An incident that stays open while pods come and go does not grow without end."""
    story = Story()
    story.hears(ONE, TWO, at=0)
    story.hears(ONE_OVER, TWO, at=6)
    story.hears(TWO, at=30 * 60)
    assert story.incident is not None
    assert set(story.incident.alerts) == {TWO.fingerprint}


def test_a_group_without_alerts_says_nothing() -> None:
    """An empty list is no end of anything."""
    story = Story()
    story.hears(ONE)
    assert story.hears().kind is ChangeKind.REPEATED


def test_believing_leaves_a_usual_group_alone() -> None:
    """A notification without outdated alerts is passed on unchanged."""
    group: AlertGroup = a_group(ONE, TWO)
    assert without_outdated(group, None, STARTED) is group


def test_alerts_that_are_no_longer_notified_are_named() -> None:
    """The line about silences says which alerts it is true of: five by name, the rest by number."""
    story = Story()
    story.hears(*map(fires, "12345678"))
    reason = story.hears(fires("1"), fires("9", began=5), at=6).reason
    names = ", ".join(f"ServiceDown instance {number}" for number in "23456")
    assert reason == (
        "1 more alert started firing; 2 firing now; "
        f"7 firing alerts no longer notified (silenced or inhibited: {names} and 2 more)"
    )
    assert story.hears(fires("9", began=5), *map(fires, "1345678"), at=7).reason.endswith(
        "1 firing alert no longer notified (silenced or inhibited: ServiceDown instance 2)"
    )


def test_long_titles_leave_room_for_why_it_pages_again() -> None:
    """The names of silenced alerts push nothing out of the line of an update."""
    story = Story()
    story.hears(*(fires("x" * 100 + str(number)) for number in range(20)))
    assert len(story.hears(fires("9", began=5), at=6).reason) < LINE_LIMIT - 100


def test_titles_of_a_few_alerts_are_kept() -> None:
    """A group of thousands does not make its row twice as long."""
    change = Story().hears(*(fires(str(number)) for number in range(1000)))
    assert sum(bool(known.title) for known in change.alerts.values()) == MOST_TITLES
