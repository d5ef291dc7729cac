"""V3 webhooks as PagerDuty sends them, and their signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from tests.support.builders import NOW

ANN = {
    "id": "PANN",
    "type": "user_reference",
    "summary": "Ann Onymous",
    "html_url": "https://x.pagerduty.com/users/PANN",
}


def event(kind: str, key: str | None = None, at: datetime = NOW, number: str = "01EVENT", **data: Any) -> bytes:
    """A webhook about the incident PGR0VU2 of PagerDuty, whose ``incident_key`` is ``key``."""
    about = {
        "id": "PGR0VU2",
        "type": "incident",
        "html_url": "https://x.pagerduty.com/incidents/PGR0VU2",
        "number": 2,
        "status": "acknowledged",
        "incident_key": key,
        "title": "[P1] plato is down",
        "assignees": [ANN],
    }
    occurred = {"occurred_at": at.isoformat().replace("+00:00", "Z"), "agent": ANN, "client": None}
    found = {"id": number, "event_type": kind, "resource_type": "incident", **occurred, "data": {**about, **data}}
    return json.dumps({"event": found}).encode()


def signed(body: bytes, *secrets: str) -> dict[str, str]:
    """The header that signs a body with each secret."""
    digests = (hmac.new(each.encode(), body, hashlib.sha256).hexdigest() for each in secrets)
    return {"X-PagerDuty-Signature": ",".join(f"v1={each}" for each in digests)}
