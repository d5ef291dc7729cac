"""Silences: created once, extended, found again and expired, against a server with Alertmanager's behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from responder.model.silence import SilenceOrder, SilenceReach, SilenceResult, incident_of, marker
from responder.outgoing import Outgoing
from responder.outgoing.alertmanager_api import filters, matcher_text
from responder.outgoing.silences import AlertmanagerDownError, AlertmanagerRefusalError, Silences
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.server import Call, Fault, hang, healthy, reset, status, swallow
from tests.conftest import HandClock
from tests.support.builders import NOW

GROUP = {"alertname": "ServiceDown", "service": "plato"}
AWKWARD = {"alertname": 'a"b\\c', "path": "x&filter=y\nz, {}", "näme.dot": "ü"}
ORDER = SilenceOrder(
    cluster="prod",
    groups=(GROUP,),
    own=frozenset({"1" * 16}),
    confirmed=0,
    by="Ann",
    comment=f"deploying {marker('INC-118')}",
    marker=marker("INC-118"),
    until=NOW + timedelta(hours=1),
)


@pytest.fixture
def server(clock: HandClock) -> Iterator[AlertmanagerStandIn]:
    """An Alertmanager in which one alert of the incident fires, and one of another service."""
    with AlertmanagerStandIn(now=clock.now) as found:
        found.alerts = {"1" * 16: {**GROUP, "pod": "a"}, "2" * 16: {"alertname": "ServiceDown", "service": "nexus"}}
        yield found


@pytest.fixture
def outgoing(clock: HandClock) -> Iterator[Outgoing]:
    """The way out, closed at the end."""
    with closing(Outgoing(clock)) as found:
        yield found


@pytest.fixture
def silences(outgoing: Outgoing, server: AlertmanagerStandIn, clock: HandClock) -> Silences:
    """A client of that server, for every cluster."""
    return Silences(outgoing, clock, {"": (server.url,)})


def test_a_silence_has_the_labels_the_person_and_the_incident(
    silences: Silences, server: AlertmanagerStandIn, clock: HandClock
) -> None:
    """Matchers are equalities, createdBy is the person, and the comment leads back to the incident."""
    result = silences.create(ORDER)
    [found] = server.active
    assert result == SilenceResult(ids=(found.id,))
    assert {each["name"]: each["value"] for each in found.matchers} == GROUP
    assert all(each["isEqual"] and not each["isRegex"] for each in found.matchers)
    assert (found.created_by, incident_of(found.comment)) == ("Ann", "INC-118")
    assert (found.state(clock.now()), found.ends_at) == ("active", ORDER.until)


def test_a_silence_that_exists_is_not_created_again(silences: Silences, server: AlertmanagerStandIn) -> None:
    """Alertmanager accepts the same body twice as two silences: the second attempt finds the first one."""
    first = silences.create(ORDER)
    assert silences.create(ORDER) == first
    assert len(server.silences) == 1
    assert [call.method for call in server.calls].count("POST") == 1


def test_an_answer_that_is_lost_leaves_one_silence(silences: Silences, server: AlertmanagerStandIn) -> None:
    """The connection ends after Alertmanager has created the silence: the next attempt does not create another."""
    server.manner = lambda call: swallow() if call.method == "POST" else Fault()
    with pytest.raises(AlertmanagerDownError):
        silences.create(ORDER)
    server.manner = healthy
    result = silences.create(ORDER)
    assert result.ids == tuple(server.silences)


def test_another_end_extends_the_silence(silences: Silences, server: AlertmanagerStandIn, clock: HandClock) -> None:
    """The same id with a new end, also minutes later: there is one silence of an incident, not one for each press."""
    first = silences.create(ORDER)
    clock.move(600)
    later = replace(ORDER, until=NOW + timedelta(hours=4), by="Bob")
    assert silences.create(later).ids == first.ids
    [found] = server.silences.values()
    assert (found.ends_at, found.created_by) == (later.until, "Bob")


def test_an_expired_silence_is_not_extended(silences: Silences, server: AlertmanagerStandIn, clock: HandClock) -> None:
    """After its end a new one is created."""
    first = silences.create(ORDER)
    clock.move(3601)
    second = silences.create(replace(ORDER, until=clock.now() + timedelta(hours=1)))
    assert first.ids != second.ids
    assert len(server.active) == 1


def test_a_silence_of_somebody_else_is_left_alone(silences: Silences, server: AlertmanagerStandIn) -> None:
    """Neither a silence of another incident nor one made in Alertmanager's own page is changed or expired."""
    other = silences.create(replace(ORDER, comment=f"x {marker('INC-999')}", marker=marker("INC-999")))
    foreign = silences.create(replace(ORDER, comment=f"{marker('INC-118')} quoted", marker="never"))
    own = silences.create(ORDER)
    assert len({*other.ids, *foreign.ids, *own.ids}) == 3
    assert silences.expire("prod", marker("INC-118")) == own
    assert {each.id for each in server.active} == {*other.ids, *foreign.ids}
    assert silences.expire("prod", marker("INC-118")) == SilenceResult()


@pytest.mark.parametrize("unknown", [404, 500])
def test_a_silence_that_is_gone_is_expired(outgoing: Outgoing, clock: HandClock, unknown: int) -> None:
    """Somebody expired it in the meantime: there is nothing left to do, in any version."""
    with AlertmanagerStandIn(now=clock.now, unknown_silence=unknown) as server:
        silences = Silences(outgoing, clock, {"": (server.url,)})
        silences.create(ORDER)

        def someone_else(call: Call) -> Fault:
            if call.method == "DELETE":
                server.silences.clear()
            return Fault()

        server.manner = someone_else
        if unknown == 404:
            assert silences.expire("prod", ORDER.marker).problem == ""
            return
        with pytest.raises(AlertmanagerDownError):
            silences.expire("prod", ORDER.marker)
        assert silences.expire("prod", ORDER.marker) == SilenceResult()


def test_more_alerts_than_the_incident_has_need_the_number(silences: Silences, server: AlertmanagerStandIn) -> None:
    """Nothing is created unless the person agreed to the number of other alerts."""
    server.alerts["3" * 16] = {**GROUP, "team": "other"}
    assert silences.reach("prod", ORDER.groups, ORDER.own) == SilenceReach(total=2, others=1)
    refused = silences.create(ORDER)
    assert "matches 2 alerts now, 1 of them not of this incident" in refused.problem
    assert not server.silences
    assert silences.create(replace(ORDER, confirmed=1)).problem == ""


@pytest.mark.parametrize("ahead", [-3600, -10, 40, 3600])
def test_a_silence_lasts_as_asked_by_alertmanagers_clock(outgoing: Outgoing, clock: HandClock, ahead: float) -> None:
    """If the clocks differ, the silence begins at once and lasts as long; people are informed of more than 30 s."""
    with AlertmanagerStandIn(now=lambda: clock.now() + timedelta(seconds=ahead)) as server:
        result = Silences(outgoing, clock, {"": (server.url,)}).create(ORDER)
        [found] = server.active
        assert found.state(server.now()) == "active"
        assert abs((found.ends_at - server.now()).total_seconds() - 3600) < 2
    assert ("clock" in result.note) is (abs(ahead) > 30)


def test_one_member_of_a_cluster_gets_the_silence(
    server: AlertmanagerStandIn, outgoing: Outgoing, clock: HandClock
) -> None:
    """The members gossip: the first that answers gets it, one that is down or broken is passed over."""
    with AlertmanagerStandIn(now=clock.now) as broken, AlertmanagerStandIn(now=clock.now) as spare:
        broken.manner = lambda _call: status(503)
        urls = ("http://127.0.0.1:1", broken.url, server.url, spare.url)
        result = Silences(outgoing, clock, {"prod": urls, "": ("http://127.0.0.1:2",)}).create(ORDER)
    assert result.ids == tuple(server.silences)
    assert not broken.silences
    assert not spare.calls


@pytest.mark.parametrize("fault", [reset(), status(500), status(429), status(200, b"<html>"), status(200, b"[{}]")])
def test_an_answer_that_settles_nothing_is_tried_again(
    silences: Silences, server: AlertmanagerStandIn, fault: Fault
) -> None:
    """Nothing counts as silenced unless Alertmanager says so."""
    server.manner = lambda _call: fault
    with pytest.raises(AlertmanagerDownError):
        silences.create(ORDER)


def test_a_hanging_server_costs_five_seconds(server: AlertmanagerStandIn) -> None:
    """Every wait has a deadline, whatever the server does."""
    from responder.bootstrap import SystemClock

    server.manner = lambda _call: hang(30)
    clock = SystemClock()
    began = clock.monotonic()
    with pytest.raises(AlertmanagerDownError), closing(Outgoing(clock)) as outgoing:
        Silences(outgoing, clock, {"": (server.url,)}).reach("prod", ORDER.groups, ORDER.own, 0.3)
    assert clock.monotonic() - began < 3


@pytest.mark.parametrize("code", [400, 401, 403, 413, 422])
def test_a_refusal_is_final_and_has_alertmanagers_reason(
    silences: Silences, server: AlertmanagerStandIn, code: int
) -> None:
    """A limit on silences or a bad matcher does not go away by trying again."""
    server.manner = lambda call: status(code, b'"too many silences"') if call.method == "POST" else Fault()
    assert "too many silences" in silences.create(ORDER).problem


def test_a_cluster_without_an_alertmanager_is_refused(outgoing: Outgoing, clock: HandClock) -> None:
    """The setting is named."""
    silences = Silences(outgoing, clock, {"eu": ("http://127.0.0.1:1",)})
    assert "RESPONDER_ALERTMANAGER_URL" in silences.create(ORDER).problem
    with pytest.raises(AlertmanagerRefusalError):
        silences.listed("prod")


def test_names_and_values_cannot_leave_their_matcher(silences: Silences, server: AlertmanagerStandIn) -> None:
    """Quotes, line breaks, separators and UTF-8 in labels stay one name and one value."""
    server.alerts["4" * 16] = {**AWKWARD, "pod": "x"}
    assert silences.reach("prod", (AWKWARD,), {"4" * 16}) == SilenceReach(total=1, others=0)
    order = replace(ORDER, groups=(AWKWARD,), own=frozenset({"4" * 16}))
    silences.create(order)
    [found] = server.active
    assert {each["name"]: each["value"] for each in found.matchers} == AWKWARD
    assert silences.create(order).ids == (found.id,)
    assert "\n" not in matcher_text(AWKWARD)
    assert filters(GROUP) == "filter=alertname%3D%22ServiceDown%22&filter=service%3D%22plato%22"


def test_an_old_alertmanager_refuses_dots_with_its_reason(outgoing: Outgoing, clock: HandClock) -> None:
    """Label names with dots need 0.27: the incident is not silenced, and people learn why."""
    with AlertmanagerStandIn(now=clock.now, utf8_names=False) as server:
        found = Silences(outgoing, clock, {"": (server.url,)}).create(replace(ORDER, groups=(AWKWARD,)))
    assert "bad matcher format" in found.problem


def test_several_groups_are_silenced_one_by_one(silences: Silences, server: AlertmanagerStandIn) -> None:
    """An incident of two groups has two silences, which are extended and expired together."""
    both = replace(
        ORDER, groups=(GROUP, {"alertname": "ServiceDown", "service": "nexus"}), own=frozenset(server.alerts)
    )
    ids = silences.create(both).ids
    assert len(set(ids)) == 2
    assert silences.create(both).ids == ids
    assert set(silences.expire("prod", ORDER.marker).ids) == set(ids)
    assert not server.active
