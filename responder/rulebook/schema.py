"""Schema of rule files. The descriptions are part of the JSON Schema for editors."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    model_validator,
)

from responder.model.rule import LinkAnnotations
from responder.rulebook.field_types import (
    Address,
    ChannelName,
    ClusterName,
    Day,
    Days,
    DnsLabel,
    Duration,
    HealthAddress,
    Hours,
    Id,
    Names,
    OneOrMore,
    SeverityName,
    StrictModel,
    Text,
)
from responder.rulebook.rule_schema import FIRST_STEPS, PAGES_IN, RUNBOOK, RUNBOOKS, RuleShape
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamRef, TeamShape, check_single_target
from responder.rulebook.template_schema import TemplateKind, TemplateShape

_USUAL_LINKS: Final = LinkAnnotations()


def _link_names(what: str, usual: Sequence[str]) -> Any:
    return Field(default=list(usual), description=f"Names with {what}. Default: {', '.join(usual)}.")


class LinkAnnotationsShape(StrictModel):
    """Names of the annotations or labels with the alert's own links. A list replaces the usual names."""

    runbook: Names = _link_names("a runbook; the first that is a link counts", _USUAL_LINKS.runbook)
    dashboard: Names = _link_names("a dashboard", _USUAL_LINKS.dashboard)
    panel: Names = _link_names("a panel", _USUAL_LINKS.panel)


class Platform(StrictModel):
    """The installation: its names, and exporters that are never the subject of an alert."""

    environment: Text = Field(description="Name of the environment, shown on every page: prod.")
    namespace: DnsLabel | None = Field(
        default=None, description="Kubernetes namespace of the services in the catalog that name none."
    )
    subject_labels: Names = Field(
        default=[], description="Labels that name the subject of an alert, before the built-in ones; the first decides."
    )
    exporters: Names = Field(
        default=[],
        description="Further names of exporters and scrape Services, * for any text; never the subject of an alert.",
    )
    link_annotations: LinkAnnotationsShape = Field(
        default=LinkAnnotationsShape(), description="Annotations or labels with the alert's own links."
    )
    team: TeamRef | None = Field(default=None, description="Team, or its source, of alerts without a team or channels.")
    channels: Names = Field(default=[], description="Channels of alerts without a team or channels.")
    runbooks: dict[Text, Text] = Field(default={}, description=f"{RUNBOOKS} For all rules.")

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        check_single_target(self)
        return self


class PageAgainShape(StrictModel):
    """Growth of a group after which it pages again."""

    factor: int = Field(ge=2, le=1000, description="Minimum ratio of firing alerts to those at the last page.")
    from_: int = Field(alias="from", ge=2, le=100_000, description="Minimum number of firing alerts.")


class PostmortemShape(StrictModel):
    """Post-mortem that is written after an incident."""

    due: Duration = Field(description="Time after the resolve by which it is due.")


class RemindersShape(StrictModel):
    """Reminders of a missed response or update, one for each."""

    response: bool = Field(default=True, description="Remind if it is not acknowledged within respond_within.")
    update: bool = Field(default=True, description="Remind if an acknowledged incident has no update for next_update.")
    paged: bool = Field(default=False, description="Remind also while a pager that accepted the page escalates itself.")
    escalate: bool | Names = Field(
        default=False,
        description="Channels that also get an incident without a response; true for the fallback channels of its "
        "team, with the next contact of the escalation.",
    )
    window: Text | None = Field(
        default=None,
        description="Window with the business days, for respond_within: null: the response is late when the window "
        "closes on the next of them. Default: that of pages_in, or no reminder.",
    )


class SeverityShape(StrictModel):
    """Severity and its consequences."""

    meaning: Text = Field(description="Condition for this severity.")
    response: Text = Field(description="Response target as text: 15 minutes, all hands.")
    respond_within: Duration | None = Field(description="Time to the first response; null for the next business day.")
    responders: Text = Field(description="Responders.")
    pages: bool = Field(description="True if it pages on-call.")
    pagerduty: Literal["critical", "error", "warning", "info"] = Field(description="Severity of the PagerDuty event.")
    page_budget: Duration = Field(description="Maximum wait of the page for the diagnosis.")
    next_update: Duration = Field(description="Interval to the next update.")
    flood_above: int = Field(
        default=20,
        ge=0,
        le=100_000,
        description="New incidents per minute above which a digest replaces single messages; 0 for never.",
    )
    page_again: PageAgainShape | None = Field(
        default=None, description="Growth of the group that pages again. Default: never."
    )
    postmortem: PostmortemShape | None = Field(
        default=None, description="Draft of a post-mortem that is posted after the resolve. Default: none."
    )
    reminders: RemindersShape = Field(
        default=RemindersShape(), description="Reminders of a missed response or update. Default: one for each."
    )
    status_pages: Names = Field(
        default=[],
        description="Status pages (channels) on which a person may publish its incidents, of services with components.",
    )
    room: bool = Field(default=False, description="True for a Slack channel for each of its incidents (slack_room).")


class ServiceShape(StrictModel):
    """Entry of the service catalog."""

    health: HealthAddress | None = Field(
        default=None, description="Absolute http(s) URL of the health endpoint, for probes. Default: none."
    )
    expect_status: Annotated[list[int], Field(max_length=20)] = Field(
        default=[], description="Statuses of a healthy answer. Default: by Spring Boot's health body."
    )
    expect_json: dict[Text, str | int | float | bool | None] = Field(
        default={}, description="Dotted path in the JSON body of a healthy answer: the value it has."
    )
    aliases: Names = Field(default=[], description="Other names of it in labels of alerts.")
    patterns: Names = Field(default=[], description="Names of its parts in labels of alerts, * for any text: db-*.")
    owner: Text = Field(description="Owning team.")
    impact: Text = Field(description="Impact on users while it is down, in one sentence.")
    namespace: DnsLabel | None = Field(default=None, description="Kubernetes namespace. Default: the platform's.")
    depends_on: Names = Field(default=[], description="Services in this catalog that it depends on.")
    dashboards: dict[Text, Address] = Field(default={}, description="Title and URL of each dashboard.")
    components: dict[ChannelName, Annotated[OneOrMore[Text], Field(max_length=64)]] = Field(
        default={}, description="Status page: the ids of its components there, a text or a list."
    )
    selector: Text | None = Field(
        default=None, description='PromQL matchers of its series. Default: namespace="...",service="...".'
    )


class UrlShape(StrictModel):
    """Important link."""

    text: Text = Field(description="Link text.")
    href: Address = Field(description="URL.")


class ProbeShape(StrictModel):
    """Named probe. Further keys depend on the kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: Text = Field(description="Kind of probe, which determines the other keys.")
    timeout: Duration = Field(default=3.0, description="Timeout.")


class WindowShape(StrictModel):
    """Paging hours."""

    zone: Text = Field(description="IANA time zone of the hours: Europe/Berlin.")
    days: Days = Field(description="Days of the week on which it opens: [mon, tue, wed, thu, fri].")
    hours: OneOrMore[Hours] = Field(
        description="Local times: 09:00-17:00, or a list; 22:00-06:00 ends on the next day."
    )
    holidays: list[Day] = Field(default=[], description="Dates on which it stays closed: 2026-12-25.")


class HeartbeatShape(StrictModel):
    """Cluster with an expected Watchdog; its absence pages."""

    cluster: ClusterName = Field(
        description="Name: the last segment of the webhook URL, or the label cluster of its Watchdog."
    )
    max_gap: Duration = Field(
        description="Maximum time without a Watchdog: at least twice the repeat_interval of its route."
    )
    severity: SeverityName | None = Field(default=None, description="Severity of the page. Default: the worst.")
    runbook: Text | None = Field(default=None, description=RUNBOOK)
    first_step: Text = Field(
        default="Check that Prometheus and Alertmanager of the cluster run and can reach responder.",
        description="First step, in one sentence.",
    )
    probes: Names = Field(default=[], description="Probes of its Prometheus and Alertmanager.")
    channels: Names | None = Field(default=None, description="Channels. Default: the team's, or the file's.")
    team: Text | None = Field(default=None, description="Team. Default: the file's.")

    def as_rule(self, worst: str) -> RuleShape:
        """Return the rule for its absence; ``worst`` is the name of the worst severity."""
        return RuleShape.model_construct(
            id=f"heartbeat-{self.cluster}",
            match=[],
            labels=[],
            severity=self.severity or worst,
            symptom=f"sends no Watchdog, alerting is down on {self.cluster}",
            runbook=self.runbook,
            first_step=self.first_step,
            first_steps={},
            runbooks={},
            probes=self.probes,
            channels=self.channels,
            team=self.team,
            action="notify",
        )


class Defaults(StrictModel):
    """Defaults of the rules of this file."""

    probes: Names = Field(default=[], description="Probes of rules without `probes`.")
    baseline: Names = Field(default=[], description="Probes that every rule runs last.")
    channels: Names = Field(default=[], description="Channels of rules without `channels`.")
    team: TeamRef | None = Field(
        default=None, description="Team, or its source, of rules without `team` and `channels`."
    )
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=PAGES_IN)
    owner: Text | None = Field(default=None, description="Owner of rules without `owner`.")
    runbook: Text | None = Field(default=None, description="Runbook where neither the rule nor the alert has one.")
    first_steps: dict[Text, Text] = Field(default={}, description=FIRST_STEPS)

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        check_single_target(self)
        return self


class File(StrictModel):
    """Rule file. Every section may be in any file; files are read in the order of their names."""

    platform: Platform | None = Field(default=None, description="The installation; in one file only.")
    channels: dict[ChannelName, ChannelShape] = Field(
        default={}, description="Channels by name, in addition to those of the settings."
    )
    teams: dict[ChannelName, TeamShape] = Field(default={}, description="Teams by name.")
    severities: dict[SeverityName, SeverityShape] = Field(default={}, description="Worst first.")
    severity_words: dict[Text, Names] = Field(
        default={}, description="Synonyms for words in the rules' maps: critical: [fatal, sev1]."
    )
    templates: dict[TemplateKind, TemplateShape] = Field(default={}, description="Communication templates.")
    services: dict[Text, ServiceShape] = Field(
        default={}, description="Service catalog: services, hosts, databases, queues and volumes by name."
    )
    contacts: list[ContactShape] = Field(default=[], description="Emergency contacts.")
    escalation: Names = Field(default=[], description="Roles of the contacts, in escalation order.")
    urls: list[UrlShape] = Field(default=[], description="Important links.")
    probes: dict[Id, ProbeShape] = Field(default={}, description="Probes by name.")
    packs: dict[Id, Names] = Field(default={}, description="Named lists of probes, usable like a probe.")
    windows: dict[Id, WindowShape] = Field(default={}, description="Paging hours by name.")
    defaults: Defaults = Field(default=Defaults(), description="Defaults of the rules of this file.")
    heartbeats: list[HeartbeatShape] = Field(default=[], description="Clusters with an expected Watchdog.")
    rules: list[RuleShape] = Field(
        default=[], description="Rules, evaluated in order; the first whose matchers all hold decides."
    )
