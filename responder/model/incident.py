"""An incident: one Alertmanager group from its first firing alert until all of it is resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: The rule of an incident about a triage failure. No rule of a rule file can have this name.
UNJUDGED = "(none)"


@dataclass(frozen=True, slots=True)
class AlertState:
    """Last known state of an alert of the group. Times are epoch seconds; ``ends_at`` is None while it fires.

    ``doubted_at`` is when an Alertmanager reported it as firing although it had been reported as resolved. ``flaps``
    counts its re-fires during the incident. ``page`` is the number of the last page that covered it, 0 for none.
    ``title`` names it in messages; it is kept for the first alerts of a notification only.
    """

    starts_at: float
    ends_at: float | None = None
    doubted_at: float | None = None
    flaps: int = 0
    page: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class GroupedAlert:
    """Of an alert in an incident of several groups: the group's dedup key, and the severity that its rule gave."""

    group: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityOverride:
    """The severity that findings gave an incident, and ``given``, the one that its rule had given it before."""

    severity: str
    given: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The state that the next notification is compared with. ``alerts`` maps fingerprints to what is known of them.

    ``channels`` are those that were notified; ``notification`` is the id of the last one applied.
    ``severity_override`` is what findings made of its severity, which holds until its rule gives a worse one.
    ``gathered`` maps the fingerprints of an incident of several groups to their groups; it is empty for one group.
    ``flaps`` counts how often it fired again after all of it was resolved, the last time at ``reopened_at``. Where it
    is kept open until ``resolve_at`` although nothing fires, ``resolve_reason`` says why it is over then. At
    ``review_at`` it is checked without a notification. ``silenced`` is the silence that was announced, ``gone_since``
    when no Alertmanager listed it any more. ``digest`` is the flood whose digest alone mentions it while ``channels``
    is empty. ``page_number`` counts its alerts at the channels that page: each has a key of its own there.
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
    notification: int
    revision: str
    alerts: Mapping[str, AlertState]
    flaps: int = 0
    resolve_reason: str = ""
    resolve_at: datetime | None = None
    review_at: datetime | None = None
    reopened_at: datetime | None = None
    silenced: str = ""
    gone_since: datetime | None = None
    digest: str = ""
    severity_override: SeverityOverride | None = None
    gathered: Mapping[str, GroupedAlert] = field(default_factory=dict)
    page_number: int = 1

    @property
    def page_keys(self) -> tuple[str, ...]:
        """The keys of its alerts at the channels that page, the newest last."""
        return (self.dedup_key, *(f"{self.dedup_key}-{number}" for number in range(2, self.page_number + 1)))


class ChangeKind(StrEnum):
    """Difference between a notification and the known state of the incident."""

    NEW = "new"
    AGAIN = "again"
    GROWN = "grown"
    REPEATED = "repeated"
    PARTLY_RESOLVED = "partly resolved"
    HELD = "held"
    RESOLVED = "resolved"
    DOUBTED = "doubted"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference, with its reason in one sentence. ``alerts`` is what is known after it.

    ``resolve_reason``, ``resolve_at``, ``review_at`` and ``flaps`` are the incident's after it. ``quiet`` marks a flap
    like those that was announced: it is counted, and not announced again.
    """

    kind: ChangeKind
    reason: str
    added: tuple[str, ...]
    resolved: tuple[str, ...]
    alerts: Mapping[str, AlertState]
    resolve_reason: str = ""
    resolve_at: datetime | None = None
    review_at: datetime | None = None
    flaps: int = 0
    quiet: bool = False

    @property
    def firing(self) -> int:
        """Number of alerts that fire after this change."""
        return sum(known.ends_at is None for known in self.alerts.values())
