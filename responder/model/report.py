"""Content of an incident (decision, alerts, findings, handling), and the channel-neutral report composed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.rule import Link, Template
from responder.model.silence import Matchers, Silenced


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """A copy of what the rules said about an incident, so that its messages need no rules.

    ``outage_impact`` is the impact while its service is down, by the catalog.
    ``title`` has neither the finding that diagnosis adds nor the cluster (without one: the environment). ``severity``
    is P1 to P4, ``pagerduty_severity`` one of critical, error, warning, info. ``respond_within`` and ``next_update``
    are seconds, ``respond_within`` counts from ``respond_from``; where the severity sets no time, ``response`` says
    what holds. ``postmortem_due`` counts from the resolve, None if the severity asks for no post-mortem.
    ``probes`` are the names of the probes that were started for the incident's page, ``teams`` its teams.
    ``oncall_groups`` are the Slack user groups of its teams.
    ``templates`` are the severity's. ``status_pages`` are those of the severity, ``components`` the service's by page,
    and ``catalog_service`` is its name in the catalog.
    """

    title: str
    severity: str
    severity_reason: str = ""
    pagerduty_severity: str
    pages: bool
    service: str
    environment: str = ""
    cluster: str = ""
    namespace: str = ""
    alertname: str = ""
    impact: str = ""
    outage_impact: str = ""
    first_step: str = ""
    response: str = ""
    responders: str = ""
    respond_within: float | None = None
    respond_from: datetime
    next_update: float
    postmortem_due: float | None = None
    owner: str = ""
    lead: str = ""
    escalation: str = ""
    runbook: Link | None = None
    links: tuple[Link, ...] = ()
    rule: str
    made_by: str
    note: str = ""
    history: str = ""
    probes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    oncall_groups: tuple[str, ...] = ()
    templates: Mapping[str, Template] = field(default_factory=dict)
    status_pages: tuple[str, ...] = ()
    components: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    catalog_service: str = ""

    @property
    def publishable(self) -> tuple[str, ...]:
        """The status pages that both its severity and its service ask for."""
        return tuple(name for name in self.status_pages if name in self.components)


@dataclass(frozen=True, slots=True)
class AlertMember:
    """An alert of the extract, with what it does not share with all others. ``fingerprint`` is Alertmanager's."""

    fingerprint: str
    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertExtract:
    """A bounded extract of an incident's alerts, as of its newest notification.

    ``summary`` is what the alerts say about themselves, ``description`` what they say beyond it, ``said`` the summary
    or title of the worst one. Where ``counted``, the number of firing alerts and how long they have been firing follow.
    ``truncated`` counts the alerts that ``max_alerts`` or the size limit removed. ``dated`` is False if no alert names
    its start. ``firing_since`` is the start of the first alert that fires now, ``started_at`` that of the incident.
    ``labels`` and ``annotations`` are those that all alerts share, tidied. ``members`` holds at most 20 alerts.
    ``groups`` are the labels of the newest groups by their dedup key, byte for byte: the matchers of a silence.
    """

    summary: str
    description: str = ""
    counted: bool = True
    truncated: int = 0
    started_at: datetime
    dated: bool = True
    firing_since: datetime | None = None
    flaps: int = 0
    related: str = ""
    said: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    members: tuple[AlertMember, ...] = ()
    groups: Mapping[str, Matchers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """Handling of an open incident by people, whichever entry point they used.

    ``taken_at`` is when it was last acknowledged or released: an older report of either is not news. ``drafted_at`` is
    when the draft of a post-mortem was last asked for, ``published`` the status and text last published.
    ``response_reminded_at`` and ``update_reminded_at`` are when the last reminders of each kind were sent.
    ``archived_by`` is the person who archived its channel, empty for none.
    """

    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    assigned_to: str = ""
    priority: str = ""
    taken_at: datetime | None = None
    drafted_at: datetime | None = None
    published: str = ""
    response_reminded_at: datetime | None = None
    update_reminded_at: datetime | None = None
    silence: Silenced | None = None
    archived_by: str = ""

    @property
    def acknowledged(self) -> bool:
        """True if the incident is acknowledged."""
        return self.acknowledged_at is not None


#: The handling of an incident without any action.
UNHANDLED = Handling()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentContent:
    """Content shared by all messages of an incident.

    Triage writes the decision and the alerts, diagnosis its findings and conclusion, actions of people the handling.
    ``incident`` is the id of the incident, or of the digest of a flood.
    """

    incident: str
    decision: DecisionRecord
    alerts: AlertExtract
    findings: tuple[Finding, ...] = ()
    conclusion: Conclusion = NOTHING
    handling: Handling = UNHANDLED


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """Facts of one message only, as of the moment it was decided.

    ``update`` is the change and its reason. ``fallback_reason`` is why another channel did not accept the page, and
    ``reaches_on_call`` is True if the fallback still pages on-call. ``easing`` marks an update that reports
    improvement. ``due_by`` is the latest time to send. ``ended_at`` is set once the incident is resolved;
    ``resolution`` belongs to the resolve, and ``draft`` to a post-mortem. ``public`` are a person's own
    words for a status page, and ``public_status`` is the status that the person chose there, empty for none.
    """

    update: str = ""
    firing: int = 0
    resolved: int = 0
    easing: bool = False
    fallback_reason: str = ""
    reaches_on_call: bool = True
    due_by: datetime | None = None
    ended_at: datetime | None = None
    resolution: str = ""
    draft: str = ""
    public: str = ""
    public_status: str = ""


NO_FACTS = MessageFacts()


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
    namespace: str = ""
    alertname: str
    what: str
    impact: str = ""
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
