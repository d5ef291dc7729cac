"""The Slack channel of an incident: four steps for severities that ask for it, archived by a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from responder.engine.jobs.fallback import FallbackJob
from responder.engine.workers.delivery import DeliveryResults
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import ActionKind
from responder.model.message import ClaimedMessage, Response
from responder.model.outcome import Continue, Delivered, Outcome, TryLater
from responder.model.report import MessageKind, Status
from responder.model.secret import Secret
from responder.notify.channels.slack_room import SlackRoom
from responder.notify.report.compose import compose_message
from responder.standins.server import Call
from responder.standins.slack import SlackStandIn
from responder.store.database import Database
from responder.store.outbox import claims
from tests.conftest import HandClock
from tests.support.builders import a_letter, a_report
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_desk
from tests.unit.engine.workers.test_actions import act
from tests.unit.engine.workers.test_triage import ANEW, FIRING, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body

ROOM = SlackRoom(Secret("token"), "U0ANN,U0BOB", interactive=True)


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage whose P1 incidents have a channel of their own."""
    found = Shop(database, clock)
    context = a_desk(replace(EVERYTHING, probes=()), CHANNELS_USED | {"slack_room": ROOM})
    worst = replace(context.book.severities["P1"], room=True)
    book = replace(context.book, severities={**context.book.severities, "P1": worst})
    found.context = replace(context, book=book)
    yield found
    found.diagnosis.close()


def steps(shop: Shop) -> list[str]:
    """Steps of the messages for the channel of the incident."""
    return [row[0] for row in shop.rows("SELECT step FROM messages WHERE channel = 'slack_room' ORDER BY id")]


def test_it_is_created_followed_and_archived(shop: Shop) -> None:
    """Created with the page; it gets notes and the resolve; a person archives it, and not before the resolve."""
    shop.deliver(a_body(alerts=[FIRING]))
    act(shop, ActionKind.NOTE, key="n", text="the disk is full")
    assert act(shop, ActionKind.ARCHIVE, key="early") == "refused: the incident is open"
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert act(shop, ActionKind.ARCHIVE, key="late") == "channel of the incident archived by Ann (command line)"
    assert act(shop, ActionKind.ARCHIVE, key="twice") == "no change: its channel is already archived by Ann"
    assert steps(shop) == ["create", "invite", "topic", "post", "reply", "reply", "archive"]
    assert not shop.rows("SELECT id FROM messages WHERE kind = 'archive' AND channel <> 'slack_room'")


def test_other_severities_have_none(shop: Shop) -> None:
    """Off unless the severity asks for it."""
    shop.deliver(a_body(alerts=[{**FIRING, "labels": {**FIRING["labels"], "severity": "warning"}}]))
    assert steps(shop) == []


def test_a_channel_that_cannot_be_created_falls_back_to_nothing(shop: Shop) -> None:
    """Slack refuses to create it: the page on the other channels is neither repeated nor delayed."""
    shop.deliver(a_body(alerts=[FIRING]))
    with shop.database.write() as connection:
        connection.execute(text("UPDATE messages SET state = 'dead', error = 'x' WHERE channel = 'slack_room'"))
    writer = IncidentWriter(shop.database, shop.clock)
    FallbackJob(shop.database, writer, lambda: shop.context, shop.clock, 60.0).run()
    assert not shop.rows("SELECT id FROM messages WHERE kind = 'fallback'")


def test_a_name_that_is_taken_gets_a_number() -> None:
    """The name has the date and the service in Slack's characters; the attempt after it was taken adds its number."""
    first = a_letter(a_report(service="Plato / DB"), channel="slack_room", step="create")
    taken = ROOM.read(first, Response(200, b'{"ok":false,"error":"name_taken"}'))
    assert isinstance(taken, TryLater)
    second = replace(first, attempt=2, before=taken.reason)
    names = [json.loads(ROOM.render(each).body)["name"] for each in (first, second)]
    assert names == ["incident-2026-02-28-plato-db", "incident-2026-02-28-plato-db-2"]
    made = ROOM.read(first, Response(200, b'{"ok":true,"channel":{"id":"C0ROOM"}}'))
    assert made == Delivered({"channel": "C0ROOM"})


def test_each_step_is_for_the_channel_that_was_created() -> None:
    """Invitation, topic, page, reply and archive name its id; a step that was done before is done."""
    known = {"channel": "C0ROOM"}
    for kind in (MessageKind.START, MessageKind.RESOLUTION, MessageKind.ARCHIVE):
        for step in ROOM.steps[kind]:
            letter = a_letter(a_report(kind=kind), channel="slack_room", step=step, previous=known)
            body = json.loads(ROOM.render(letter).body)
            assert step == "create" or body["channel"] == "C0ROOM"
    invited = a_letter(a_report(), channel="slack_room", step="invite", previous=known)
    assert isinstance(ROOM.read(invited, Response(200, b'{"ok":false,"error":"already_in_channel"}')), Delivered)


def test_an_archived_channel_needs_no_further_message() -> None:
    """A draft or note after the resolve is no dead letter there; an incident that is open again has one."""
    archived = Response(200, b'{"ok":false,"error":"is_archived"}')
    for kind, over in ((MessageKind.POSTMORTEM, True), (MessageKind.AGAIN, False)):
        report = replace(a_report(kind=kind), status=Status.RESOLVED if over else Status.INVESTIGATING)
        letter = a_letter(report, channel="slack_room", step="reply", previous={"channel": "C0ROOM"})
        assert isinstance(ROOM.read(letter, archived), Delivered) is over


def test_a_reopened_incident_whose_channel_was_archived_gets_a_new_one(shop: Shop, vendor: SlackStandIn) -> None:
    """All messages after the reopening go to the new channel; an open channel is used again."""
    shop.deliver(a_body(alerts=[FIRING]))
    send(shop, vendor)
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    act(shop, ActionKind.ARCHIVE, key="late")
    send(shop, vendor)
    shop.deliver(a_body(alerts=[ANEW]))
    act(shop, ActionKind.NOTE, key="n", text="the disk is full")
    send(shop, vendor)
    _old, new = vendor.rooms
    assert [room["archived"] for room in vendor.rooms.values()] == [True, False]
    assert vendor.rooms[new]["topic"].startswith("INC-")
    texts = [each.text for each in vendor.messages if each.channel == new]
    assert [("Reopened" in text, "disk is full" in text) for text in texts] == [(True, False), (False, True)]
    assert not shop.rows("SELECT id FROM messages WHERE channel = 'slack_room' AND state = 'dead'")
    shop.deliver(a_body(alerts=[{**ANEW, "status": "resolved", "endsAt": "2026-11-23T10:02:00Z"}], status="resolved"))
    shop.deliver(a_body(alerts=[{**ANEW, "startsAt": "2026-11-23T10:03:00Z"}]))
    send(shop, vendor)
    assert (len(vendor.rooms), [each.channel for each in vendor.messages][-1]) == (2, new)


def send(shop: Shop, vendor: SlackStandIn) -> None:
    """Send what waits for the channels of incidents."""
    results = DeliveryResults(lambda: None, lambda: (), lambda: (), lambda: 0.5, paging=False)
    queue = claims.ChannelQueue(("slack_room",))
    while True:
        shop.clock.move(60)
        now = shop.clock.now()
        with shop.database.transaction() as connection:
            rows = claims.claim(connection, queue, now, now + timedelta(seconds=6), 4)
        if not rows:
            return
        sent = [compose_message(row, now) for row in rows]
        with shop.database.transaction() as connection:
            results.mark(connection, [(each, answered(vendor, ROOM, each)[1]) for each in sent], now)


def answered(vendor: SlackStandIn, room: SlackRoom, letter: ClaimedMessage) -> tuple[str, Outcome]:
    """The method that one attempt calls, and its outcome."""
    request = room.render(letter)
    path = request.url.removeprefix(room.base_url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    reply = vendor.answer(Call(request.method, path, headers, request.body, 0.0))
    return path.partition("?")[0], room.read(letter, Response(reply.status, reply.body))


def exchanged(vendor: SlackStandIn, room: SlackRoom, letter: ClaimedMessage, *, taken: bool = False) -> list[str]:
    """The methods that a step calls until it is done; ``taken`` if the name of the channel may be taken."""
    called: list[str] = []
    outcome: Outcome = TryLater("")
    while not isinstance(outcome, Delivered):
        method, outcome = answered(vendor, room, letter)
        called.append(method)
        assert isinstance(outcome, Delivered | Continue) or taken, outcome
        reason = outcome.reason if isinstance(outcome, Continue | TryLater) else ""
        letter = replace(letter, before=reason, attempt=letter.attempt + 1)
    return called


@pytest.fixture
def vendor() -> SlackStandIn:
    """Slack, called without a connection."""
    found = SlackStandIn()
    found._server.server_close()
    return found


def test_a_channel_whose_creation_got_no_answer_is_found(vendor: SlackStandIn) -> None:
    """On whichever page of the list it is; one that others use is not it, and none is created twice."""
    letter = a_letter(a_report(), channel="slack_room", step="create", written_at=datetime.now(UTC))
    name = json.loads(ROOM.render(letter).body)["name"]
    for number in range(300):
        vendor._create(f"other-{number}")
    exchanged(vendor, ROOM, letter)
    [mine] = [number for number, room in vendor.rooms.items() if room["name"] == name]
    lost = replace(letter, attempt=2, before=None)
    assert exchanged(vendor, ROOM, lost) == ["/conversations.list"] * 2
    vendor.rooms[mine]["topic"] = "INC-1 plato is down"
    assert exchanged(vendor, ROOM, lost, taken=True) == [*["/conversations.list"] * 2, *["/conversations.create"] * 2]
    assert sorted(room["name"] for room in vendor.rooms.values() if name in room["name"]) == [name, f"{name}-5"]


def test_without_the_right_to_look_it_is_created(vendor: SlackStandIn) -> None:
    """An app that was installed before the scope was asked for still gets its channel."""
    vendor.scopes = ("channels:manage",)
    letter = a_letter(a_report(), channel="slack_room", step="create", before="connection refused")
    assert exchanged(vendor, ROOM, letter) == ["/conversations.list", "/conversations.create"]


def test_members_of_groups_are_invited(vendor: SlackStandIn) -> None:
    """Those of the setting and of the teams' on-call groups, once each; a group that is gone stops nothing."""
    vendor.groups = {"S0ONCALL": ("U0BOB", "U0CID"), "S0LEADS": ("U0DORA",)}
    room = replace(ROOM, people="U0ANN,S0LEADS,S0GONE,U0BOB")
    letter = a_letter(replace(a_report(), oncall_groups=("S0ONCALL",)), channel="slack_room", step="create")
    assert exchanged(vendor, room, letter) == ["/conversations.create"]
    [number] = vendor.rooms
    invite = replace(letter, step="invite", previous={"channel": number})
    assert exchanged(vendor, room, invite) == ["/usergroups.users.list"] * 3 + ["/conversations.invite"]
    assert sorted(vendor.rooms[number]["users"].split(",")) == ["U0ANN", "U0BOB", "U0CID", "U0DORA"]


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        ("chat:write,channels:manage,channels:read,usergroups:read", "may create channels"),
        ("chat:write", "lacks scopes: channels:manage, channels:read, usergroups:read"),
        ("", "needs channels:manage"),
    ],
)
def test_doctor_checks_the_scopes(scopes: str, said: str) -> None:
    """Before the first incident, not by it."""
    [result] = ROOM.check(lambda _request: Response(200, b'{"ok":true}', {"x-oauth-scopes": scopes}))
    assert said in result.what
    [result] = ROOM.check(lambda _request: Response(200, b'{"ok":false,"error":"invalid_auth"}'))
    assert "invalid_auth" in result.what
