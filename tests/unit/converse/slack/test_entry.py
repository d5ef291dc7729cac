"""Presses, dialogs and commands of Slack, from the payload to the stored action and the answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from responder.converse.apply import NOTE_LIMIT
from responder.converse.slack.entry import (
    NOT_STORED,
    STORE_SECONDS,
    UNKNOWN_WORKSPACE,
    NotAnsweredError,
    SlackEntry,
)
from responder.converse.slack.payloads import BadPayloadError, Button, Person
from responder.model.text import sanitize_line
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.store.database import Database
from responder.store.incidents import actions, incidents
from tests.conftest import HandClock
from tests.support.builders import a_content, an_incident
from tests.support.slack_payloads import ANN, pressed, submitted

PERSON = Person(id="U0ANN", name="ann", team="T0BUTTER")


class FakeApi:
    """Remembers dialogs and answers. ``refuses`` is the error of views.open."""

    def __init__(self) -> None:
        self.opened: list[Mapping[str, Any]] = []
        self.answered: list[str] = []
        self.refuses = ""
        self.reachable = True
        self.groups: dict[str, set[str]] = {}

    def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Remember the dialog."""
        assert trigger
        self.opened.append(view)
        return self.refuses

    def respond(self, url: str, message: Mapping[str, Any]) -> bool:
        """Remember the answer."""
        assert url.startswith("https://hooks.slack.com/")
        self.answered.append(str(message["text"]))
        return self.reachable

    def members(self, group: str) -> set[str] | None:
        """Return the members of a known group."""
        return self.groups.get(group)


class Bench:
    """A Slack entry point over a database with one open and one resolved incident."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.api = FakeApi()
        self.kept = 0
        silences = Silences(Outgoing(clock), clock, {})
        self.entry = SlackEntry(database, self.api, clock, lambda: "T0BUTTER", self._on_kept, silences, lambda now: now)
        over = an_incident(id="INC-OVER", dedup_key="other", open=False, resolved_at=clock.now())
        with database.transaction() as connection:
            incidents.save(connection, [an_incident(id="INC-118"), over], [])

    def _on_kept(self) -> None:
        self.kept += 1

    def stored(self, incident: str = "INC-118") -> list[tuple[str, str, str]]:
        """Kind, actor and text of the stored actions on an incident."""
        with self.database.read() as connection:
            rows = [each.action for each in actions.of_incident(connection, incident)]
        return [(each.kind.value, each.actor, each.text) for each in rows]


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Bench:
    """An entry point with an open incident."""
    return Bench(database, clock)


def test_a_press_is_stored_and_wakes_the_engine(bench: Bench) -> None:
    """Acknowledge needs no dialog: the action is committed before Slack gets its answer."""
    assert bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118")) is None
    assert bench.stored() == [("acknowledge", "ann", "")]
    assert bench.kept == 1


def test_a_press_that_is_sent_twice_is_stored_once(bench: Bench) -> None:
    """The person, the button and the moment make a press, not the request."""
    for _ in range(2):
        bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118"))
    assert len(bench.stored()) == 1


@pytest.mark.parametrize(("button", "title"), [(Button.NOTE, "Add a note"), (Button.RESOLVE, "Resolve")])
def test_a_note_and_a_resolve_ask_for_words(bench: Bench, button: Button, title: str) -> None:
    """The press opens a dialog, and only its submission is stored."""
    bench.entry.interact(pressed(button, "INC-118"))
    assert bench.api.opened[0]["title"]["text"] == title
    assert bench.stored() == []
    words = {"text": {"type": "plain_text_input", "value": "restarted plato"}}
    assert bench.entry.interact(submitted(button, "INC-118", words)) is None
    assert bench.stored() == [(button.value.removeprefix("responder_"), "ann", "restarted plato")]


@pytest.mark.parametrize(
    ("incident", "why"),
    [("INC-OVER", "is resolved"), ("INC-NONE", "there is no incident"), ("\0INC\0", "there is no incident INC.")],
)
def test_a_button_of_an_old_message_is_refused_with_the_reason(bench: Bench, incident: str, why: str) -> None:
    """Old messages stay pressable for ever: the person sees why nothing happened."""
    bench.entry.interact(pressed(Button.ACKNOWLEDGE, incident))
    assert why in bench.api.answered[0]
    assert bench.stored(incident) == []


def test_a_draft_is_asked_for_of_a_resolved_incident(bench: Bench) -> None:
    """The button of a resolved incident needs no dialog."""
    bench.entry.interact(pressed(Button.POSTMORTEM, "INC-OVER"))
    bench.entry.interact(pressed(Button.POSTMORTEM, "INC-NONE"))
    assert bench.stored("INC-OVER") == [("postmortem", "ann", "")]
    assert bench.api.answered == ["Refused: there is no incident INC-NONE."]


def test_a_note_of_blanks_is_refused_in_the_dialog(bench: Bench) -> None:
    """Slack asks for a text and takes blanks: the person would not see that there is no note."""
    answer = bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": " \n "}}))
    assert answer == {"response_action": "errors", "errors": {"text": "write what was found or done"}}
    assert bench.stored() == []


def test_a_note_that_is_too_long_says_that_it_was_cut(bench: Bench) -> None:
    """The dialog takes 2,000 characters; what comes past it is not cut in silence."""
    bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": "word " * 8000}}))
    [(_kind, _actor, text)] = bench.stored()
    assert (len(text), sanitize_line(text, NOTE_LIMIT)[-1]) == (NOTE_LIMIT + 1, "…")


def test_a_person_of_another_workspace_is_refused(bench: Bench) -> None:
    """A shared channel shows the buttons to guests of other workspaces, who may not act."""
    guest = {**ANN, "team_id": "T0OTHER"}
    bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118", user=guest))
    assert bench.stored() == []
    assert "the workspace T0OTHER is not the bot's" in bench.api.answered[0]
    assert "not the bot's" in str(bench.entry.command("", Person(id="U1", name="x", team="T0OTHER")))


@pytest.mark.parametrize("team", ["T0BUTTER", "T0OTHER", ""])
def test_nobody_acts_while_the_workspace_is_unknown(bench: Bench, team: str) -> None:
    """Slack has not answered auth.test: everybody is refused with the reason, since anybody may be a guest."""
    bench.entry = replace(bench.entry, workspace=lambda: "")
    bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118", user={**ANN, "team_id": team}))
    answer = bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": "x"}}))
    assert answer == {"response_action": "errors", "errors": {"text": f"Refused: {UNKNOWN_WORKSPACE}"}}
    assert UNKNOWN_WORKSPACE in str(bench.entry.command("", Person(id="U1", name="x", team=team)))
    assert (bench.stored(), bench.api.answered) == ([], [f"Refused: {UNKNOWN_WORKSPACE}."])


def test_a_refusal_that_does_not_arrive_leaves_the_warning_to_slack(bench: Bench) -> None:
    """An empty answer would look as if the press was taken."""
    bench.api.reachable = False
    with pytest.raises(NotAnsweredError, match="is resolved"):
        bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-OVER"))


def test_a_press_that_cannot_be_stored_says_so(bench: Bench) -> None:
    """A person must not believe that an incident is acknowledged when it is not."""
    bench.database.refuse("the disk is full")
    bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118"))
    assert bench.api.answered == [NOT_STORED]
    bench.api.reachable = False
    with pytest.raises(NotAnsweredError):
        bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118"))
    answer = bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": "x"}}))
    assert answer == {"response_action": "errors", "errors": {"text": NOT_STORED[:150]}}


def test_a_press_while_the_database_is_locked_is_answered_in_time(bench: Bench) -> None:
    """Slack waits three seconds: another writer is not waited for longer than that."""
    entry, began = replace(bench.entry, store_seconds=0.1), time.monotonic()
    with bench.database.write():
        entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118"))
    assert (bench.api.answered, bench.stored()) == ([NOT_STORED], [])
    assert time.monotonic() - began < STORE_SECONDS


def test_control_characters_are_not_stored(bench: Bench) -> None:
    """PostgreSQL refuses a null character, and a vendor would repeat such a note for ever."""
    bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": "disk\0 full\x1b[2J"}}))
    assert bench.stored() == [("note", "ann", "disk full")]


def test_a_dialog_that_slack_does_not_open_is_reported(bench: Bench) -> None:
    """A trigger lives three seconds: the person is asked to press again."""
    bench.api.refuses = "expired_trigger_id"
    bench.entry.interact(pressed(Button.NOTE, "INC-118"))
    assert bench.api.answered == ["Slack did not open the dialog (expired_trigger_id): press again."]


@pytest.mark.parametrize(
    "payload",
    [
        pressed("open_runbook", "INC-118"),
        json.dumps({"type": "view_closed", "user": ANN, "view": {"callback_id": Button.NOTE}}).encode(),
        json.dumps({"type": "shortcut", "user": ANN}).encode(),
    ],
    ids=["link", "closed", "shortcut"],
)
def test_what_needs_no_handling_is_answered_and_ignored(bench: Bench, payload: bytes) -> None:
    """Buttons with links, closed dialogs and unknown types are no errors."""
    assert bench.entry.interact(payload) is None
    assert bench.kept == 0


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'{"type":"block_actions"}', b'{"user":{"id":7}}', b"\xff"])
def test_a_payload_of_another_shape_is_refused(bench: Bench, payload: bytes) -> None:
    """The reason is one line, and nothing is stored."""
    with pytest.raises(BadPayloadError) as error:
        bench.entry.interact(payload)
    assert "\n" not in str(error.value)


def test_the_command_lists_open_incidents_and_shows_one(bench: Bench) -> None:
    """``/responder`` answers the person alone: what is open, or what happened to one incident."""
    assert "1 open incident" in str(bench.entry.command("", PERSON))
    bench.entry.interact(pressed(Button.ACKNOWLEDGE, "INC-118"))
    assert "open since" in str(bench.entry.command("inc-118", PERSON))
    assert "There is no incident" in str(bench.entry.command("<!channel>", PERSON))
    assert "<!channel>" not in str(bench.entry.command("<!channel>", PERSON)).casefold()


def test_a_long_timeline_shows_the_newest(bench: Bench) -> None:
    """The oldest rows are left out: the last ones say who has it now."""
    for number in range(40):
        note = {"text": {"value": f"step {number} {'x' * 150}"}}
        view = json.loads(submitted(Button.NOTE, "INC-118", note))
        bench.entry.interact(json.dumps(view | {"view": view["view"] | {"id": f"V{number}"}}).encode())
    with bench.database.transaction() as connection:
        actions.settle(connection, [(number, "applied", f"step {number - 1} {'x' * 150}") for number in range(1, 41)])
    shown = str(bench.entry.command("INC-118", PERSON))
    assert ("step 39 " in shown, "step 0 " in shown, " more" in shown) == (True, False, True)


def test_a_publication_is_shown_before_it_is_stored(bench: Bench) -> None:
    """The dialog proposes the text and names page and components; the submitted text is what is published."""
    content = replace(a_content(), incident="INC-118")
    record = replace(
        content.decision, impact="Searches fail.", status_pages=("public",), components={"public": ("8kbf7d35c070",)}
    )
    with bench.database.transaction() as connection:
        incidents.save_contents(connection, [replace(content, decision=record)], [], bench.entry.clock.now())
    assert bench.entry.interact(pressed(Button.PUBLISH, "INC-118")) is None
    [view] = bench.api.opened
    shown = json.dumps(view)
    assert "Opens the incident on public" in shown
    assert "Components: 8kbf7d35c070" in shown
    status, words = (each["element"] for each in view["blocks"] if "element" in each)
    assert status["initial_option"]["value"] == "Investigating"
    assert [each["value"] for each in status["options"]] == ["Investigating", "Identified", "Monitoring"]
    assert words["initial_value"] == "Searches fail."
    assert bench.stored() == []
    form = {"text": {"value": "Search is slow."}, "status": {"selected_option": {"value": "Identified"}}}
    assert bench.entry.interact(submitted(Button.PUBLISH, "INC-118", form)) is None
    assert bench.stored() == [("publish", "ann", "Search is slow.")]
    with bench.database.read() as connection:
        assert [each.target for each in actions.new(connection, 9)] == ["Identified"]


def test_an_incident_without_a_status_page_is_not_published(bench: Bench) -> None:
    """A press on an old message, whose severity names no page any more, is refused with the reason."""
    assert bench.entry.interact(pressed(Button.PUBLISH, "INC-118")) is None
    assert bench.api.answered == ["Refused: no status page is named for INC-118."]
    assert bench.stored() == []
