"""A person and a workspace of Slack, and the signature of Slack's requests."""

import hashlib
import hmac
from datetime import datetime

ANN = {"id": "U0ANN", "username": "ann", "name": "ann", "team_id": "T0BUTTER"}
TEAM = {"id": "T0BUTTER", "domain": "butterfly"}


def signed(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """The headers of a request that Slack signs at a time."""
    stamp = str(int(at.timestamp()))
    base = b"v0:" + stamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
