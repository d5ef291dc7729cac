"""`responder messages` and `replay`: what was given up can be seen, understood and sent again while `serve` runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from responder.cli import main
from responder.cli.messages import COLOURS
from responder.model.report import MessageKind
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from responder.store.outbox import claims, dead_letters, outbox
from tests.support.builders import NOW, a_content, a_draft
from tests.support.outbox_messages import claimed

ROOT = Path(__file__).parents[3]
SERVICE_DOWN = (ROOT / "examples" / "alerts" / "service-down.json").read_bytes()
LATER = NOW.replace(year=2100)
KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "xoxb-very-secret"


class Office:
    """The commands on a database of this test's own."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.env: Mapping[str, str] = {
            "RESPONDER_DATABASE_URL": url,
            "RESPONDER_RULES": str(ROOT / "rules"),
            "RESPONDER_RUNBOOKS": str(ROOT / "runbooks"),
            "RESPONDER_PAGERDUTY_ROUTING_KEY": KEY,
            "RESPONDER_SLACK_BOT_TOKEN": TOKEN,
        }

    def run(self, *arguments: str) -> Result:
        """Run one command line."""
        return CliRunner().invoke(main, arguments, env=self.env)

    def write(self, **changes: Any) -> None:
        """A message that waits."""
        usual = a_draft(incident="INC-1", ordering_key="key")
        with self.database.write() as connection:
            incidents.save_contents(connection, [replace(a_content(), incident="INC-1")], (), NOW)
            outbox.write(connection, [replace(usual, **changes)], NOW)

    def end(self, *, dead: bool = True) -> None:
        """Try all that waits once: given up, or accepted."""
        with self.database.write() as connection:
            for message in claimed(connection, claims.ChannelQueue((), rest=True), LATER, LATER, 10):
                if dead:
                    outbox.give_up(connection, message, "HTTP 400: Invalid routing key", NOW)
                else:
                    outbox.sent(connection, message, {}, NOW)

    def state(self, number: int) -> str:
        """State of a message."""
        with self.database.read() as connection:
            found = dead_letters.find(connection, number)
        return found.state if found else ""


@pytest.fixture
def office(database: Database, database_url: str) -> Iterator[Office]:
    """With PagerDuty and Slack configured."""
    yield Office(database, database_url)
    structlog.reset_defaults()


def test_what_was_given_up_is_listed_with_its_reason(office: Office) -> None:
    """One command lists the messages that were not sent, and the reasons."""
    office.write()
    office.end()
    office.write(ordering_key="other", incident="INC-2")
    done = office.run("messages", "list", "--state", "dead")
    assert done.exit_code == 0, done.output
    head, line = done.stdout.splitlines()
    assert head.split()[:3] == ["ID", "STATE", "WRITTEN"]
    assert [line.split()[0], line.split()[1], line.split()[7]] == ["1", "dead", "INC-1"]
    assert "Invalid routing key" in line
    rows = json.loads(office.run("messages", "list", "--output", "json").stdout)
    assert [(row["id"], row["state"], row["error"]) for row in rows] == [
        (2, "waiting", ""),
        (1, "dead", "HTTP 400: Invalid routing key"),
    ]


def test_a_page_that_was_taken_back_is_listed_with_its_reason(office: Office) -> None:
    """A page that findings made needless is no riddle, and sending it again is refused with what became of it."""
    office.write(enrich=True)
    with office.database.write() as connection:
        outbox.withdraw(connection, "INC-1", ["pagerduty"], "lowered to P3 because health is ok", NOW)
    listed = office.run("messages", "list", "--state", "withdrawn")
    assert listed.exit_code == 0, listed.output
    assert "lowered to P3 because health is ok" in listed.stdout
    assert "Withdrawn   lowered to P3 because health is ok" in office.run("messages", "show", "1").stdout
    refused = office.run("messages", "resend", "1").stderr
    assert "message 1: not resent: withdrawn before it was sent: lowered to P3" in refused


def test_every_state_can_be_listed() -> None:
    """No message is in a state that the list cannot show."""
    assert tuple(COLOURS) == dead_letters.STATES


def test_a_message_is_shown_as_it_is_sent_and_without_its_secrets(office: Office) -> None:
    """The exact request of a rejected page is shown, without its key."""
    office.write()
    office.write(channel="slack", step="post")
    office.end()
    shown = office.run("messages", "show", "1").stdout
    assert "POST https://events.pagerduty.com/v2/enqueue" in shown
    assert '"routing_key": "***"' in shown
    assert '"summary": "[P1] plato is down' in shown
    assert "responder messages resend 1" in shown
    assert "Authorization: ***" in office.run("messages", "show", "2").stdout
    raw = office.run("messages", "show", "1", "--raw").stdout_bytes
    assert json.loads(raw)["event_action"] == "trigger"
    everything = shown + raw.decode() + office.run("messages", "show", "2").stdout
    assert KEY not in everything
    assert TOKEN not in everything


def test_a_message_of_a_channel_that_is_gone_is_shown_too(office: Office) -> None:
    """The reason is there even where the request cannot be built any more."""
    office.write(channel="pigeon")
    office.end()
    done = office.run("messages", "show", "1")
    assert done.exit_code == 0
    assert "channel pigeon is not configured" in done.stdout
    assert office.run("messages", "show", "1", "--raw").exit_code == 1


def test_what_was_given_up_can_be_sent_again(office: Office) -> None:
    """After the key is fixed the page is sent, once."""
    office.write()
    office.end()
    done = office.run("messages", "resend", "1")
    assert done.exit_code == 0, done.output
    assert office.state(1) == "waiting"
    again = office.run("messages", "resend", "1")
    assert again.exit_code == 1
    assert "it is pending" in again.stderr
    office.end(dead=False)
    accepted = office.run("messages", "resend", "1", "99")
    assert accepted.exit_code == 1
    assert "resending it would notify twice" in accepted.stderr
    assert "message 99: not resent: no such message" in accepted.stderr
    assert "responder messages list" in accepted.stderr


@pytest.mark.parametrize("option", ["--even-if-resolved", "--even-if-over"])
def test_what_is_over_is_not_opened_again(office: Office, option: str) -> None:
    """Resending a page of a resolved incident would leave it open; it needs an explicit option, by either name."""
    office.write()
    office.end()
    office.write(step="resolve", kind=MessageKind.RESOLUTION)
    office.end(dead=False)
    refused = office.run("messages", "resend", "--all-dead")
    assert refused.exit_code == 1
    assert "would reopen it" in refused.stderr
    assert office.state(1) == "dead"
    assert office.run("messages", "resend", "1", option).exit_code == 0
    assert office.state(1) == "waiting"


def test_all_that_was_given_up_is_sent_again_in_order(office: Office) -> None:
    """A page and its end that were both refused: the end still follows the page."""
    office.write()
    office.end()
    office.write(step="resolve", kind=MessageKind.RESOLUTION)
    office.end()
    assert office.run("messages", "resend", "--all-dead").exit_code == 0
    with office.database.write() as connection:
        (first,) = claims.claim(connection, claims.ChannelQueue((), rest=True), LATER, LATER, 10)
    assert first.message.step == "trigger"


@pytest.mark.parametrize("arguments", [("resend",), ("resend", "1", "--all-dead"), ("show",), ("show", "x")])
def test_a_wrong_command_line_is_told_apart(office: Office, arguments: tuple[str, ...]) -> None:
    """Scripts can distinguish a typing error from a failure."""
    assert office.run("messages", *arguments).exit_code == 2


def test_a_replay_says_what_it_will_do_and_keeps_the_body_anew(office: Office) -> None:
    """A stored notification is processed again by the rules in force."""
    number = Inbox(office.database).keep(SERVICE_DOWN, "prod-eu", NOW)
    looked = office.run("replay", str(number), "--dry-run")
    assert looked.exit_code == 0, looked.output
    assert "Rule        service-down, P1" in looked.stdout
    assert "Sends       pagerduty trigger, slack post, slack details" in looked.stdout
    told = json.loads(office.run("replay", str(number), "--dry-run", "--output", "json").stdout)
    assert (told["rule"], told["severity"], told["kept_as"]) == ("service-down", "P1", None)
    assert told["tells"] == ["pagerduty trigger", "slack post", "slack details"]
    assert Inbox(office.database).find(number + 1) is None
    done = office.run("replay", str(number))
    assert f"stored as notification {number + 1}" in done.stdout
    again = Inbox(office.database).find(number + 1)
    assert again is not None
    assert (again.body, again.cluster) == (SERVICE_DOWN, "prod-eu")


def test_a_replay_that_breaks_triage_keeps_to_its_output(office: Office) -> None:
    """Log lines of triage do not mix with the output that a script reads."""
    number = Inbox(office.database).keep(b"{", "", NOW)
    done = office.run("replay", str(number), "--dry-run", "--output", "json")
    assert "triage failed" in json.loads(done.stdout)["outcome"]
    assert json.loads(done.stderr.splitlines()[0])["event"] == "triage.unreadable"


def test_deliveries_are_listed(office: Office) -> None:
    """The number of a notification is listed."""
    Inbox(office.database).keep(SERVICE_DOWN, "prod-eu", NOW)
    Inbox(office.database).set_aside(b"{", 1, "10.0.0.1", 400, "not JSON", NOW)
    assert "prod-eu" in office.run("replay", "--list").stdout
    (row,) = json.loads(office.run("replay", "--list", "--output", "json").stdout)
    assert (row["id"], row["state"], row["cluster"], row["incident"]) == (1, "new", "prod-eu", None)
    assert "not JSON" in office.run("rejects", "list").stdout
    (refused,) = json.loads(office.run("rejects", "list", "--output", "json").stdout)
    assert (refused["id"], refused["status"], refused["error"], refused["from"]) == (1, 400, "not JSON", "10.0.0.1")
    assert office.run("replay").exit_code == 2
    assert office.run("replay", "1", "--list").exit_code == 2


def test_what_cannot_be_replayed_has_a_name(office: Office) -> None:
    """An unknown number names the command that lists them; an invalid payload is refused with the reason."""
    missing = office.run("replay", "99")
    assert missing.exit_code == 1
    assert "responder replay --list" in missing.stderr
    box = Inbox(office.database)
    bad = box.set_aside(b'{"version": "3"}', 16, "10.0.0.1", 400, "$.version: is not 4", NOW)
    still = office.run("replay", "--rejected", str(bad))
    assert still.exit_code == 1
    assert "is still invalid" in still.stderr
    cut = box.set_aside(b"{}", 999, "10.0.0.1", 413, "too large", NOW)
    assert "only 2 of 999 bytes" in office.run("replay", "--rejected", str(cut)).stderr
    assert "responder rejects list" in office.run("replay", "--rejected", "99").stderr


def test_a_rejected_body_that_can_be_taken_now_is(office: Office) -> None:
    """A payload that an older version refused can be replayed."""
    number = Inbox(office.database).set_aside(SERVICE_DOWN, len(SERVICE_DOWN), "10.0.0.1", 400, "a bug", NOW)
    done = office.run("replay", "--rejected", str(number), "--cluster", "prod-eu")
    assert done.exit_code == 0, done.output
    kept = Inbox(office.database).find(1)
    assert kept is not None
    assert (kept.body, kept.cluster) == (SERVICE_DOWN, "prod-eu")
