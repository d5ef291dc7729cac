"""User groups that restrict who may press: members act, others see why not, and Slack's failures are told apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from responder.bootstrap import SystemClock
from responder.converse.slack.api import MEMBERS_SECONDS, SlackApi
from responder.converse.slack.payloads import Button
from responder.model.secret import Secret
from responder.outgoing import Outgoing
from responder.standins import server
from responder.standins.slack import TEAM, SlackStandIn
from responder.store.database import Database
from responder.store.incidents import incidents
from tests.conftest import HandClock
from tests.support.builders import a_content
from tests.support.slack_payloads import pressed, submitted
from tests.unit.converse.slack.test_entry import Bench

PRESS = pressed(Button.ACKNOWLEDGE, "INC-118")


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Bench:
    """An incident of the teams payments and search; payments lets only a group act."""
    found = Bench(database, clock)
    found.entry = replace(found.entry, acting_groups=lambda: {"payments": "S0PAY01"})
    content = replace(a_content(teams=("payments", "search")), incident="INC-118")
    with database.transaction() as connection:
        incidents.save_contents(connection, [content], [], clock.now())
    return found


def test_a_member_may_act(bench: Bench) -> None:
    """One group of the incident's teams is enough."""
    bench.api.groups["S0PAY01"] = {"U0ANN"}
    bench.entry.interact(PRESS)
    assert [kind for kind, *_ in bench.stored()] == ["acknowledge"]


def test_others_see_why_they_may_not(bench: Bench) -> None:
    """A press is answered to the person alone, a dialog at its input; nothing is stored."""
    bench.api.groups["S0PAY01"] = {"U0BOB"}
    bench.entry.interact(PRESS)
    why = "only the user group S0PAY01 may act on incidents of payments"
    assert bench.api.answered == [f"Refused: {why}."]
    answer = bench.entry.interact(submitted(Button.NOTE, "INC-118", {"text": {"value": "x"}}))
    assert answer == {"response_action": "errors", "errors": {"text": f"Refused: {why}"}}
    assert bench.stored() == []


def test_a_group_that_slack_does_not_list_lets_no_person_act(bench: Bench) -> None:
    """A restriction does not end with a failure, and the reason names it."""
    bench.entry.interact(PRESS)
    assert "Slack did not list the user group S0PAY01" in bench.api.answered[0]
    assert bench.stored() == []


def test_incidents_of_other_teams_are_free(bench: Bench) -> None:
    """A team without a group restricts nothing."""
    bench.entry = replace(bench.entry, acting_groups=lambda: {"storage": "S0STORE"})
    bench.entry.interact(PRESS)
    assert [kind for kind, *_ in bench.stored()] == ["acknowledge"]


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A workspace with a group."""
    with SlackStandIn() as found:
        found.groups["S0PAY01"] = ("U0ANN",)
        yield found


class _Clock(SystemClock):
    ahead = 0.0

    def monotonic(self) -> float:
        """Return the time, and as much ahead of it as a test wants."""
        return super().monotonic() + self.ahead


def test_members_are_asked_once_in_five_minutes_and_kept_while_slack_fails(slack: SlackStandIn) -> None:
    """A press does not wait for Slack each time, and a failing Slack takes no right away."""
    clock = _Clock()
    with contextlib.closing(Outgoing(clock)) as outgoing:
        api = SlackApi(outgoing, clock, Secret("xoxb-1"), slack.url)
        assert [api.members("S0PAY01") for _ in range(3)] == [frozenset({"U0ANN"})] * 3
        assert len(slack.calls) == 1
        clock.ahead = MEMBERS_SECONDS + 1
        slack.groups["S0PAY01"] = ("U0BOB",)
        assert api.members("S0PAY01") == frozenset({"U0BOB"})
        clock.ahead *= 3
        slack.faults.append(server.status(500))
        assert api.members("S0PAY01") == frozenset({"U0BOB"})


@pytest.mark.parametrize(("bad", "known"), [(0, TEAM), (1, TEAM), (2, "")])
def test_one_bad_response_about_the_workspace_costs_nothing(slack: SlackStandIn, bad: int, known: str) -> None:
    """It is asked again at once; after two failures the next press asks again, and the answer is kept."""
    clock = _Clock()
    with contextlib.closing(Outgoing(clock)) as outgoing:
        api = SlackApi(outgoing, clock, Secret("xoxb-1"), slack.url)
        slack.faults.extend([server.status(500)] * bad)
        assert [api.workspace(), api.workspace(), api.workspace()] == [known, TEAM, TEAM]
        assert len(slack.calls) == bad + 1


def test_a_missing_scope_or_group_is_unknown(slack: SlackStandIn) -> None:
    """Nothing is assumed about a group that Slack does not list."""
    clock = _Clock()
    with contextlib.closing(Outgoing(clock)) as outgoing:
        api = SlackApi(outgoing, clock, Secret("xoxb-1"), slack.url)
        assert api.members("S0NONE1") is None
        slack.scopes = ("chat:write",)
        assert api.members("S0PAY01") is None
