"""The life of an incident under notifications, presses, webhooks, outages, crashes and reloads, in any order.

Everything is real but the threads and the network: the database, the entry points, the workers, the channels that
render and read, and the stand-ins of PagerDuty, Slack and Alertmanager that answer them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from responder.converse.pagerduty import events as pagerduty_events
from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.slack.entry import SlackEntry
from responder.converse.slack.payloads import Button
from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.delivery import DeliveryResults
from responder.engine.workers.silences import SilenceWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.clock import Deadline
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome, TryLater
from responder.model.secret import Secret
from responder.model.silence import incident_of
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.pagerduty_notes import PagerDutyNotes
from responder.notify.channels.slack import Slack
from responder.notify.report import compose
from responder.outgoing import UnreachableError
from responder.outgoing.silences import Silences
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.pagerduty import PagerIncident
from responder.standins.server import Call
from responder.standins.slack import TEAM, SlackStandIn
from responder.store.database import Database
from responder.store.incidents import actions, records
from responder.store.outbox import claims
from tests.conftest import HandClock
from tests.support.pagerduty_account import PagerDutyAccount
from tests.support.slack_payloads import pressed, submitted
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified, over
from tests.unit.engine.workers.test_silences import GROUP, Killed
from tests.unit.engine.workers.test_triage import Shop

PEOPLE = ("ann", "bob")
#: Buttons, and what people do in PagerDuty.
BUTTONS = (Button.ACKNOWLEDGE, Button.NOTE, Button.RESOLVE)
SILENCING = (Button.SILENCE, Button.SILENCE, Button.UNSILENCE)
_AT_ONCE = frozenset({Button.ACKNOWLEDGE, Button.UNSILENCE})
DEEDS = ("acknowledged", "unacknowledged", "resolved", "annotated", "reassigned")
CHANNELS = {
    "pagerduty": PagerDuty(Secret("a" * 32)),
    "slack": Slack(Secret("xoxb-x"), "#incidents", interactive=True),
    "pagerduty_notes": PagerDutyNotes(Secret("t"), "ann@example.com"),
}
#: Two revisions of the rules, which differ in what people see of them.
DESKS = [
    a_desk(replace(EVERYTHING, probes=(), severity=severity), channels=dict(CHANNELS), above=())
    for severity in ("P1", "P2")
]


class Line:
    """Webhooks on their way: late, repeated and in another order at the will of the test."""

    def __init__(self) -> None:
        self.waiting: list[Mapping[str, Any]] = []
        self.arrived: list[Mapping[str, Any]] = []

    def send(self, _incident: str, event: Mapping[str, Any]) -> None:
        """Take an event of PagerDuty."""
        self.waiting.append(event)

    def close(self) -> None:
        """Nothing runs."""


class Wire:
    """The way to Alertmanager, in one ``state``.

    ``well``, ``down`` for no answer, ``lost`` for a request that arrives and whose answer does not, ``killed`` for a
    process that dies instead of reading the answer.
    """

    def __init__(self, server: AlertmanagerStandIn) -> None:
        self.server = server
        self.state = "well"

    def query(self, request: Request, _deadline: Deadline, _cap: int) -> Response:
        """Send a request."""
        if self.state == "down":
            raise UnreachableError("connection refused")
        path = "/" + request.url.split("/", 3)[3]
        reply = self.server.answer(Call(request.method, path, {}, request.body, 0.0))
        if request.method != "GET" and self.state == "lost":
            raise UnreachableError("timed out")
        if request.method != "GET" and self.state == "killed":
            raise Killed
        return Response(reply.status, reply.body, {name.lower(): value for name, value in reply.headers.items()})


class LifeOfConversations:
    """Random steps; after quiet the entry points agree, and nothing was done twice."""

    def __init__(self, seed: int, folder: Path, migrated: Path) -> None:
        self.dice = Random(seed)
        self.folder = folder
        shutil.copyfile(migrated, folder / "responder.db")
        self.clock = HandClock()
        self.database = Database(f"sqlite:///{self.folder / 'responder.db'}")
        self.shop = Shop(self.database, self.clock)
        self.shop.context = DESKS[0]
        self.pagerduty, self.slack, self.line = PagerDutyAccount(), SlackStandIn(), Line()
        self.pagerduty.webhooks = self.line  # type: ignore[assignment]
        self.entry = PagerDutyEntry(self.database, self, self.clock, ("pagerduty",), lambda: None)
        self.alertmanager = AlertmanagerStandIn(now=self.clock.now)
        self.wire = Wire(self.alertmanager)
        self.silences = Silences(self.wire, self.clock, {"": ("http://alertmanager",)})  # type: ignore[arg-type]
        self.slack_away = False
        self.press = SlackEntry(
            *(self.database, self, self.clock, lambda: TEAM, lambda: None, self.silences, lambda now: now)  # type: ignore[arg-type]
        )
        self.firing: set[int] = set()
        self.pressed: list[bytes] = []
        self.notes: list[str] = []
        self.number = 0
        self.taken: list[str] = []
        self.opened: dict[str, datetime] = {}

    # What the entry points ask of the vendors.

    def alert_keys(self, incident: str) -> tuple[str, ...]:
        """The REST API: the keys of an incident's alerts."""
        return tuple(each.dedup_key for each in self.pagerduty.incidents if each.id == incident)

    def open_view(self, _trigger: str, _view: Mapping[str, Any]) -> str:
        """Slack opens a dialog."""
        return ""

    def respond(self, _url: str, _message: Mapping[str, Any]) -> bool:
        """Slack shows an answer to the person alone."""
        return True

    # The steps.

    def alert_fires_or_resolves(self) -> None:
        """Alertmanager notifies about the group."""
        self.firing ^= {self.dice.randint(1, 3)}
        self._notify()

    def notification_is_repeated(self) -> None:
        """Alertmanager repeats itself."""
        if self.firing:
            self._notify()

    def person_presses(self) -> None:
        """A person presses a button of the newest incident, once or twice."""
        self._press(self.dice.choice(BUTTONS))

    def person_silences(self) -> None:
        """A person silences the newest incident, or expires its silence."""
        self._press(self.dice.choice(SILENCING))
        self.silences_are_carried_out()

    def _press(self, button: Button) -> None:
        person, twice = self.dice.choice(PEOPLE), self.dice.random() < 0.5
        for incident in self._incidents()[-1:]:
            self.number += 1
            user = {"id": f"U{person}", "username": person}
            if button in _AT_ONCE:
                action = {"action_id": button, "value": incident, "action_ts": f"{self.number}.0"}
                payload = pressed(button, incident, user=user, actions=[action])
            else:
                said = f"word {self.number}"
                view = {"id": f"V{self.number}", "callback_id": button, "private_metadata": incident}
                values = {"text": {"value": said}, "duration": {"selected_option": {"value": "4h"}}}
                payload = submitted(button, incident, values, user=user)
                given = json.loads(payload)
                payload = json.dumps({**given, "view": {**given["view"], **view}}).encode()
                self.notes += [said] if button is Button.NOTE else []
            for _ in range(1 + twice):
                self.press.interact(payload)
            self.pressed.append(payload)
        self.clock.move(1)

    def press_arrives_again(self) -> None:
        """Slack, or a proxy, sends an old press once more."""
        if self.pressed:
            self.press.interact(self.dice.choice(self.pressed))

    def person_acts_in_pagerduty(self) -> None:
        """A person acts on an open incident of PagerDuty; its webhook is on its way."""
        deed, person = self.dice.choice(DEEDS), self.dice.choice(PEOPLE)
        for incident in self.pagerduty.open()[-1:]:
            said = {}
            if deed == "annotated":
                self.number += 1
                said = {"content": f"word {self.number}"}
                self.notes.append(said["content"])
            self._in_pagerduty(incident, deed, person, **said)
        self.clock.move(1)

    def webhook_arrives(self) -> None:
        """The first webhook of any incident arrives: PagerDuty keeps the order within one incident only."""
        firsts = {_about(each): each for each in reversed(self.line.waiting)}
        if firsts:
            event = self.dice.choice(list(firsts.values()))
            self.line.waiting.remove(event)
            self._arrives(event)

    def webhook_arrives_again(self) -> None:
        """PagerDuty did not get the answer to a webhook, and repeats it late."""
        if self.line.arrived:
            self._arrives(self.dice.choice(self.line.arrived))

    def actions_are_applied(self) -> None:
        """The engine applies the stored actions."""
        self._apply()

    def silences_are_carried_out(self) -> None:
        """The engine asks Alertmanager, which may be down, or lose an answer; or the process dies meanwhile."""
        self.wire.state = self.dice.choice(("well", "down", "lost", "killed"))
        try:
            self._carry_out()
        except Killed:
            self.process_restarts()
        self.wire.state = "well"
        self.clock.move(7)

    def slack_goes_or_comes_back(self) -> None:
        """Slack takes no messages from now on, or takes them again."""
        self.slack_away = not self.slack_away

    def messages_are_sent(self) -> None:
        """Senders send what is due; or they send, and die before the result is recorded."""
        self._send(lost=self.dice.random() < 0.3)

    def process_restarts(self) -> None:
        """The process dies with everything it had in memory, and starts again."""
        self.database.close()
        self.database = Database(f"sqlite:///{self.folder / 'responder.db'}")
        context = self.shop.context
        self.shop = Shop(self.database, self.clock)
        self.shop.context = context
        self.entry = replace(self.entry, database=self.database)
        self.press = replace(self.press, database=self.database)
        self.clock.move(10)

    def rules_are_reloaded(self) -> None:
        """Another revision of the rules is in force."""
        self.shop.context = self.dice.choice(DESKS)

    # What holds at any moment, and in the end.

    def live(self, steps: int) -> None:
        """Take random steps. Then all events arrive and all messages are sent, and everything is resolved."""
        kinds = (
            *(self.alert_fires_or_resolves, self.notification_is_repeated, self.person_presses),
            *(
                self.press_arrives_again,
                self.person_acts_in_pagerduty,
                self.webhook_arrives,
                self.webhook_arrives_again,
            ),
            *(self.actions_are_applied, self.messages_are_sent, self.process_restarts, self.rules_are_reloaded),
            *(self.person_silences, self.silences_are_carried_out, self.slack_goes_or_comes_back),
        )
        self.alert_fires_or_resolves()
        for step in self.dice.choices(kinds, k=steps):
            self.taken.append(step.__name__)
            step()
            keys = Counter(each.dedup_key for each in self.pagerduty.open())
            assert all(count == 1 for count in keys.values())
            assert all(count == 1 for count in self._silenced().values()), "an incident is silenced twice"
        self._quiet()
        self._agree()
        self.firing = set()
        self._notify()
        self.clock.move(3600)
        self._notify()
        self._quiet()
        self._agree()
        self._nothing_twice()

    def close(self) -> None:
        """Release what a life holds."""
        self.shop.diagnosis.close()
        self.database.close()
        self.pagerduty._server.server_close()
        self.slack._server.server_close()
        self.alertmanager._server.server_close()

    def _agree(self) -> None:
        with self.database.read() as connection:
            found = [each for each in (records.of_incident(connection, name) for name in self._incidents()) if each]
        newest = found[-1] if found else None
        for each in found:
            handled = each.content.handling if each.content else None
            keys = each.incident.page_keys
            theirs = [pager for pager in self.pagerduty.open() if pager.dedup_key in keys]
            if each is newest:
                assert bool(theirs) == each.incident.open, "PagerDuty and responder disagree on the state"
            if each.incident.open and handled and theirs and not handled.snoozed_until:
                state = "acknowledged" if handled.acknowledged else "triggered"
                # PagerDuty got a page late: it pages anew after a person acknowledged its earlier incident.
                late = handled.acknowledged_at and handled.acknowledged_at <= self.opened[theirs[-1].id]
                assert theirs[-1].state == state or late, "PagerDuty and responder disagree on the acknowledgement"
            shown = [
                each_one
                for each_one in self.slack.messages
                if not each_one.thread_ts and each.incident.id in _text(each_one)
            ]
            buttons = {button for one in shown[-1:] for button in _buttons(one)}
            if shown and each.incident.open and handled:
                assert ("Acknowledge" not in buttons) == handled.acknowledged, "Slack shows another acknowledgement"
            silence = handled.silence if handled else None
            if each.incident.open and silence and silence.until > self.clock.now():
                assert self._silenced()[each.incident.id] == 1, "an incident shows a silence that Alertmanager lacks"
                assert not shown or "Expire silence" in buttons, "Slack does not show the silence"
            if shown and not each.incident.open:
                assert "Resolve" not in buttons, "Slack shows a resolved incident as open"

    def _nothing_twice(self) -> None:
        written = [note["content"] for each in self.pagerduty.incidents for note in each.notes]
        for said in self.notes:
            rows = self.shop.rows(f"SELECT count(*) FROM actions WHERE text = '{said}' AND state = 'applied'")
            assert rows[0][0] <= 1, "a note is applied once"
            sent = self.shop.rows("SELECT channel, facts FROM messages WHERE kind = 'note'")
            counted = Counter(str(row[0]) for row in sent if f': {said}"'.encode() in bytes(row[1]))
            assert all(count == 1 for count in counted.values()), "each channel gets a note once"
            assert sum(text.endswith(f": {said}") for text in written) <= 1, "PagerDuty gets a note once"

        echoed = "messages WHERE channel = 'pagerduty' AND kind = 'acknowledged'"
        elsewhere = "actions WHERE kind = 'acknowledge' AND state = 'applied' AND entry <> 'pagerduty'"
        sent, taken = (self.shop.rows(f"SELECT count(*) FROM {each}")[0][0] for each in (echoed, elsewhere))
        assert sent <= taken, "PagerDuty gets an acknowledgement back that a person made there"

    # How the steps are done.

    def _incidents(self) -> list[str]:
        return [str(row[0]) for row in self.shop.rows("SELECT id FROM incidents ORDER BY opened_at, id")]

    def _notify(self) -> None:
        alerts = [host(each) if each in self.firing else over(each) for each in (1, 2, 3)]
        self.alertmanager.alerts = {f"{each:016x}": GROUP | {"instance": f"host{each}"} for each in self.firing}
        notified(self.shop, *alerts, groupLabels=GROUP)

    def _apply(self) -> None:
        writer = IncidentWriter(self.database, self.clock)
        worker = ActionWorker(self.database, writer, lambda: self.shop.context, self.clock)
        while worker.step() == 0.0 or self.database.has_row(actions.ANY_NEW):
            pass

    def _carry_out(self) -> None:
        writer = IncidentWriter(self.database, self.clock)
        SilenceWorker(self.database, writer, lambda: self.shop.context, self.clock, self.silences).step()

    def _silenced(self) -> Counter[str]:
        """Return the number of silences in force by incident."""
        return Counter(incident_of(each.comment) for each in self.alertmanager.active)

    def _in_pagerduty(self, incident: PagerIncident, deed: str, person: str, **data: Any) -> None:
        self.pagerduty.act(incident, deed, person, **data)
        self.line.waiting[-1] = {**self.line.waiting[-1], "occurred_at": self.clock.now().isoformat()}

    def _arrives(self, event: Mapping[str, Any]) -> None:
        self.entry.take(pagerduty_events.read(json.dumps({"event": event}).encode()))
        self.line.arrived.append(event)

    def _quiet(self) -> None:
        self.slack_away = False
        for _ in range(20):
            before = len(self.line.waiting), self.shop.rows("SELECT count(*) FROM messages WHERE state = 'waiting'")
            while self.line.waiting:
                self._arrives(self.line.waiting.pop(0))
            self._apply()
            self._carry_out()
            self.clock.move(60)
            self._send(lost=False)
            if not self.line.waiting and before[1] == [(0,)] and not self.database.has_row(actions.ANY_SILENCING):
                return
        raise AssertionError("messages wait for ever")

    def _send(self, *, lost: bool) -> None:
        for name, channel in self.shop.context.channels.items():
            queue = claims.ChannelQueue((name,))
            results = DeliveryResults(lambda: None, lambda: (), lambda: (), lambda: 0.5, paging=channel.pages)
            while True:
                now = self.clock.now()
                with self.database.transaction() as connection:
                    rows = claims.claim(connection, queue, now, now + timedelta(seconds=6), 4, keeps_open=channel.pages)
                ended = [self._exchange(compose.compose_message(row, now)) for row in rows]
                if not ended or lost:
                    break
                with self.database.transaction() as connection:
                    results.mark(connection, ended, now)
        self.clock.move(7 if lost else 0)

    def _exchange(self, message: ClaimedMessage) -> tuple[ClaimedMessage, Outcome]:
        channel = self.shop.context.channels[message.channel]
        if self.slack_away and message.channel == "slack":
            return message, TryLater("HTTP 500")
        request = channel.render(message)
        path = "/" + request.url.split("/", 3)[3]
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, path, headers, request.body, 0.0)
        vendor = self.slack if message.channel == "slack" else self.pagerduty
        before = len(self.line.waiting)
        reply = vendor.answer(call)
        for each in self.pagerduty.incidents:
            self.opened.setdefault(each.id, self.clock.now())
        now = self.clock.now().isoformat()
        self.line.waiting[before:] = [{**each, "occurred_at": now} for each in self.line.waiting[before:]]
        return message, channel.read(message, Response(reply.status, reply.body, reply.headers))


def _about(event: Mapping[str, Any]) -> str:
    data = event["data"]
    return str(data["incident"]["id"] if "incident" in data else data["id"])


def _text(message: Any) -> str:
    return "\n".join([message.text, *message.lines])


def _buttons(message: Any) -> list[str]:
    found = [each for block in message.blocks if block["type"] == "actions" for each in block["elements"]]
    return [each["text"]["text"] for each in found if "text" in each]


# The same lives each time, so that nobody's landing fails for another's change; LIFE=500 looks at so many new ones.
LIFE = int(os.environ.get("LIFE", "0"))
SEEDS = range(1000, 1000 + LIFE) if LIFE else range(16)


@pytest.mark.parametrize("seed", SEEDS)
def test_entry_points_agree_in_the_end(seed: int, tmp_path: Path, migrated: Path) -> None:
    """After any events in any order, all entry points show one state, and no note or page was sent twice."""
    life = LifeOfConversations(seed, tmp_path, migrated)
    try:
        life.live(40)
    except Exception:
        print("\n".join(life.taken))
        raise
    finally:
        life.close()
