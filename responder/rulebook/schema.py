"""Schema of rule files. The descriptions are part of the JSON Schema for editors."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from responder.model.rule import LinkAnnotations
from responder.rulebook.field_types import (
    TEXT_OR_LIST,
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
    Labels,
    MaybeText,
    Names,
    SeverityName,
    StrictModel,
    Text,
    listed,
    union_tag,
)
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamRef, TeamShape, check_single_target
from responder.rulebook.template_schema import TemplateKind, TemplateShape

_USUAL_LINKS: Final = LinkAnnotations()
Word = Literal["ok", "warning", "bad", "unknown"]

_WORDS: Final[JsonSchemaValue] = {"enum": ["ok", "warning", "bad", "unknown"]}
_WORD_OR_LIST: Final[JsonSchemaValue] = {"anyOf": [_WORDS, {"type": "array", "items": _WORDS}]}


def _none(description: str, most: int | None = None) -> Any:
    """Optional list field, without pydantic's copy of the default for each rule."""
    kept: dict[str, Any] = {"default": []}
    return Field(default_factory=list, max_length=most, description=description, json_schema_extra=kept)


def _link_names(what: str, usual: Sequence[str]) -> Any:
    return Field(default=list(usual), description=f"Names with {what}. Default: {', '.join(usual)}.")


def _several(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


def _live(value: Any) -> bool:
    if value is True or value == "shadow":
        return value is True
    raise ValueError("enabled is true or shadow; to disable a rule, remove it")


_RUNBOOKS: Final = "Runbook by the code of the conclusion, as in first_steps: {crash: common.md#crash-loop}."


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
    runbooks: dict[Text, Text] = Field(default={}, description=f"{_RUNBOOKS} For all rules.")

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        check_single_target(self)
        return self


class PageAgainShape(StrictModel):
    """Growth of a group after which it pages again."""

    factor: int = Field(ge=2, le=1000, description="Minimum ratio of firing alerts to those at the last page.")
    from_: int = Field(alias="from", ge=2, le=100_000, description="Minimum number of firing alerts.")


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


class ImpactFromShape(StrictModel):
    """Impact from the service catalog."""

    from_: Literal["service"] = Field(alias="from", description="service: the impact of the subject's service.")


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


class SeverityFromShape(StrictModel):
    """Severity from a label or annotation of the alert."""

    from_: Annotated[
        list[Text], BeforeValidator(listed), Field(min_length=1, max_length=8), WithJsonSchema(TEXT_OR_LIST)
    ] = Field(
        alias="from",
        description="Label or annotation, or a list: the first with a known word decides.",
    )
    map: dict[str, SeverityName] = Field(
        min_length=1,
        description="Severity of each word, case-insensitive. Names of severities need no entry; none never pages.",
    )
    unknown: SeverityName | None = Field(
        default=None, description="Severity if the word is unknown. Default: that of `otherwise`."
    )
    otherwise: SeverityName = Field(description="Severity if all of these labels are missing.")

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        for word, severity in self.map.items():
            if any(severity != other for key, other in self.map.items() if key.casefold() == word.casefold()):
                raise ValueError(f"the word '{word.casefold()}' has two severities; words are case-insensitive")
        return self


class WindowShape(StrictModel):
    """Paging hours."""

    zone: Text = Field(description="IANA time zone of the hours: Europe/Berlin.")
    days: Days = Field(description="Days of the week on which it opens: [mon, tue, wed, thu, fri].")
    hours: Annotated[list[Hours], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        description="Local times: 09:00-17:00, or a list; 22:00-06:00 ends on the next day."
    )
    holidays: list[Day] = Field(default=[], description="Dates on which it stays closed: 2026-12-25.")


class WhenShape(StrictModel):
    """Condition: all given keys must hold."""

    match: Annotated[list[str], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        default=[], description="Matchers on the alert's labels, as in a rule."
    )
    firing: Annotated[int, Field(ge=2, le=1_000_000)] | None = Field(
        default=None, description="Minimum number of firing alerts in the group."
    )
    probe: Text | None = Field(default=None, description="Probe of the rule, whose result is compared with `is`.")
    is_: Annotated[list[Word], BeforeValidator(listed), WithJsonSchema(_WORD_OR_LIST)] = Field(
        default=[], alias="is", description="ok, warning, bad or unknown, or a list, compared with the worst result."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.probe is None) != (not self.is_):
            raise ValueError("a condition on a finding needs both probe: NAME and is: bad")
        if not self.match and self.firing is None and self.probe is None:
            raise ValueError("a condition needs match, firing, or probe and is")
        return self


class AdjustShape(StrictModel):
    """Change of the severity."""

    when: Annotated[list[WhenShape], BeforeValidator(_several)] = Field(
        min_length=1, description="Condition, or a list of conditions that must all hold."
    )
    raise_: SeverityName | Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, alias="raise", description="Severity to raise to at least, or the number of steps."
    )
    lower: SeverityName | Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="Severity to lower to at most, or the number of steps."
    )

    @model_validator(mode="after")
    def _raise_or_lower(self) -> Self:
        if (self.raise_ is None) == (self.lower is None):
            raise ValueError("give either raise or lower")
        return self


class SubjectFromShape(StrictModel):
    """Subject from a label of the alert."""

    from_: Text = Field(alias="from", description="The label.")
    map: dict[str, Text] = Field(default={}, description="Service for each value of the label.")


class RunbookFromShape(StrictModel):
    """Runbook from an annotation or a label of the alert."""

    from_: Annotated[
        list[Text], BeforeValidator(listed), Field(min_length=1, max_length=8), WithJsonSchema(TEXT_OR_LIST)
    ] = Field(alias="from", description="Annotation or label, or a list: the first with a link decides.")
    otherwise: Text | None = Field(default=None, description="Runbook of alerts without one.")


#: A runbook, or the annotation to read it from.
RunbookShape = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[RunbookFromShape, Tag("<map>")], Discriminator(union_tag)
]

_RUNBOOK: Final = "File of the runbook folder, optionally with #section; or a URL with ${label}, ${label|lower}."

_FIRST_STEPS: Final = (
    "First step by the code of the conclusion, or the beginning of codes: {crash: ..., image-tag: ...}."
)

_PAGES_IN: Final = "Window in which it pages, or one per severity; other severities page at any time."


class RuleShape(StrictModel):
    """Rule: matchers that must all hold, and its results."""

    id: Id = Field(description="Stable name in lower case with dashes, unique in all files.")
    match: Annotated[list[str], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        description='Matchers in Alertmanager\'s syntax, all of which must hold: alertname="X". [] matches everything.'
    )
    match_annotations: Annotated[list[str], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        default_factory=list,
        description='Matchers on annotations, in the same syntax: runbook_url!="". They must hold as well.',
        json_schema_extra={"default": []},
    )
    labels: Names = _none("Labels of its alerts beyond those in `match`, for its probes.")
    severity: Annotated[
        Annotated[SeverityName, Tag("<name>")] | Annotated[SeverityFromShape, Tag("<map>")], Discriminator(union_tag)
    ] = Field(description="Name of the severity, or the label to read it from.")
    adjust: list[AdjustShape] = _none(
        "Conditions that raise or lower the severity; the first that holds applies, then the first on findings.", 32
    )
    subject: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag("<name>")] | Annotated[SubjectFromShape, Tag("<map>")], Discriminator(union_tag)
            ]
        ],
        BeforeValidator(_one_or_more),
        Field(max_length=16),
    ] = Field(
        default_factory=list,
        description="Label with the subject of the alert, or a mapping of its values, or a list of both.",
    )
    symptom: MaybeText = Field(default="", description="Predicate in the page's title: is down.")
    impact: (
        Annotated[Annotated[Text, Tag("<name>")] | Annotated[ImpactFromShape, Tag("<map>")], Discriminator(union_tag)]
        | None
    ) = Field(
        default=None,
        description="Impact on users, if the alert means that there is one; {from: service} for that of the catalog.",
    )
    runbook: RunbookShape | None = Field(default=None, description=f"{_RUNBOOK} Or from an annotation.")
    first_step: Text = Field(description="First step, in one sentence.")
    first_steps: dict[Text, Text] = Field(default={}, description=_FIRST_STEPS)
    runbooks: dict[Text, Text] = Field(default={}, description=_RUNBOOKS)
    probes: Names | None = Field(default=None, description="Probes and packs, most useful first. Default: the file's.")
    more_probes: Names = _none("Probes and packs in addition to `probes` or its default.")
    channels: Names | None = Field(default=None, description="Channels. Default: the team's, or the file's.")
    team: TeamRef | None = Field(
        default=None, description="Team, or its source. Default: the service's owner, or the file's."
    )
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=_PAGES_IN)
    incident_key: Labels = _none("Labels by whose values several Alertmanager groups form one incident.")
    enabled: Annotated[bool, BeforeValidator(_live), WithJsonSchema({"enum": [True, "shadow"]})] = Field(
        default=True, description="shadow decides no alert; its decision is only recorded."
    )
    owner: Text | None = Field(default=None, description="Owning team. Default: the service's.")
    note: MaybeText = Field(default="", description="Note on the page.")
    action: Literal["notify", "heartbeat", "drop"] = Field(
        default="notify", description="heartbeat only records that the alert arrived; drop only counts it."
    )
    reason: MaybeText = Field(default="", description="Reason for action: drop.")

    @property
    def matches_everything(self) -> bool:
        """True for a rule without matchers."""
        return not self.match and not self.match_annotations

    @model_validator(mode="after")
    def _heartbeat_sends_nothing(self) -> Self:
        asks = self.probes or self.more_probes or self.adjust
        if self.action != "notify" and (asks or self.channels or self.team or self.incident_key):
            raise ValueError(
                f"action: {self.action} runs no probes and sends nothing: remove probes, channels, team, adjust, "
                "incident_key"
            )
        if self.action == "drop" and not self.reason:
            raise ValueError("action: drop needs a reason: write reason: TEXT")
        if self.action != "drop" and self.reason:
            raise ValueError("reason belongs to action: drop")
        return self


class HeartbeatShape(StrictModel):
    """Cluster with an expected Watchdog; its absence pages."""

    cluster: ClusterName = Field(
        description="Name: the last segment of the webhook URL, or the label cluster of its Watchdog."
    )
    max_gap: Duration = Field(
        description="Maximum time without a Watchdog: at least twice the repeat_interval of its route."
    )
    severity: SeverityName | None = Field(default=None, description="Severity of the page. Default: the worst.")
    runbook: Text | None = Field(default=None, description=_RUNBOOK)
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
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=_PAGES_IN)
    owner: Text | None = Field(default=None, description="Owner of rules without `owner`.")
    runbook: Text | None = Field(default=None, description="Runbook where neither the rule nor the alert has one.")
    first_steps: dict[Text, Text] = Field(default={}, description=_FIRST_STEPS)

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
