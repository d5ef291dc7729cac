"""Decision of triage about a notification, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from responder.model.alert import Alert
from responder.model.incident import Change, GroupedAlert, SeverityOverride
from responder.model.rule import Action, FindingCondition, Rule, Severity
from responder.model.team import Route

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
    why: str
    rejected: tuple[str, ...]
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
