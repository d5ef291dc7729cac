"""`responder incidents adopt`, and doctor's check of PagerDuty's REST API, against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result

from responder.cli import main
from responder.cli.doctor.context import DoctorContext
from responder.cli.doctor.pagerduty import api
from responder.model.check import Level
from responder.model.clock import Deadline
from responder.outgoing import Outgoing
from responder.outgoing.smtp import Mailer
from responder.settings import read
from responder.standins.pagerduty import PagerIncident
from responder.store.database import Database
from responder.store.incidents import incidents
from tests.conftest import HandClock
from tests.support.builders import an_incident
from tests.support.pagerduty_account import PagerDutyAccount

KEYS = {name: name * 64 for name in "abcdef"}


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyAccount]:
    """PagerDuty."""
    with PagerDutyAccount() as found:
        found.rest.token = "u+token"
        yield found


def opened(pagerduty: PagerDutyAccount, key: str, client: str = "responder") -> PagerIncident:
    """An open incident of PagerDuty."""
    payload = {"summary": f"{key[:4]} is down", "source": "plato", "severity": "critical"}
    event = {"routing_key": "r", "event_action": "trigger", "dedup_key": key, "client": client, "payload": payload}
    urlopen(Request(f"{pagerduty.url}/v2/enqueue", json.dumps(event).encode()), timeout=5).close()
    return pagerduty.incidents[-1]


@pytest.fixture
def run(pagerduty: PagerDutyAccount, database: Database, database_url: str) -> Callable[..., Result]:
    """Run the command over a database that knows an open, a resolved and a twice paged incident."""
    known = an_incident(id="INC-OPEN", dedup_key=KEYS["a"])
    over = an_incident(id="INC-OVER", dedup_key=KEYS["b"], open=False, resolved_at=known.opened_at)
    twice = an_incident(id="INC-TWICE", dedup_key=KEYS["c"], page_number=2)
    with database.transaction() as connection:
        incidents.save(connection, [known, over, twice], [])
    env = {
        "RESPONDER_DATABASE_URL": database_url,
        "RESPONDER_PAGERDUTY_API_TOKEN": "u+token",
        "RESPONDER_PAGERDUTY_API_FROM": "ann@example.com",
        "RESPONDER_PAGERDUTY_API_URL": pagerduty.url,
    }
    return lambda *given, **more: CliRunner().invoke(main, ["incidents", "adopt", *given], env={**env, **more})


def test_only_incidents_that_nothing_will_resolve_are_listed(
    pagerduty: PagerDutyAccount, run: Callable[..., Result]
) -> None:
    """Open pages, other clients and other keys are left out; unknown and resolved pages are listed."""
    for name in "abc":
        opened(pagerduty, KEYS[name])
    opened(pagerduty, f"{KEYS['c']}-2")
    opened(pagerduty, KEYS["d"])
    opened(pagerduty, KEYS["e"], client="Monitoring Service")
    opened(pagerduty, "alertname=Foo")
    done = run("--output", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [(each["dedup_keys"], each["known"]) for each in found] == [
        ([KEYS["b"]], "resolved"),
        ([KEYS["d"]], "unknown"),
    ]
    assert found[0]["url"].startswith("https://butterfly.pagerduty.com/incidents/")
    assert len(pagerduty.open()) == 7
    table = run().stdout.splitlines()
    assert table[0].split() == ["PAGERDUTY", "HERE", "OPENED", "URL", "TITLE"]


def test_nothing_is_resolved_without_confirmation(pagerduty: PagerDutyAccount, run: Callable[..., Result]) -> None:
    """--resolve asks; without a terminal it needs --yes, and a user of PagerDuty."""
    lost, own = opened(pagerduty, KEYS["d"]), opened(pagerduty, KEYS["a"])
    assert "--yes" in run("--resolve").stderr
    assert "RESPONDER_PAGERDUTY_API_FROM" in run("--resolve", "--yes", RESPONDER_PAGERDUTY_API_FROM="").stderr
    assert lost.state == "triggered"
    done = run("--resolve", "--yes")
    assert done.exit_code == 0, done.output
    assert (lost.state, own.state) == ("resolved", "triggered")
    assert "0 incidents left open" in run().stderr


def test_a_wrong_token_and_pages_of_lists(pagerduty: PagerDutyAccount, run: Callable[..., Result]) -> None:
    """All pages of the list are read; a refused token ends with the reason."""
    for number in range(103):
        opened(pagerduty, f"{number:064x}")
    assert "103 incidents left open" in run().stderr
    wrong = run(RESPONDER_PAGERDUTY_API_TOKEN="other")
    assert wrong.exit_code == 1
    assert "HTTP 401" in wrong.stderr
    assert "RESPONDER_PAGERDUTY_API_TOKEN" in run(RESPONDER_PAGERDUTY_API_TOKEN="").stderr


def test_doctor_checks_the_token_and_the_subscription(pagerduty: PagerDutyAccount, clock: HandClock) -> None:
    """A refused token, a missing and a disabled subscription are bad, each with what to do."""
    given = {
        "RESPONDER_PAGERDUTY_API_TOKEN": "u+token",
        "RESPONDER_PAGERDUTY_API_URL": pagerduty.url,
        "RESPONDER_PAGERDUTY_WEBHOOK_SECRET": "s",
    }
    outgoing = Outgoing(clock)

    def levels(**changes: str) -> list[tuple[Level, str]]:
        context = DoctorContext(
            settings=read({**given, **changes}),
            environment={},
            book=None,
            outgoing=outgoing,
            mailer=Mailer(outgoing, clock),
            clock=clock,
            deadline=Deadline(clock.monotonic() + 5),
            send=False,
        )
        return [(each.level, each.what) for each in api(context)]

    assert levels(RESPONDER_PAGERDUTY_API_TOKEN="x") == [(Level.BAD, "refuses the token: HTTP 401")]
    assert levels(RESPONDER_PAGERDUTY_API_TOKEN="")[0][0] is Level.SKIPPED
    assert levels()[1] == (Level.BAD, "no webhook subscription posts to responder")
    subscription = pagerduty.webhooks.subscribe("http://127.0.0.1:9/pagerduty/webhooks", "s")
    assert [level for level, _what in levels()] == [Level.OK, Level.OK]
    assert levels(RESPONDER_PAGERDUTY_WEBHOOK_SECRET="")[1][0] is Level.WARN
    subscription.active = False
    assert levels()[1] == (Level.BAD, f"webhook subscription {subscription.id} is disabled")
    outgoing.close()
