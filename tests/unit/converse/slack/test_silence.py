"""A silence from Slack: the dialog shows what it would mute, and its submission stores an action."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from responder.converse.silencing import next_morning
from responder.converse.slack.entry import SlackEntry
from responder.converse.slack.payloads import Button
from responder.model.action import Action
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.server import hang, status
from responder.store.database import Database
from responder.store.incidents import actions
from tests.conftest import HandClock
from tests.support.slack_payloads import pressed, submitted
from tests.unit.converse.slack.test_entry import FakeApi
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified, over
from tests.unit.engine.workers.test_triage import Shop

GROUP = {"alertname": "HostUnreachable", "job": "node"}
CHOSEN = {"duration": {"type": "static_select", "selected_option": {"value": "4h"}}}


class Bench:
    """A Slack entry point over a database with an open incident, and an Alertmanager."""

    def __init__(self, database: Database, clock: HandClock, server: AlertmanagerStandIn, outgoing: Outgoing) -> None:
        self.shop = Shop(database, clock)
        self.shop.context = a_desk(replace(EVERYTHING, probes=()))
        notified(self.shop, host(1), groupLabels=GROUP)
        server.alerts["1".rjust(16, "0")] = {**GROUP, "instance": "host1"}
        self.clock, self.server, self.api, self.woken = clock, server, FakeApi(), 0
        silences = Silences(outgoing, clock, {"": (server.url,)})
        self.entry = SlackEntry(database, self.api, clock, lambda: "T0BUTTER", self._wake, silences, self.morning)

    def _wake(self) -> None:
        self.woken += 1

    def morning(self, now: datetime) -> datetime:
        """The next business morning of rules without windows."""
        return next_morning(self.shop.context.book, now)

    @property
    def incident(self) -> str:
        """The id of the incident."""
        return str(self.shop.rows("SELECT id FROM incidents")[0][0])

    def press(self, button: Button = Button.SILENCE) -> None:
        """Press a button of its page."""
        self.entry.interact(pressed(button, self.incident))

    def submit(self, **values: dict[str, Any]) -> Any:
        """Submit the dialog."""
        reason = {"text": {"type": "plain_text_input", "value": "deploying"}}
        return self.entry.interact(submitted(Button.SILENCE, self.incident, {**CHOSEN, **reason, **values}))

    @property
    def stored(self) -> list[Action]:
        """The stored actions."""
        with self.shop.database.read() as connection:
            return [each.action for each in actions.of_incident(connection, self.incident)]


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Iterator[Bench]:
    """A bench of its own."""
    with AlertmanagerStandIn(now=clock.now) as server, closing(Outgoing(clock)) as outgoing:
        found = Bench(database, clock, server, outgoing)
        yield found
        found.shop.diagnosis.close()


def words(view: Any) -> str:
    """All texts of a dialog."""
    return "\n".join(each["text"]["text"] for each in view["blocks"] if each["type"] == "section")


def inputs(view: Any) -> list[str]:
    """The inputs of a dialog."""
    return [each["block_id"] for each in view["blocks"] if each["type"] == "input"]


def test_the_dialog_shows_the_matchers_and_what_they_match_now(bench: Bench) -> None:
    """Nothing is stored by the press: the person first reads what would be muted."""
    bench.press()
    [view] = bench.api.opened
    assert '`{alertname="HostUnreachable", job="node"}`' in words(view)
    assert "Matches 1 alert now." in words(view)
    assert inputs(view) == ["duration", "other", "text"]
    [duration] = [each["element"] for each in view["blocks"] if each.get("block_id") == "duration"]
    texts = [each["text"]["text"] for each in duration["options"]]
    assert texts == ["1 hour", "4 hours", "Until the next business morning (2026-03-02 09:00 UTC)"]
    assert bench.stored == []


def test_a_submission_is_stored_with_its_end(bench: Bench) -> None:
    """The matchers are not part of it: they are read from the incident when the silence is created."""
    assert bench.submit() is None
    [action] = bench.stored
    assert (action.kind.value, action.actor, action.text, action.target) == ("silence", "ann", "deploying", "0")
    assert action.until == bench.clock.now() + timedelta(hours=4)
    assert bench.woken == 1
    bench.submit()
    assert len(bench.stored) == 1, "the same dialog, sent again"


@pytest.mark.parametrize(
    ("values", "hours"),
    [
        ({"duration": {"selected_option": {"value": "1h"}}}, 1),
        ({"duration": {"selected_option": {"value": "morning"}}}, 54.29),
        ({"other": {"value": "2h 30m"}}, 2.5),
    ],
)
def test_every_choice_has_its_end(bench: Bench, values: dict[str, Any], hours: float) -> None:
    """An own duration counts instead of the choice."""
    bench.submit(**values)
    until = bench.stored[0].until
    assert until is not None
    assert (until - bench.clock.now()).total_seconds() / 3600 == pytest.approx(hours, abs=0.01)


@pytest.mark.parametrize("other", ["soon", "10s", "99d", "1h; DROP"])
def test_a_duration_that_cannot_be_used_is_shown_at_its_input(bench: Bench, other: str) -> None:
    """The dialog stays open and says what to write."""
    answer = bench.submit(other={"value": other})
    assert list(answer["errors"]) == ["other"]
    assert bench.stored == []
    assert list(bench.submit(duration={"selected_option": None})["errors"]) == ["duration"]


def test_alerts_of_others_need_a_check_mark_with_their_number(bench: Bench) -> None:
    """The number that was agreed to is stored, and compared again when the silence is created."""
    bench.server.alerts["f" * 16] = {**GROUP, "instance": "host7"}
    bench.press()
    [view] = bench.api.opened
    assert "Matches 2 alerts now, 1 of them NOT of this incident." in words(view)
    assert inputs(view)[-1] == "confirm"
    bench.submit(confirm={"type": "checkboxes", "selected_options": [{"value": "1"}]})
    assert bench.stored[0].target == "1"


@pytest.mark.parametrize("fault", [status(503), hang(5)])
def test_the_dialog_opens_without_alertmanager(bench: Bench, fault: Any) -> None:
    """A trigger lives three seconds: after one second the dialog says that the number is not known."""
    from responder.bootstrap import SystemClock

    bench.server.manner = lambda _call: fault
    clock = SystemClock()
    with closing(Outgoing(clock)) as outgoing:
        silences = Silences(outgoing, clock, {"": (bench.server.url,)})
        entry = replace(bench.entry, clock=clock, silences=silences)
        began = clock.monotonic()
        entry.interact(pressed(Button.SILENCE, bench.incident))
    assert clock.monotonic() - began < 2.5
    assert "did not say how many alerts this matches" in words(bench.api.opened[0])


def test_what_cannot_be_silenced_is_answered_to_the_person(bench: Bench) -> None:
    """A group without labels, no Alertmanager in the settings, a resolved incident."""
    bench.entry = replace(bench.entry, silences=replace(bench.entry.silences, servers={}))
    bench.press()
    assert "RESPONDER_ALERTMANAGER_URL" in bench.api.answered[-1]
    notified(bench.shop, host(1), host(2), groupLabels={})
    bench.press()
    assert "NOT silenced: a group of it has no labels" in bench.api.answered[-1]
    notified(bench.shop, over(1), over(2), groupLabels=GROUP)
    bench.press()
    assert "is resolved" in bench.api.answered[-1]
    assert "is resolved" in str(bench.submit())
    assert (bench.api.opened, bench.stored) == ([], [])


def test_a_silence_is_expired_by_a_button(bench: Bench) -> None:
    """Without a dialog: it only makes more alerts heard."""
    bench.press(Button.UNSILENCE)
    assert [each.kind.value for each in bench.stored] == ["unsilence"]


def test_labels_cannot_format_the_dialog(bench: Bench) -> None:
    """A label value with marks of Slack stays text."""
    notified(bench.shop, host(1), host(2), groupLabels={"job": "`<!channel>` *x*"})
    bench.press()
    assert "<!channel>" not in words(bench.api.opened[0])
