"""A stored webhook payload, and the work that triage derives from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from responder.model.finding import Conclusion, Finding
from responder.model.flood import FloodCounter
from responder.model.heartbeat import Heartbeat, HeartbeatState
from responder.model.incident import Decision, FindingAdjustment, Incident, Subject
from responder.model.message import OutboxMessage
from responder.model.report import IncidentContent
from responder.model.rule import RunbookRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A stored payload, byte for byte. ``cluster`` is the last segment of the webhook's URL, empty for none."""

    id: int
    received_at: datetime
    cluster: str = ""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisRequest:
    """Input of a diagnosis: it must outlive the process that wrote it.

    ``severity`` is what the incident had, ``reason`` why, ``adjustments`` what findings may make of it, and
    ``requested_channels`` the rule's channels. ``began`` is the start of the first alert, ``also`` the other subjects
    that are probed, ``runbook`` that of the rule with the id ``rule``. ``labels`` are those of the alert that the
    rule's runbooks by conclusion name in their URLs.
    """

    incident: str
    ordering_key: str
    priority: int
    probes: tuple[str, ...]
    subject: Subject
    channels: tuple[str, ...]
    severity: str = ""
    adjustments: tuple[FindingAdjustment, ...] = ()
    reason: str = ""
    requested_channels: tuple[str, ...] = ()
    opened_at: datetime | None = None
    decided_at: datetime | None = None
    began: datetime | None = None
    also: tuple[Subject, ...] = ()
    runbook: RunbookRef | None = None
    rule: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdjustedSeverity:
    """The other severity that findings ask for, and why."""

    adjustment: FindingAdjustment
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisResult:
    """Result of a diagnosis. ``adjusted`` is None where the findings leave the severity as it is."""

    findings: tuple[Finding, ...]
    conclusion: Conclusion
    adjusted: AdjustedSeverity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisJob:
    """A diagnosis to run: claimed by attempt, and of use to the page until ``due_at``."""

    id: int
    attempt: int
    due_at: datetime
    request: DiagnosisRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """All that follows from a notification, a timer or an action: `serve` commits it, `dry-run` prints it.

    ``notification`` is None if it is not the cause. ``content`` is what messages are composed from, None if it is
    unchanged. ``decision`` is None without a notification, and if triage failed. ``request`` is None if there is
    nothing to diagnose; otherwise its page is sent at ``due_at`` at the latest. ``heartbeats`` are those of the
    notification. ``flood`` are the new counters of the severity of a new incident, else None. ``action`` is the id and
    the new state of the action of a person that is the cause.
    """

    notification: int | None = None
    outcome: str = ""
    decision: Decision | None = None
    incident: Incident | None = None
    content: IncidentContent | None = None
    messages: tuple[OutboxMessage, ...] = ()
    request: DiagnosisRequest | None = None
    due_at: datetime | None = None
    heartbeats: tuple[Heartbeat, ...] = ()
    flood: FloodCounter | None = None
    action: tuple[int, str] | None = None

    @property
    def state(self) -> str:
        """The state of the notification afterwards."""
        return "decided" if self.decision is not None else "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChanges:
    """The result of some decisions; ``added`` and ``changed`` contain each incident once, in its last state.

    ``heartbeat_states`` are the new states of the expected heartbeats and ``floods`` the new flood state of each
    severity.
    """

    effects: Sequence[Effects]
    added: Sequence[Incident] = ()
    changed: Sequence[Incident] = ()
    heartbeat_states: Sequence[HeartbeatState] = ()
    floods: Sequence[FloodCounter] = ()

    @classmethod
    def of(cls, effects: Sequence[Effects]) -> "IncidentChanges":
        """The result of effects on incidents that exist already."""
        return cls(effects=effects, changed=[each.incident for each in effects if each.incident is not None])
