"""PagerDuty is down: the page goes to the second key, then Slack, then mail; in the end all get the resolve."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from responder.standins import butterfly
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import StandIn, status
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import rows
from tests.support.mail import MailStandIn

pytestmark = pytest.mark.real

GROUP = "S0123ABCD"
MENTION = f"<!subteam^{GROUP}>"


@pytest.fixture
def second() -> Iterator[PagerDutyStandIn]:
    """PagerDuty in another region."""
    with PagerDutyStandIn() as found:
        yield found


@pytest.fixture
def mail() -> Iterator[MailStandIn]:
    """The mail server."""
    with MailStandIn() as found:
        yield found


def every_way(second: PagerDutyStandIn, mail: MailStandIn) -> dict[str, str]:
    """The settings of all that can stand in for PagerDuty; a page has two seconds before it takes the next way."""
    return {
        "pagerduty_fallback_url": second.url,
        "pagerduty_fallback_routing_key": secrets.token_hex(16),
        "slack_oncall_group": GROUP,
        "smtp_host": "127.0.0.1",
        "smtp_port": str(mail.port),
        "smtp_tls": "none",
        "smtp_from": "responder@example.com",
        "smtp_to": "oncall@example.com",
        "fallback_seconds": "2",
    }


def down(*servers: StandIn) -> None:
    """From now on they answer 503 to everything."""
    for server in servers:
        server.faults.extend([status(503)] * 1000)


def up(*servers: StandIn) -> None:
    """They answer again."""
    for server in servers:
        server.faults.clear()


def resolved() -> bytes:
    """The end of what service-down.json begins."""
    body = json.loads(example("service-down"))
    body["status"] = "resolved"
    for alert in body["alerts"]:
        alert |= {"status": "resolved", "endsAt": alert["startsAt"][:-1] + "1Z"}
    return json.dumps(body).encode()


def test_an_outage_of_everything_but_mail(stage: Stage, second: PagerDutyStandIn, mail: MailStandIn) -> None:
    """Mail gets through when nothing else does; when all recover there is one incident, and its end reaches all."""
    stage.butterfly.set("plato", butterfly.down())
    down(stage.pagerduty, second, stage.slack)
    with stage.serve(**every_way(second, mail)):
        assert stage.post(example("service-down")).status == 202
        until(lambda: mail.mails, 60)
        assert (stage.pagerduty.events, second.events, stage.slack.messages) == ([], [], [])
        told = " ".join(mail.mails[0].message.get_content().split())
        assert "PagerDuty has not accepted this page for 2 seconds: HTTP 503" in told
        assert "then PagerDuty's second key has not accepted this page" in told
        assert "then Slack has accepted nothing" in told
        up(stage.pagerduty, second, stage.slack)
        until(lambda: stage.pagerduty.open() and second.open(), 90)
        until(lambda: [message for message in stage.slack.messages if MENTION in message.text], 90)
        assert len({event.dedup_key for event in stage.pagerduty.events + second.events}) == 1
        assert [len(stage.pagerduty.open()), len(second.open())] == [1, 1]
        assert stage.post(resolved()).status == 202
        until(lambda: not stage.pagerduty.open() and not second.open(), 40)
        until(lambda: any("INCIDENT RESOLVED" in str(each.message["Subject"]) for each in mail.mails), 40)
        until(lambda: "Resolved after" in stage.slack.messages[0].text, 40)
    assert rows(stage.database, "SELECT count(*) FROM incidents") == [(1,)]
    assert len(stage.pagerduty.incidents) == len(second.incidents) == 1


def test_a_wrong_key_costs_seconds(stage: Stage, second: PagerDutyStandIn, mail: MailStandIn) -> None:
    """PagerDuty refuses the key: the second one pages at once, and the page says why it came that way."""
    stage.pagerduty.faults.extend([status(400, b'{"status": "invalid event", "message": "Invalid routing key"}')] * 10)
    with stage.serve(**every_way(second, mail) | {"fallback_seconds": "600"}):
        assert stage.post(example("service-down")).status == 202
        until(second.open, 30)
    details = second.events[0].body["payload"]["custom_details"]
    assert "rejected this page: HTTP 400: Invalid routing key" in details["11 Fallback"]
    assert mail.mails == []


def test_a_kill_in_the_middle_of_it(stage: Stage, second: PagerDutyStandIn, mail: MailStandIn) -> None:
    """A replica that dies while it chooses a fallback channel loses no page and sends none twice."""
    down(stage.pagerduty)
    settings = every_way(second, mail)
    with stage.serve(**settings) as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.calls, 20)
        program.kill()
    with stage.serve(**settings) as program:
        until(second.open, 40)
        program.kill()
    up(stage.pagerduty)
    with stage.serve(**settings):
        until(stage.pagerduty.open, 60)
        assert stage.post(resolved()).status == 202
        until(lambda: not stage.pagerduty.open() and not second.open(), 40)
    assert len(stage.pagerduty.incidents) == len(second.incidents) == 1
    assert rows(stage.database, "SELECT count(*) FROM messages WHERE kind = 'fallback'") == [(1,)]
