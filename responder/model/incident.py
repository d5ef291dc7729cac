"""An incident: a group of alerts from its first firing alert until all are resolved; the decision of a notification."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from responder.model.alert import Alert
from responder.model.rule import Action, FindingCondition, Rule, Severity
from responder.model.team import Route

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
    group_key: str = ""
    cluster: str = ""
    open: bool
    severity: str
    rule: str
    service: str = ""
    title: str = ""
    runbook: str = ""
    reason: str
    channels: tuple[str, ...]
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None = None
    notification: int = 0
    revision: str
    alerts: Mapping[str, AlertState] = field(default_factory=dict)
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
    added: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
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


#: Members of a group that are probed.
MOST_PROBED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Subject of an alert.

    ``service`` is a name of the catalog, or None if the alert names none. ``label`` is the label that names the
    subject, ``part`` the part of a host or database server at fault. ``values`` are the label values a probe may ask
    about. ``why`` says which label won, ``rejected`` which did not.
    """

    service: str | None
    namespace: str
    name: str
    values: Mapping[str, str]
    why: str = ""
    rejected: tuple[str, ...] = ()
    part: str = ""
    label: str = ""

    @property
    def title(self) -> str:
        """The subject with its part, and with its catalog entry where that has another name."""
        known = f" ({self.service})" if self.service and self.service != self.name else ""
        return f"{self.part} on {self.name}{known}" if self.part else f"{self.name}{known}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAdjustment:
    """The severity that an incident takes where all these findings are made. It may be the one it has.

    ``suppressed_by`` is the reason why on-call is not paged although the severity pages; it is empty if on-call is.
    """

    findings: tuple[FindingCondition, ...]
    severity: Severity
    suppressed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDecision:
    """Decision that a rule in shadow would have made about an alert.

    ``reason`` is the reason for the severity, with the reason why on-call would not be paged.
    """

    rule: Rule
    severity: Severity
    reason: str

    @property
    def summary(self) -> str:
        """In a few words: the severity and why, or that it would only be recorded."""
        if self.rule.action is Action.HEARTBEAT:
            return "heartbeat, no message"
        if self.rule.action is Action.DROP:
            return f"dropped, no message: {self.rule.drop_reason}"
        return f"{self.severity.name} {self.reason}"

    def __str__(self) -> str:
        return f"in shadow, rule {self.rule.id} would decide: {self.summary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatch:
    """The rule that decided one alert, with the severity it gave and the reason for that severity.

    ``shadow`` is what the first rule in shadow above it would have decided; None where none matches.
    """

    alert: Alert
    rule: Rule
    severity: Severity
    reason: str
    shadow: ShadowDecision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Consequences of one notification.

    ``match`` is the one with the highest severity among the firing alerts (the resolved ones where none fires): its
    rule gives runbook, probes and channels. ``matches`` has one entry an alert. ``reason`` is one sentence.
    ``adjustments`` are what findings may make of the severity; ``severity_override`` is what they made of it before.
    ``suppressed_by`` says why on-call is not paged although the severity pages; it is empty if on-call is. ``key`` is
    that of the incident where several groups are gathered, and ``gathered`` which alert is of which; both are empty
    where the group is an incident of its own. ``joins`` says that another group of it is what it is about. ``shadow``
    is the worst that rules in shadow would have decided about its alerts; it changes nothing. ``dropped`` has the
    rule of each alert that was dropped.
    ``also`` are the other subjects of the alerts of its name, worst first, and ``uncounted`` how many alerts follow
    that were not looked at.
    """

    match: RuleMatch
    matches: tuple[RuleMatch, ...]
    subject: Subject
    change: Change
    reason: str
    adjustments: tuple[FindingAdjustment, ...] = ()
    suppressed_by: str = ""
    severity_override: SeverityOverride | None = None
    key: str = ""
    gathered: Mapping[str, GroupedAlert] = field(default_factory=dict)
    joins: bool = False
    shadow: ShadowDecision | None = None
    routed: Route | None = None
    dropped: tuple[Rule, ...] = ()
    also: tuple[Subject, ...] = ()
    uncounted: int = 0

    @property
    def dropped_by(self) -> tuple[str, ...]:
        """The rule of each dropped alert, with its reason."""
        return tuple(f"{rule.id}: {rule.drop_reason}" for rule in self.dropped)

    @property
    def probed(self) -> tuple[Subject, ...]:
        """The subjects that are probed: that of the incident, and the next worst of its group."""
        return self.subject, *self.also[: MOST_PROBED - 1]

    @property
    def route(self) -> Route:
        """The channels and teams, with the reason: ``routed``, or the rule's channels without it."""
        return self.routed or Route(channels=self.rule.channels, reason=self.rule.channels_by)

    @property
    def pages(self) -> bool:
        """True if on-call may be paged."""
        return self.severity.pages and not self.suppressed_by

    @property
    def severity(self) -> Severity:
        """The incident's severity."""
        return self.match.severity

    @property
    def rule(self) -> Rule:
        """The rule that gave it."""
        return self.match.rule
