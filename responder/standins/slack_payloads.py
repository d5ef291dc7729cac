"""Payloads as Slack sends them when a person acts, and their signature."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

ANN = {"id": "U0ANN", "username": "ann", "name": "ann", "team_id": "T0BUTTER"}
TEAM = {"id": "T0BUTTER", "domain": "butterfly"}


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


def signed(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """The headers of a request that Slack signs at a time."""
    stamp = str(int(at.timestamp()))
    base = b"v0:" + stamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
