"""Alerts of a rule with ``action: drop`` notify nobody, are part of no incident, and end what they were part of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.engine.workers.triage import _counts
from responder.model.alert import Alert, AlertGroup
from responder.model.delivery import Effects
from responder.model.incident import ChangeKind
from responder.model.report import MessageKind
from responder.model.rule import Action, Matcher, Op
from tests.support.builders import a_group, a_resolved_alert, a_rule, an_alert
from tests.unit.engine.test_pipeline import a_delivery, a_desk

DROP = replace(
    a_rule(),
    id="noise",
    matchers=(Matcher("alertname", Op.REGEX, "Noise.*"),),
    action=Action.DROP,
    drop_reason="Only noise.",
    channels=(),
    probes=(),
)
#: Rules that drop noise, and those from before the drop.
QUIET, LOUD = a_desk(above=(DROP,)), a_desk()


def _noise(number: int = 1, *, resolved: bool = False) -> Alert:
    make = a_resolved_alert if resolved else an_alert
    return make(labels={"alertname": f"Noise{number}"})


def _decide(group: AlertGroup, before: Effects | None = None, number: int = 1, *, loud: bool = False) -> Effects:
    history = History(before.incident, before.content) if before else History()
    return pipeline.triage(group, a_delivery(number, after=number * 600.0), history, LOUD if loud else QUIET)


def _dropped(effects: Effects) -> list[str]:
    return [labels[0] for name, *labels in _counts(effects) if name == "responder_dropped_alerts"]


@pytest.mark.parametrize("group", [a_group(_noise()), a_group(_noise(), _noise(2)), a_group(_noise(resolved=True))])
def test_a_dropped_group_opens_nothing(group: AlertGroup) -> None:
    """Nobody is notified of a group of dropped alerts; it is recorded with the reason, and each alert is counted."""
    effects = _decide(group)
    assert effects.incident is None
    assert effects.messages == ()
    assert effects.outcome.startswith("dropped, Only noise.: ")
    assert _dropped(effects) == ["noise"] * len(group.alerts)


@pytest.mark.parametrize("order", [1, -1])
def test_other_alerts_of_the_group_are_notified_alone(order: int) -> None:
    """A mixed group is decided as if it had no dropped alert: severity, title, number and alerts of the incident."""
    warning = an_alert(labels={"severity": "warning"})
    group = a_group(*[_noise(), warning][::order])
    mixed, alone = _decide(group), _decide(replace(group, alerts=(warning,)))
    assert mixed.decision is not None
    assert alone.decision is not None
    assert (mixed.incident, mixed.content, mixed.messages) == (alone.incident, alone.content, alone.messages)
    assert (_dropped(mixed), _dropped(alone)) == (["noise"], [])


def test_an_incident_that_was_open_before_the_drop_is_resolved() -> None:
    """An incident of alerts that the rules drop now is resolved with the next notification, and its channels know."""
    opened = _decide(a_group(_noise()), loud=True)
    assert opened.incident is not None
    ended = _decide(a_group(_noise()), opened, 2)
    assert ended.incident is not None
    assert not ended.incident.open
    assert {each.kind for each in ended.messages} == {MessageKind.RESOLUTION}
    assert {each.channel for each in ended.messages} == {each.channel for each in opened.messages}
    again = _decide(a_group(_noise()), ended, 3)
    assert (again.incident, again.messages) == (None, ())


def test_the_other_alerts_keep_an_open_incident() -> None:
    """Of an open incident only the dropped alert ends; a further dropped alert does not join it."""
    opened = _decide(a_group(_noise(), an_alert()), loud=True)
    after = _decide(a_group(_noise(), _noise(2), an_alert()), opened, 2)
    assert after.decision is not None
    assert after.incident is not None
    assert after.incident.open
    assert after.decision.change.kind is ChangeKind.PARTLY_RESOLVED
    assert {known.ends_at is None for known in after.incident.alerts.values()} == {True, False}
    assert len(after.incident.alerts) == 2
    assert _dropped(after) == ["noise", "noise"]


def test_a_resolved_group_of_a_known_incident_still_resolves() -> None:
    """The resolve of alerts that are dropped meanwhile ends their incident."""
    opened = _decide(a_group(_noise(), an_alert()), loud=True)
    ended = _decide(a_group(_noise(resolved=True), a_resolved_alert()), opened, 3)
    assert ended.incident is not None
    assert not ended.incident.open
