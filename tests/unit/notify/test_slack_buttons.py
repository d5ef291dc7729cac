"""Buttons under a page in Slack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from responder.model.report import MessageKind, Status
from responder.model.secret import Secret
from responder.notify.channels.slack import Slack
from tests.support.builders import a_letter, a_report


def buttons(*, interactive: bool = True, **changes: Any) -> list[str]:
    """The texts of the buttons of the message that is posted for a report."""
    channel = Slack(Secret("xoxb-x"), "#incidents", interactive=interactive)
    letter = a_letter(a_report(**{"incident": "INC-118", **changes}), channel="slack", step="post")
    blocks = json.loads(channel.render(letter).body)["blocks"]
    found = [each for block in blocks if block["type"] == "actions" for each in block["elements"]]
    assert {each["value"] for each in found} <= {"INC-118"}
    return [each["text"]["text"] for each in found]


def test_a_page_can_be_acknowledged_noted_and_resolved() -> None:
    """Each button carries the id of the incident and nothing else."""
    assert buttons() == ["Acknowledge", "Silence", "Note", "Resolve"]


def test_an_acknowledged_page_has_no_button_for_it() -> None:
    """Buttons disappear when they no longer apply."""
    assert buttons(acknowledged="by Ann at 02:43 UTC") == ["Silence", "Note", "Resolve"]
    assert buttons(kind=MessageKind.RESOLUTION, status=Status.RESOLVED) == ["Post-mortem"]


def test_a_silenced_incident_offers_to_expire_the_silence() -> None:
    """It is expired from the same place where it was created."""
    assert buttons(silenced="by Ann until 03:42 UTC") == ["Acknowledge", "Expire silence", "Note", "Resolve"]


@pytest.mark.parametrize("incident", ["FLOOD-P1-0123", "INC", ""])
def test_what_is_no_incident_has_no_buttons(incident: str) -> None:
    """A digest of a flood cannot be acknowledged: it stands for many incidents."""
    assert buttons(incident=incident) == []


def test_there_are_no_buttons_where_presses_do_not_arrive() -> None:
    """Without a signing secret responder takes no presses."""
    assert buttons(interactive=False) == []
