"""Alerts and silences as Alertmanager's API v2 returns them: the fields that are read, and their decoders.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class AlertStatus(msgspec.Struct, rename="camel"):
    """State of an alert; ``suppressed`` by silences (ids), by other alerts (fingerprints) or by a mute interval."""

    state: str
    silenced_by: list[str] = []
    inhibited_by: list[str] = []


class GettableAlert(msgspec.Struct, rename="camel"):
    """An alert of ``GET /alerts``."""

    fingerprint: str
    status: AlertStatus
    labels: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The ``alertname`` label; empty without one."""
        return self.labels.get("alertname", "")


class GettableSilence(msgspec.Struct, rename="camel"):
    """A silence of ``GET /silence/ID``."""

    id: str
    ends_at: Time
    created_by: str = ""
    comment: str = ""


ALERTS = msgspec.json.Decoder(list[GettableAlert])
SILENCE = msgspec.json.Decoder(GettableSilence)


def silence_path(silence_id: str) -> str:
    """Return the path of a silence, whatever its id contains."""
    return f"/api/v2/silence/{quote(silence_id, safe='')}"
