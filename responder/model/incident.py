"""An incident: one Alertmanager group from its first firing alert until all of it is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Known:
    """What we last heard of one alert of the group. Times are epoch seconds; ``ends_at`` is None while it fires.

    ``doubted_at`` is when an Alertmanager said that it still fires although we had heard of its end.
    """

    starts_at: float
    ends_at: float | None = None
    doubted_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The state we compare the next notification with. ``alerts`` maps fingerprints to what is known of them.

    ``channels`` are those that were told of it; ``delivery`` is the id of the last delivery applied.
    ``flaps`` counts how often it fired again; ``reopened_at`` is the last time after people had heard that it was over.
    ``hold`` says why it is kept open although nothing fires. At ``review_at`` it is looked at without a notification.
    ``silenced`` is what people were told of a silence, ``gone_since`` when no Alertmanager listed it any more.
    """

    id: str
    dedup_key: str
    group_key: str
    cluster: str
    open: bool
    severity: str
    rule: str
    service: str
    title: str
    runbook: str
    reason: str
    channels: tuple[str, ...]
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    delivery: int
    revision: str
    alerts: Mapping[str, Known]
    flaps: int = 0
    hold: str = ""
    review_at: datetime | None = None
    reopened_at: datetime | None = None
    silenced: str = ""
    gone_since: datetime | None = None


class ChangeKind(StrEnum):
    """How a notification differs from the incident as we know it."""

    NEW = "new"
    GROWN = "grown"
    REPEATED = "repeated"
    PARTLY_RESOLVED = "partly resolved"
    RESOLVED = "resolved"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference, with its reason in one sentence. ``alerts`` is what is known after it."""

    kind: ChangeKind
    reason: str
    added: tuple[str, ...]
    resolved: tuple[str, ...]
    alerts: Mapping[str, Known]

    @property
    def firing(self) -> int:
        """How many alerts fire after this change."""
        return sum(known.ends_at is None for known in self.alerts.values())
