"""The timeline of an incident."""

from __future__ import annotations

from datetime import timedelta

from responder.converse.timeline import EntryKind, timeline
from responder.model.action import Action, ActionKind
from responder.model.transcript import StepRecord
from responder.store.incidents.actions import ActionRow
from responder.store.incidents.records import IncidentRecords, MessageRecord, NotificationRecord
from tests.support.builders import STARTED, a_content, an_incident


def seconds(number: float) -> timedelta:
    """A duration."""
    return timedelta(seconds=number)


def test_every_record_is_an_entry_in_the_order_of_time() -> None:
    """Page with its seconds since the start, acknowledgement, dead message and resolve appear in order."""
    page = MessageRecord(
        id=1,
        channel="pagerduty",
        kind="start",
        state="sent",
        error="",
        written_at=STARTED,
        ended_at=STARTED + seconds(2.1),
    )
    dead = MessageRecord(
        id=2,
        channel="slack",
        kind="start",
        state="dead",
        error="channel_not_found",
        written_at=STARTED,
        ended_at=STARTED + seconds(4),
    )
    waiting = MessageRecord(
        id=3, channel="email", kind="start", state="waiting", error="", written_at=STARTED, ended_at=None
    )
    ack = Action(
        incident="INC-118",
        kind=ActionKind.ACKNOWLEDGE,
        entry="cli",
        key="k",
        actor="Ann",
        at=STARTED + seconds(60),
    )
    late = Action(incident="INC-118", kind=ActionKind.RESOLVE, entry="cli", key="l", at=STARTED + seconds(70))
    records = IncidentRecords(
        incident=an_incident(open=False, resolved_at=STARTED + seconds(600), resolve_reason="all alerts are resolved"),
        content=a_content(),
        notifications=(NotificationRecord(1, STARTED, "rule service-down matched, P1"),),
        messages=(dead, page, waiting),
        diagnoses=((STARTED, STARTED + seconds(1.5)),),
        actions=(ActionRow(ack, "applied", "acknowledged by Ann (command line)"), ActionRow(late, "new", "")),
        steps=(
            StepRecord(
                at=STARTED + seconds(80), runbook="a.md", step="step 1: pods", result="mismatch", difference="x\ny"
            ),
            StepRecord(at=STARTED + seconds(90), runbook="a.md", step="step 2: Scale it", result="done"),
        ),
    )
    found = timeline(records)
    assert [(each.kind, each.text) for each in found if each.kind is not EntryKind.PROBED] == [
        (EntryKind.RECEIVED, "notification 1"),
        (EntryKind.DECIDED, "rule service-down matched, P1"),
        (EntryKind.SENT, "start accepted by pagerduty, 2.1 s after the start"),
        (EntryKind.FAILED, "start to slack given up: channel_not_found"),
        (EntryKind.ACTION, "acknowledged by Ann (command line)"),
        (EntryKind.ACTION, "resolve by automation: not applied yet"),
        (EntryKind.RUNBOOK, "a.md: step 1: pods: differs: x y"),
        (EntryKind.RUNBOOK, "a.md: step 2: Scale it: done"),
        (EntryKind.RESOLVED, "after 10 minutes: all alerts are resolved"),
    ]
    (probed,) = [each for each in found if each.kind is EntryKind.PROBED]
    assert probed.text.startswith("diagnosis ended after 1.5 s: ")
