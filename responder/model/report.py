"""The channel-neutral page: all that a message shows, before a channel renders it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.rule import Link


class MessageKind(StrEnum):
    """Which of the message templates applies.

    ``again`` reopens an incident whose resolution was announced. ``late`` carries findings that came after the page had
    left. ``fallback`` is a page that comes this way because another channel did not take it: ``Report.fallback_reason``
    says why. ``unclosed`` says that the pager rejected the resolve: it must be resolved there manually.
    ``opinion`` is what an outside investigator says: a reply of its own, which repeats nothing of the page.
    ``acknowledged`` says that a person takes care of it, ``note`` carries a person's note.
    ``postmortem`` carries the draft of a post-mortem and when it is due.
    ``reminder`` says that a response or an update is late, ``archive`` closes the channel of an incident.
    """

    START = "start"
    AGAIN = "again"
    UPDATE = "update"
    RESOLUTION = "resolution"
    LATE = "late"
    FALLBACK = "fallback"
    UNCLOSED = "unclosed"
    OPINION = "opinion"
    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"
    POSTMORTEM = "postmortem"
    REMINDER = "reminder"
    ARCHIVE = "archive"

    @classmethod
    def _missing_(cls, value: object) -> "MessageKind | None":
        """Return an update for an unknown kind, which a newer replica wrote during a rollout."""
        return cls.UPDATE if isinstance(value, str) else None


class Status(StrEnum):
    """The words of the communication templates."""

    INVESTIGATING = "Investigating"
    IDENTIFIED = "Identified"
    MONITORING = "Monitoring"
    RESOLVED = "Resolved"

    @classmethod
    def _missing_(cls, value: object) -> "Status | None":
        """The same for a newer replica's status."""
        return cls.INVESTIGATING if isinstance(value, str) else None


#: The statuses of an open incident, which a person may choose for a status page.
OPEN_STATUSES = (Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING)


@dataclass(frozen=True, slots=True)
class PublicText:
    """Title, text and components of an incident on a status page. It has only what rule files and people wrote."""

    title: str
    text: str
    components: tuple[str, ...] = ()
    status: Status = Status.INVESTIGATING


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A page, update or resolution. All text is untrusted: cleaned and redacted here, escaped by each channel.

    ``severity`` is P1 to P4, ``pagerduty_severity`` one of critical, error, warning, info. Times are UTC.
    ``labels`` are those all alerts of the group share; ``note`` is the rule's note. ``pending``
    names the probes that have not answered yet. ``oncall_groups`` are the Slack user
    groups of the incident's teams. ``acknowledged`` says who acknowledged it and when, ``silenced`` who
    silenced it until when. ``heading`` and ``fields`` are those of the rule files' communication template, filled in.
    ``draft`` is that of a post-mortem, in Markdown. ``public`` is what a status page shows, None on other channels,
    ``publishable`` is True if a person may publish it on one. Fields without content are empty.
    """

    kind: MessageKind
    status: Status
    incident: str
    dedup_key: str
    title: str
    severity: str
    severity_reason: str
    pagerduty_severity: str
    pages: bool
    service: str
    environment: str
    namespace: str
    alertname: str
    what: str
    impact: str
    summary: str = ""
    update: str = ""
    conclusion: Conclusion = NOTHING
    first_step: str = ""
    description: str = ""
    related: str = ""
    clock: str = ""
    owner: str = ""
    escalation: str = ""
    runbook: Link | None = None
    links: tuple[Link, ...] = ()
    findings: tuple[Finding, ...] = ()
    pending: tuple[str, ...] = ()
    firing: int
    resolved: int = 0
    truncated: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    rule: str
    made_by: str
    started_at: datetime
    ended_at: datetime | None = None
    written_at: datetime
    resolution: str = ""
    note: str = ""
    history: str = ""
    acknowledged: str = ""
    oncall_groups: tuple[str, ...] = ()
    silenced: str = ""
    fallback_reason: str = ""
    draft: str = ""
    heading: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    public: PublicText | None = None
    publishable: bool = False

    @property
    def all_links(self) -> tuple[Link, ...]:
        """The runbook, if there is one, and then the links."""
        return (self.runbook, *self.links) if self.runbook else self.links
