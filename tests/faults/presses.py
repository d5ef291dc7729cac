"""Actions of people in Slack while things break: they acknowledge, write notes, silence, and repeat what failed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from random import Random

from responder.converse.slack.payloads import Button
from responder.standins.slack import SlackStandIn
from tests.faults.timeline import Timeline
from tests.support.slack_payloads import ANN, pressed, submitted

#: How often a person repeats what was not answered, and after how many seconds.
TRIES, AGAIN_SECONDS = 3, 0.5
_KINDS = (Button.ACKNOWLEDGE, Button.NOTE, Button.NOTE, Button.SILENCE, Button.SILENCE, Button.UNSILENCE)
_DIALOGS = frozenset({Button.NOTE, Button.SILENCE})


@dataclass(frozen=True, slots=True)
class Press:
    """A press or a submitted dialog. ``key`` is that of its action.

    ``stored`` is True if its answer was that it is stored. Only a dialog is answered with a reason if it is not.
    """

    key: str
    incident: str
    stored: bool


class Presses:
    """Acts on the incidents that Slack shows. ``done`` are the presses so far."""

    def __init__(self, slack: SlackStandIn, timeline: Timeline) -> None:
        self.done: list[Press] = []
        self._slack = slack
        self._timeline = timeline

    def act(self, dice: Random, *, tries: int = TRIES) -> None:
        """Do one thing to one incident. A repeated dialog has its key again, as Slack keeps it open."""
        if not (shown := self._shown()):
            return
        button, incident, number = dice.choice(_KINDS), dice.choice(shown), f"{dice.getrandbits(48):x}"
        payload, key = _payload(button, incident, number)
        by_socket, answered, stored = dice.random() < 0.5, False, False
        for _ in range(tries):
            self._slack.people.socket_mode = by_socket
            answer = self._slack.people.deliver(json.loads(payload))
            answered = answer.ok
            stored = answer.ok and not answer.body and button in _DIALOGS
            if answered:
                break
            time.sleep(AGAIN_SECONDS)
        self.done.append(Press(key, incident, stored))
        what = "stored" if stored else "answered" if answered else "NOT answered"
        self._timeline.note(f"Slack: {button.value} of {incident} {what} ({'socket' if by_socket else 'HTTP'})")

    def _shown(self) -> list[str]:
        """Return the incidents that have buttons."""
        with self._slack.lock:
            blocks = [block for message in self._slack.messages for block in message.blocks]
        elements = [each for block in blocks if block["type"] == "actions" for each in block["elements"]]
        return sorted({each["value"] for each in elements if each.get("action_id") in set(Button)})


def _payload(button: Button, incident: str, number: str) -> tuple[bytes, str]:
    """Return what Slack sends, and the key of the action."""
    person = ANN["id"]
    if button not in _DIALOGS:
        actions = [{"type": "button", "action_id": button, "block_id": "b", "value": incident, "action_ts": number}]
        return pressed(button, incident, actions=actions), f"{number}/{person}/{button.value}"
    values = {"text": {"value": f"word {number}"}, "duration": {"selected_option": {"value": "4h"}}}
    given = json.loads(submitted(button, incident, values))
    given["view"]["id"] = number
    return json.dumps(given).encode(), f"{number}/{person}"
