"""Payloads as Slack sends them when a person acts, and their signature."""

from __future__ import annotations

import json
from typing import Any

from responder.standins.slack_payloads import ANN, TEAM, signed

__all__ = ["ANN", "TEAM", "pressed", "signed", "submitted"]


def pressed(action: str, incident: str, **changes: Any) -> bytes:
    """A ``block_actions`` payload: a button of a message was pressed."""
    given: dict[str, Any] = {
        "type": "block_actions",
        "user": ANN,
        "team": TEAM,
        "api_app_id": "A0RESP",
        "container": {"type": "message", "message_ts": "1772246460.000000", "channel_id": "C00000001"},
        "trigger_id": "133.144.abc",
        "response_url": "https://hooks.slack.com/actions/T0BUTTER/1/abc",
        "actions": [
            {"type": "button", "action_id": action, "block_id": "b", "value": incident, "action_ts": "1772246461.25"}
        ],
    }
    return json.dumps({**given, **changes}).encode()


def submitted(callback: str, incident: str, values: dict[str, Any], **changes: Any) -> bytes:
    """A ``view_submission`` payload: a dialog was submitted. ``values`` are its inputs by action id."""
    state = {"values": {name: {name: each} for name, each in values.items()}}
    view = {"id": "V0VIEW", "hash": "h", "callback_id": callback, "private_metadata": incident, "state": state}
    return json.dumps({"type": "view_submission", "user": ANN, "team": TEAM, "view": view, **changes}).encode()
