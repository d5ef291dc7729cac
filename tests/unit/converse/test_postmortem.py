"""The draft of a post-mortem."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from markdown_it import MarkdownIt

from responder.converse.postmortem import due_at, postmortem
from responder.model.action import Action, ActionKind
from responder.model.clock import time_of_day
from responder.model.finding import NOTHING
from responder.model.report import Handling, IncidentContent
from responder.store.incidents.actions import ActionRow
from responder.store.incidents.records import IncidentRecords, MessageRecord, NotificationRecord
from tests.support.builders import STARTED, a_content, an_incident

GOLDEN = Path(__file__).parent / "golden" / "postmortem.md"
ENDED = STARTED + timedelta(minutes=42)
#: The headings of the owner's templates and of their section Post-Incident.
HEADINGS = (
    *("Summary", "Impact", "Timeline", "Root Cause", "Resolution", "What Changed", "Findings", "Notes", "People"),
    *("Post-Incident", "Metrics to review", "Documentation to update", "Follow-up actions"),
)


def after(seconds: float) -> datetime:
    """A time after the start."""
    return STARTED + timedelta(seconds=seconds)


def message(kind: str, channel: str, seconds: float) -> MessageRecord:
    """An accepted message."""
    return MessageRecord(
        id=1, channel=channel, kind=kind, state="sent", error="", written_at=STARTED, ended_at=after(seconds)
    )


def done(kind: ActionKind, seconds: float, outcome: str, actor: str = "Ann", text: str = "") -> ActionRow:
    """An action that was applied."""
    action = Action(incident="INC-118", kind=kind, entry="slack", key="k", actor=actor, text=text, at=after(seconds))
    return ActionRow(action, "applied", outcome)


def an_evening(**changes: object) -> IncidentRecords:
    """A P1 from its page to the resolve by a person."""
    content = a_content(postmortem_due=48 * 3600.0)
    found = IncidentRecords(
        incident=an_incident(open=False, resolved_at=ENDED, resolve_reason="all alerts are resolved"),
        content=replace(content, handling=Handling(acknowledged_by="Ann", acknowledged_at=after(200))),
        notifications=(NotificationRecord(1, STARTED, "rule service-down matched, P1"),),
        messages=(message("start", "pagerduty", 2.1), message("start", "slack", 2.4)),
        diagnoses=((STARTED, after(1.5)),),
        actions=(
            done(ActionKind.ACKNOWLEDGE, 200, "acknowledged by Ann (Slack)"),
            done(ActionKind.NOTE, 900, "note by Bob (Slack): rolled back", "Bob", "rolled back to 1.4"),
            done(ActionKind.RESOLVE, 2520, "resolved by Ann (Slack): rolled back", text="rolled plato back to 1.4"),
        ),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_the_draft_of_an_incident() -> None:
    """The draft has the timeline, times, findings, notes and people under the owner's headings."""
    text = postmortem(an_evening(), after(3600)) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
    titles = [line.lstrip("# ") for line in text.splitlines() if line.startswith("##")]
    assert tuple(titles) == HEADINGS
    assert due_at(an_evening()) == ENDED + timedelta(hours=48)


def test_empty_sections_say_what_a_person_must_write() -> None:
    """Without any record each section has a TODO, and no time is invented."""
    bare = an_evening(content=None, messages=(), actions=(), diagnoses=(), notifications=(), incident=an_incident())
    text = postmortem(bare, after(3600))
    for title in set(HEADINGS) - {"Post-Incident"}:
        section = text.partition(f"# {title}\n")[2].partition("\n#")[0]
        assert "**TODO**: " in section, title
    assert "Time to acknowledge: **TODO**: no acknowledgement through responder." in text
    assert due_at(bare) is None


def test_foreign_text_formats_nothing() -> None:
    """Titles, notes, names and findings with markup stay text on their line, without links."""
    hostile = (
        "<img src=x> **bold** [x](http://evil) http://evil/a www.evil.example a@evil.example `code`\n# Heading | $x$"
    )
    quiet = a_content()
    content = IncidentContent(
        incident="INC-118",
        decision=replace(quiet.decision, impact=hostile, owner=hostile, lead=hostile, runbook=None),
        alerts=replace(quiet.alerts, summary=hostile),
        findings=tuple(replace(each, headline=hostile, probe=hostile) for each in quiet.findings),
        conclusion=replace(NOTHING, likely=hostile, changed=hostile),
    )
    records = an_evening(
        incident=an_incident(title=hostile, reason=hostile, service=hostile),
        content=content,
        actions=(
            done(ActionKind.NOTE, 5, hostile, hostile, f"# {hostile}"),
            done(ActionKind.RESOLVE, 6, hostile, hostile, f"- {hostile}"),
        ),
    )
    text = postmortem(records, after(3600))
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    assert "<img" not in html
    assert "<a " not in html
    assert "<code>" not in html
    assert "<h1>" in html
    assert html.count("<h1>") == 1
    assert "bold</strong>" not in html
    assert not [line for line in text.splitlines() if line.startswith("# ") and not line.startswith("# Post-mortem")]
    for raw in ("http://", "www.", "a@"):
        assert raw not in text


def test_changes_have_times_instead_of_ages() -> None:
    """A draft that is written days later says when something changed; the age of the page would be wrong."""
    content = a_content()
    ages = {"14 min ago": after(0) - timedelta(minutes=14)}
    changed = "plato rolled out 14 min ago, 8 min before the alert; 114 min ago is text of a log"
    content = replace(content, conclusion=replace(NOTHING, changed=changed, ages=ages))
    text = postmortem(an_evening(content=content), after(3 * 86400))
    when = time_of_day(after(0) - timedelta(minutes=14))
    assert f"plato rolled out at {when}, 8 min before the alert; 114 min ago is text of a log" in text


def test_a_long_timeline_is_cut() -> None:
    """The draft names the command that shows the rest of a long timeline."""
    many = tuple(NotificationRecord(number, after(number), "repeated") for number in range(300))
    text = postmortem(an_evening(notifications=many), after(3600))
    assert text.count(" decided: ") == 200 - 2 - 1
    assert "more entries: `responder incidents show INC-118`" in text
