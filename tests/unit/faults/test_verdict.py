"""The verdict of the fault suite: it notices what it is there to notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from responder.standins.pagerduty import PagerEvent
from responder.standins.slack import SlackMessage
from tests.faults.door import Acknowledged
from tests.faults.evidence import Evidence, PagerRecord, StoredIncident, StoredMessage
from tests.faults.people import Deed
from tests.faults.presses import Press
from tests.faults.stream import BUDGETS, Alert, Episode, Group
from tests.faults.timeline import Span, reachable_seconds
from tests.faults.verdict import MOST_SINGLE, dedup_key, judge, key_of_digest
from tests.faults.world import OutdatedRules

NAME, PRINT, STARTED = "9-0-0", "fingerprint", 1000.0


def a_group(until: float | None = None, severity: str = "P1") -> Group:
    """One alert, which fires to the end unless given otherwise."""
    alert = Alert(name=NAME, episodes=(Episode(1.0, until),))
    return Group(name="9-0", severity=severity, service="plato", alerts=(alert,), budget=BUDGETS.get(severity))


def a_webhook(group: Group, **changes: Any) -> Acknowledged:
    """The first webhook of the group, acknowledged ten seconds into the run."""
    usual = Acknowledged(
        number=1,
        asked=9.9,
        answered=10.0,
        body=b"{}",
        group_key=group.group_key,
        firing=frozenset({(NAME, STARTED)}),
        resolved=frozenset(),
        fingerprints={NAME: PRINT},
    )
    return replace(usual, **changes)


def evidence(group: Group | None = None, **changes: Any) -> Evidence:
    """The evidence of a run without problems."""
    group = group or a_group()
    key, is_open = dedup_key(group), not group.ends
    usual = Evidence(
        groups=[group],
        starts={NAME: [STARTED]},
        kept=[a_webhook(group)],
        spans=[],
        notifications={1: ("decided", b"{}")},
        incidents=[StoredIncident("INC-1", key, is_open, {PRINT: is_open})],
        messages=[StoredMessage(1, "INC-1", "pagerduty", "sent", "")],
        events=[PagerEvent("trigger", key, {}, 11.0)],
        pager=[PagerRecord(key, is_open, 11.0)],
        slack=[SlackMessage("C1", "1", "", f"INCIDENT {'STARTED' if is_open else 'RESOLVED'} INC-1", [], 11.0)],
    )
    return replace(usual, **changes)


def test_a_run_without_fault_is_judged_well() -> None:
    """A run without problems gives none, whether the alert is resolved or fires."""
    assert judge(evidence()) == []
    assert judge(evidence(a_group(until=5.0))) == []


GROUP = a_group()
KEY = dedup_key(GROUP)
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "decided by outdated rules": (
        {
            "incidents": [StoredIncident("INC-1", KEY, True, {PRINT: True}, revision="old")],
            "outdated": [OutdatedRules("old", frozenset())],
        },
        "decided by revision old, which was replaced before",
    ),
    "a press lost": ({"presses": [Press("7/U", "INC-1", True)]}, "was answered and is not stored"),
    "a press left": (
        {"presses": [Press("7/U", "INC-1", True)], "actions": {"7/U": "new"}},
        "a press in Slack on INC-1 was never applied",
    ),
    "silenced twice": ({"silences": ["INC-1", "INC-1"]}, "INC-1: 2 silences"),
    "not silenced": ({"silenced": frozenset({"INC-1"})}, "Alertmanager has no silence"),
    "never delivered": ({"kept": []}, "firing was never acknowledged"),
    "lost": ({"notifications": {}}, "acknowledged and is lost"),
    "undecided": ({"notifications": {1: ("new", b"{}")}}, "acknowledged and is new"),
    "mixed up": ({"notifications": {1: ("decided", b"[]")}}, "another body"),
    "no incident": ({"incidents": []}, "in no incident of its group"),
    "an alert left out": ({"incidents": [StoredIncident("INC-1", KEY, True, {})]}, "in no incident of its group"),
    "open twice": (
        {"incidents": [StoredIncident(f"INC-{n}", KEY, True, {PRINT: True}) for n in (1, 2)]},
        "2 incidents are open in the database",
    ),
    "paged twice": (
        {"pager": [PagerRecord(KEY, n == 2, 11.0) for n in (1, 2)]},
        "2 incidents for 1 episodes",
    ),
    "a stranger": ({"pager": [PagerRecord("other", True, 11.0)]}, "no group of the stream"),
    "resolved too early": (
        {"incidents": [StoredIncident("INC-1", KEY, False, {PRINT: False})]},
        "firing, but not in the database",
    ),
    "resolved at PagerDuty only": ({"pager": [PagerRecord(KEY, False, 11.0)]}, "firing, but not at PagerDuty"),
    "never paged": ({"pager": []}, "never paged"),
    "paged late": ({"pager": [PagerRecord(KEY, True, 13.1)]}, "paged after 3.10 s, its budget is 2 s"),
    "Slack was not told": ({"slack": []}, "INC-1 was never posted to Slack"),
    "a deed never arrived": ({"deeds": [Deed("01E", KEY)]}, "event 01E of PagerDuty was never accepted"),
    "a deed is lost": ({"deeds": [Deed("01E", KEY)], "accepted": frozenset({"01E"})}, "accepted and is not stored"),
    "a deed waits": (
        {"deeds": [Deed("01E", KEY)], "accepted": frozenset({"01E"}), "actions": {"01E/INC-1": "new"}},
        "event 01E of PagerDuty was never applied",
    ),
    "a message waits": (
        {"messages": [StoredMessage(1, "INC-1", "slack", "waiting", "HTTP 500")]},
        "message 1 of INC-1 to slack is waiting: HTTP 500",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_promise_is_noticed(name: str) -> None:
    """A suite that cannot fail proves nothing: each check is shown what it is there for."""
    changes, problem = BROKEN[name]
    assert [found for found in judge(evidence(**changes)) if problem in found]


def test_what_is_over_must_be_over_everywhere() -> None:
    """An incident that is never resolved is a problem."""
    group = a_group(until=5.0)
    still_open = judge(evidence(group, pager=[PagerRecord(KEY, True, 11.0)]))
    assert still_open == ["9-0: resolved, but not at PagerDuty"]


def test_a_page_that_was_refused_for_good_must_have_come_another_way() -> None:
    """PagerDuty may reject a page; then it must have been posted to Slack."""
    refused = StoredMessage(1, "INC-1", "pagerduty", "dead", "HTTP 400")
    instead = StoredMessage(2, "INC-1", "slack", "sent", "", origin=1)
    assert judge(evidence(pager=[], events=[], messages=[refused, instead])) == []
    never = judge(evidence(pager=[], events=[], messages=[refused]))
    assert never == ["message 1 of INC-1 to pagerduty is dead: HTTP 400"]


def test_nobody_is_woken_for_what_does_not_page() -> None:
    """A P3 at PagerDuty is a promise broken too."""
    assert "9-0: P3 paged" in judge(evidence(a_group(severity="P3")))


def test_time_is_counted_only_while_a_page_could_leave() -> None:
    """While PagerDuty is away no page can leave; before and after it the clock runs, and what overlaps counts once."""
    spans = [Span(12, 15, "b"), Span(11, 13, "a"), Span(20, 30, "c")]
    assert reachable_seconds(10, 16, spans) == 2
    assert reachable_seconds(12, 14, spans) == 0
    late = evidence(pager=[PagerRecord(KEY, True, 15.5)])
    assert judge(late) != []
    assert judge(replace(late, spans=spans)) == []


DIGEST = "FLOOD-P1-01234567"
ODD_ALERT = Alert(name="9-odd-0", episodes=(Episode(1.0, None),))
ODD = replace(a_group(), name="9-odd", alertname="Odd", unlike=True, alerts=(ODD_ALERT,))


def a_flood(**changes: Any) -> Evidence:
    """The evidence of a flood: a digest for one alert, and a page of its own for the unlike one."""
    odd = a_webhook(ODD, number=2, firing=frozenset({("9-odd-0", STARTED)}), fingerprints={"9-odd-0": "other"})
    usual = evidence(
        groups=[GROUP, ODD],
        starts={NAME: [STARTED], "9-odd-0": [STARTED]},
        kept=[a_webhook(GROUP), odd],
        notifications={1: ("decided", b"{}"), 2: ("decided", b"{}")},
        incidents=[
            StoredIncident("INC-1", KEY, True, {PRINT: True}, digest=DIGEST, alone=False),
            StoredIncident("INC-2", dedup_key(ODD), True, {"other": True}),
        ],
        messages=[StoredMessage(1, DIGEST, "pagerduty", "sent", "")],
        pager=[PagerRecord(key_of_digest(DIGEST), True, 11.5), PagerRecord(dedup_key(ODD), True, 11.0)],
        slack=[SlackMessage("C1", "1", "", "INCIDENT STARTED INC-2", [], 11.0)],
    )
    return replace(usual, **changes)


def test_a_flood_without_fault_is_judged_well() -> None:
    """The digest stands for the pages of its incidents, and for their messages in Slack."""
    assert judge(a_flood()) == []


DROWNED: dict[str, tuple[dict[str, Any], str]] = {
    "no digest": ({"pager": a_flood().pager[1:]}, f"{DIGEST}: never paged"),
    "a late digest": (
        {"pager": [PagerRecord(key_of_digest(DIGEST), True, 14.0), a_flood().pager[1]]},
        f"{DIGEST}: paged after 4.00 s",
    ),
    "the odd one out": (
        {"incidents": [replace(each, digest=DIGEST, alone=False) for each in a_flood().incidents]},
        "9-odd: unlike the flood",
    ),
    "no flood": ({"incidents": [replace(each, digest="", alone=True) for each in a_flood().incidents]}, "no flood"),
    "an alert without its incident": ({"incidents": a_flood().incidents[1:]}, "in no incident of its group"),
}


@pytest.mark.parametrize("name", DROWNED)
def test_each_broken_promise_of_a_flood_is_noticed(name: str) -> None:
    """A digest that does not come, that comes late, or that hides what is unlike it, is no success."""
    changes, problem = DROWNED[name]
    assert [found for found in judge(a_flood(**changes)) if problem in found]


def test_a_page_for_each_alert_of_a_flood_is_noticed() -> None:
    """A digest that does not prevent a dozen single pages is a problem."""
    many = [replace(GROUP, name=f"8-{number}") for number in range(MOST_SINGLE)]
    told = [PagerRecord(dedup_key(each), True, 11.0) for each in many]
    flood = a_flood()
    found = judge(replace(flood, groups=[*flood.groups, *many], pager=[*flood.pager, *told]))
    assert f"{MOST_SINGLE + 1} single pages of P1 in a flood, at most {MOST_SINGLE} are expected" in found
