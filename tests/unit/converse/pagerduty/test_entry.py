"""Webhooks of PagerDuty, from the body to the stored actions."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from responder.converse.pagerduty.api import PagerDutyApi
from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.pagerduty.events import BadEventError, read, signature_problem
from responder.model.action import ActionKind
from responder.model.secret import Secret
from responder.notify.render import slack_blocks
from responder.outgoing import Outgoing, UnreachableError
from responder.store.database import Database
from responder.store.incidents import actions, incidents
from responder.web import pagerduty
from responder.web.app import create_app
from responder.web.multiprocess import CounterFiles
from tests.conftest import HandClock
from tests.support.builders import NOW, an_incident
from tests.support.pagerduty_webhooks import event, signed
from tests.unit.converse.conftest import refused

KEY = "a" * 64


class FakeApi:
    """Knows the dedup keys of PagerDuty's incident, or is away."""

    def __init__(self) -> None:
        self.keys: tuple[str, ...] = ()
        self.away = False
        self.asked = 0

    def alert_keys(self, incident: str) -> tuple[str, ...]:
        """Return the keys."""
        assert incident == "PGR0VU2"
        self.asked += 1
        if self.away:
            raise UnreachableError("no route to host")
        return self.keys


class Bench:
    """An entry point and its route, over a database with two open incidents."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.api = FakeApi()
        entry = PagerDutyEntry(database, self.api, clock, ("pagerduty",), lambda: None)
        routes = pagerduty.blueprint(entry, (Secret("new"), Secret("old")), clock)
        self.client: FlaskClient = create_app(routes).test_client()
        other = an_incident(id="INC-OTHER", dedup_key="b" * 64)
        with database.transaction() as connection:
            incidents.save(connection, [an_incident(id="INC-118", dedup_key=KEY), other], [])

    def post(self, body: bytes, *secrets: str) -> int:
        """Send a signed webhook; return the status."""
        headers = signed(body, *(secrets or ("new",)))
        return self.client.post("/pagerduty/webhooks", data=body, headers=headers).status_code

    def stored(self, incident: str = "INC-118") -> list[tuple[str, str, str]]:
        """Kind, actor and text or target of the stored actions on an incident."""
        with self.database.read() as connection:
            rows = [each.action for each in actions.of_incident(connection, incident)]
        return [(each.kind.value, each.actor, each.text or each.target) for each in rows]


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Bench:
    """An entry point with two open incidents."""
    return Bench(database, clock)


@pytest.mark.parametrize("key", [KEY, f"{KEY}-2"])
def test_an_acknowledgement_is_found_by_its_key(bench: Bench, key: str) -> None:
    """The dedup key of any page of the incident names it."""
    assert bench.post(event("incident.acknowledged", key)) == 202
    assert bench.stored() == [("acknowledge", "Ann Onymous", "")]
    assert bench.api.asked == 0


def test_an_event_that_is_sent_again_is_stored_once(bench: Bench) -> None:
    """PagerDuty delivers at least once; the id of the event is the same each time."""
    for _ in range(3):
        assert bench.post(event("incident.acknowledged", KEY)) == 202
    assert len(bench.stored()) == 1


def test_a_grouped_incident_acts_on_all_of_ours(bench: Bench) -> None:
    """PagerDuty groups alerts: its incident has no key, and each of its alerts is an incident here."""
    bench.api.keys = (KEY, "b" * 64, "of another sender")
    assert bench.post(event("incident.resolved")) == 202
    assert [each[0] for each in bench.stored() + bench.stored("INC-OTHER")] == ["resolve", "resolve"]
    assert bench.post(event("incident.annotated", number="02", incident={"id": "PGR0VU2"}, content="x")) == 202
    assert bench.api.asked == 1  # learnt
    assert bench.stored()[-1] == ("note", "Ann Onymous", "x")


def test_an_event_is_sent_again_while_pagerduty_cannot_be_asked(bench: Bench) -> None:
    """Nothing is lost: a 503 makes PagerDuty repeat the event for 48 hours."""
    bench.api.away = True
    assert bench.post(event("incident.acknowledged")) == 503
    bench.api.away, bench.api.keys = False, (KEY,)
    assert bench.post(event("incident.acknowledged")) == 202
    assert len(bench.stored()) == 1


@pytest.mark.parametrize("kind", ["pagey.ping", "incident.triggered", "incident.workflow.started", "service.updated"])
def test_what_changes_nothing_is_accepted(bench: Bench, kind: str) -> None:
    """Three 4xx in a row disable the subscription: unknown types are 202."""
    assert bench.post(event(kind, KEY)) == 202
    assert bench.stored() == []


def test_an_id_with_a_path_is_not_asked_about(clock: HandClock) -> None:
    """The id of a webhook becomes part of an address only if it looks like one of PagerDuty."""
    with closing(Outgoing(clock)) as outgoing:
        api = PagerDutyApi(outgoing, clock, Secret("t"), "http://127.0.0.1:9")
        assert api.alert_keys("../users") == api.alert_keys("..") == api.alert_keys("") == ()


def test_an_incident_of_another_sender_is_accepted(bench: Bench) -> None:
    """The same service may take events of others: what is unknown is 202, and changes nothing."""
    assert bench.post(event("incident.acknowledged", "of another sender")) == 202
    assert bench.stored() == []


def test_a_merge_is_no_end() -> None:
    """An incident that is merged into another goes on."""
    found = read(event("incident.resolved", KEY, resolve_reason={"type": "merge_resolve_reason"}))
    assert found.kind is None
    assert read(event("incident.resolved", KEY, resolve_reason=None)).kind is ActionKind.RESOLVE


@pytest.mark.parametrize("agent", [None, {"id": "P1", "type": "service_reference", "summary": "plato"}])
def test_only_a_person_resolves(agent: dict[str, str] | None) -> None:
    """Responder's own resolve comes back, and must not resolve the incident that opened meanwhile."""
    given = json.loads(event("incident.resolved", KEY))
    given["event"]["agent"] = agent
    assert read(json.dumps(given).encode()).kind is None


def test_an_escalation_names_who_has_it_now() -> None:
    """The assignees become one line, and a removed priority an empty one."""
    people = [{"id": "P1", "summary": "Ann"}, {"id": "P2", "summary": "Bob"}]
    assert read(event("incident.escalated", KEY, assignees=people)).target == "Ann, Bob"
    assert read(event("incident.priority_updated", KEY, priority={"summary": "P2"})).target == "P2"
    assert read(event("incident.priority_updated", KEY, priority=None)).target == ""


def test_a_time_in_the_future_is_now(bench: Bench) -> None:
    """A vendor's clock ahead of ours must not keep later reports out."""
    bench.post(event("incident.acknowledged", KEY, at=NOW + timedelta(hours=1)))
    with bench.database.read() as connection:
        assert actions.of_incident(connection, "INC-118")[0].action.at <= NOW


def test_forged_and_malformed_webhooks_are_refused(bench: Bench, counted: CounterFiles) -> None:
    """A wrong signature is 401, a large body 413, and one of another shape 202, which keeps the subscription enabled.

    None is stored, each is counted.
    """
    body = event("incident.resolved", KEY)
    assert bench.post(body, "guess") == 401
    assert bench.client.post("/pagerduty/webhooks", data=body).status_code == 401
    assert bench.post(b"[]") == 202
    assert bench.post(b"x" * pagerduty.BODY_BYTES * 2) == 413
    assert (bench.stored(), refused(counted)) == ([], 4)


def test_a_name_with_markup_stays_text(bench: Bench) -> None:
    """A person's name is one line without control characters; channels escape the rest."""
    given = json.loads(event("incident.acknowledged", KEY))
    given["event"]["agent"]["summary"] = "<!channel> <https://evil.example.com|Ann>\n\x1b[31m"
    assert bench.post(json.dumps(given).encode()) == 202
    [(_kind, actor, _text)] = bench.stored()
    assert actor.isprintable()
    assert slack_blocks.line_of(actor).count("<") == 0


def test_half_a_character_does_not_lose_a_note(bench: Bench) -> None:
    """PagerDuty cuts long notes, perhaps within a character of two halves."""
    body = event("incident.annotated", KEY, content="HALF").replace(b"HALF", b"disk replaced \\ud83d")
    assert bench.post(body) == 202
    [(kind, _actor, text)] = bench.stored()
    assert (kind, text) == ("note", "disk replaced ?")


def test_any_of_several_secrets_and_signatures_is_enough() -> None:
    """A secret can be replaced without a gap."""
    body = event("pagey.ping")
    for secrets in (("old",), ("guess", "new")):
        header = signed(body, *secrets)["X-PagerDuty-Signature"]
        assert signature_problem((Secret("new"), Secret("old")), header, body) == ""
    for header in ("", "v1=", "v1=ü", ",,,"):
        assert signature_problem((Secret("new"),), header, body)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"event":{}}', b"\xff", b"[" * 5000])
def test_a_body_of_another_shape_is_named(body: bytes) -> None:
    """The reason is one line, whatever is sent."""
    with pytest.raises(BadEventError) as error:
        read(body)
    assert "\n" not in str(error.value)


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time could be hours away."""
    given = json.loads(event("incident.acknowledged", KEY))
    given["event"]["occurred_at"] = NOW.replace(tzinfo=None).isoformat()
    with pytest.raises(BadEventError):
        read(json.dumps(given).encode())
