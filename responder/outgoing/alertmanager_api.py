"""Alerts and silences of Alertmanager's API v2: the fields that are read, their decoders, paths and filters.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import re
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec

from responder.model.silence import Matchers

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


class Matcher(msgspec.Struct, rename="camel"):
    """A matcher of a silence. Versions before 0.22 know no ``isEqual``."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class SilenceStatus(msgspec.Struct, rename="camel"):
    """State of a silence: ``active``, ``pending`` or ``expired``."""

    state: str = ""


class GettableSilence(msgspec.Struct, rename="camel"):
    """A silence of ``GET /silence/ID`` and ``GET /silences``."""

    id: str
    ends_at: Time
    created_by: str = ""
    comment: str = ""
    starts_at: Time | None = None
    status: SilenceStatus = msgspec.field(default_factory=SilenceStatus)
    matchers: list[Matcher] = []


class _Created(msgspec.Struct):
    silence_id: str = msgspec.field(name="silenceID")


ALERTS = msgspec.json.Decoder(list[GettableAlert])
SILENCE = msgspec.json.Decoder(GettableSilence)
SILENCES = msgspec.json.Decoder(list[GettableSilence])
CREATED = msgspec.json.Decoder(_Created)

_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def filters(matchers: Matchers) -> str:
    """Return the query of ``/alerts`` and ``/silences`` for these equalities, whatever names and values contain."""
    return urlencode([("filter", f"{_name(name)}={_quoted(value)}") for name, value in sorted(matchers.items())])


def matcher_text(matchers: Matchers) -> str:
    """Return the matchers as Alertmanager writes them: ``{alertname="ServiceDown", service="plato"}``."""
    return "{" + ", ".join(f"{_name(name)}={_quoted(value)}" for name, value in sorted(matchers.items())) + "}"


def equalities(silence: GettableSilence) -> Matchers | None:
    """Return the matchers of a silence that has equalities only; None if it has others."""
    if any(each.is_regex or not each.is_equal for each in silence.matchers):
        return None
    return {each.name: each.value for each in silence.matchers}


def _name(name: str) -> str:
    return name if _CLASSIC_NAME.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def silence_path(silence_id: str) -> str:
    """Return the path of a silence, whatever its id contains."""
    return f"/api/v2/silence/{quote(silence_id, safe='')}"
