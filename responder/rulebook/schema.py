"""What a rule file may hold. The descriptions end up in the JSON Schema that editors use."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue

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
    which,
)
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamRef, TeamShape, either

Word = Literal["ok", "warning", "bad", "unknown"]

_WORDS: Final[JsonSchemaValue] = {"enum": ["ok", "warning", "bad", "unknown"]}
_WORD_OR_LIST: Final[JsonSchemaValue] = {"anyOf": [_WORDS, {"type": "array", "items": _WORDS}]}


def _none(description: str, most: int | None = None) -> Any:
    """A list that may be missing, without the copy of it that pydantic makes of a default for each rule."""
    kept: dict[str, Any] = {"default": []}
    return Field(default_factory=list, max_length=most, description=description, json_schema_extra=kept)


def _several(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _live(value: Any) -> bool:
    if value is True or value == "shadow":
        return value is True
    raise ValueError("a rule is enabled: true, or enabled: shadow; one that should do nothing is removed")


class Platform(StrictModel):
    """What the whole installation is called, and what is never a subject."""

    environment: Text = Field(description="Name of the environment, shown on every page: prod.")
    namespace: DnsLabel = Field(description="Kubernetes namespace of alerts that name none.")
    exporters: Names = Field(
        default=[], description="Names of exporters, with * at either end: never what an alert is about."
    )
    team: TeamRef | None = Field(
        default=None, description="Team of an alert for which nothing else names a team or channels, or its source."
    )
    channels: Names = Field(default=[], description="Channels of the same alerts, instead of a team.")

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        either(self)
        return self


class PageAgainShape(StrictModel):
    """When a group that has grown pages again."""

    factor: int = Field(ge=2, le=1000, description="At least so many times as many alerts fire as at the last page.")
    from_: int = Field(alias="from", ge=2, le=100_000, description="At least so many alerts fire.")


class SeverityShape(StrictModel):
    """How bad, and what follows from it."""

    meaning: Text = Field(description="When an incident has this severity.")
    response: Text = Field(description="The promise in people's words: 15 minutes, all hands.")
    respond_within: Duration | None = Field(description="Time to the first response; null for the next business day.")
    responders: Text = Field(description="Who responds.")
    pages: bool = Field(description="Whether it wakes somebody.")
    pagerduty: Literal["critical", "error", "warning", "info"] = Field(description="Severity of the PagerDuty event.")
    page_budget: Duration = Field(description="How long the page may wait for the diagnosis.")
    next_update: Duration = Field(description="When people expect to hear again.")
    flood_above: int = Field(
        default=20,
        ge=0,
        le=100_000,
        description="New incidents within a minute beyond which a digest takes over; 0 for never.",
    )
    page_again: PageAgainShape | None = Field(default=None, description="When growth pages again; never if missing.")


class ServiceShape(StrictModel):
    """One entry of the service catalogue."""

    health: HealthAddress = Field(description="Absolute http(s) address of the health endpoint: what probes may ask.")
    owner: Text = Field(description="The team that owns it.")
    impact: Text = Field(description="What users lose while it is down, in one sentence.")
    namespace: DnsLabel | None = Field(
        default=None, description="Its Kubernetes namespace; the platform's where none is given."
    )
    depends_on: Names = Field(default=[], description="Services of this catalogue that it cannot work without.")
    dashboards: dict[Text, Address] = Field(default={}, description="Title and address of each dashboard.")
    selector: Text | None = Field(
        default=None, description='PromQL matchers of its series; namespace="...",service="..." where none are given.'
    )


class UrlShape(StrictModel):
    """One critical address."""

    text: Text = Field(description="What people call it.")
    href: Address = Field(description="Where it is.")


class ProbeShape(StrictModel):
    """A named probe. What stands beside these two keys depends on the kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: Text = Field(description="The kind of probe, which decides what other keys there are.")
    timeout: Duration = Field(default=3.0, description="How long it may take.")


class SeverityFromShape(StrictModel):
    """A severity read from a label or an annotation of the alert."""

    from_: Annotated[
        list[Text], BeforeValidator(listed), Field(min_length=1, max_length=8), WithJsonSchema(TEXT_OR_LIST)
    ] = Field(
        alias="from",
        description="The label or annotation, or a list: the first whose word is understood decides.",
    )
    map: dict[str, SeverityName] = Field(
        min_length=1,
        description="Word, in any case, and its severity. Names of severities need no entry; none never pages.",
    )
    unknown: SeverityName | None = Field(
        default=None, description="The severity where a word is there and not understood; otherwise's if missing."
    )
    otherwise: SeverityName = Field(description="The severity where no word is there.")

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        for word, severity in self.map.items():
            if any(severity != other for key, other in self.map.items() if key.casefold() == word.casefold()):
                raise ValueError(f"the word '{word.casefold()}' has two severities; case does not tell words apart")
        return self


class WindowShape(StrictModel):
    """Hours in which a page may wake somebody."""

    zone: Text = Field(description="IANA time zone of the hours: Europe/Berlin.")
    days: Days = Field(description="Days of the week it opens on: [mon, tue, wed, thu, fri].")
    hours: Annotated[list[Hours], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        description="From and to by the clock on the wall: 09:00-17:00, or a list; 22:00-06:00 ends on the next day."
    )
    holidays: list[Day] = Field(default=[], description="Days it stays shut on, written 2026-12-25.")


class WhenShape(StrictModel):
    """A condition: all of what is given must hold."""

    match: Annotated[list[str], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        default=[], description="Matchers on the alert's labels, as those of a rule."
    )
    firing: Annotated[int, Field(ge=2, le=1_000_000)] | None = Field(
        default=None, description="So many alerts of the group fire, or more."
    )
    probe: Text | None = Field(default=None, description="A probe of the rule; what it found is in `is`.")
    is_: Annotated[list[Word], BeforeValidator(listed), WithJsonSchema(_WORD_OR_LIST)] = Field(
        default=[], alias="is", description="ok, warning, bad or unknown, or a list; the worst of its answers counts."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.probe is None) != (not self.is_):
            raise ValueError("a condition on a finding has both: probe: NAME and is: bad")
        if not self.match and self.firing is None and self.probe is None:
            raise ValueError("a condition has match, firing, or probe and is")
        return self


class AdjustShape(StrictModel):
    """A change of the severity."""

    when: Annotated[list[WhenShape], BeforeValidator(_several)] = Field(
        min_length=1, description="The condition, or a list of which all must hold."
    )
    raise_: SeverityName | Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, alias="raise", description="The severity it is raised to at least, or by how many steps."
    )
    lower: SeverityName | Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="The severity it is lowered to at most, or by how many steps."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.raise_ is None) == (self.lower is None):
            raise ValueError("a change has either raise or lower")
        return self


class SubjectFromShape(StrictModel):
    """A subject read from a label of the alert."""

    from_: Text = Field(alias="from", description="The label.")
    map: dict[str, Text] = Field(default={}, description="Value of the label, and the service it stands for.")


_PAGES_IN: Final = "The window in which it wakes somebody, or one for each severity; the others page at any time."


class RuleShape(StrictModel):
    """One rule: matchers that must all hold, and what then applies."""

    id: Id = Field(description="Stable name, in lower case with dashes; unique in all files.")
    match: Annotated[list[str], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)] = Field(
        description='Matchers in Alertmanager\'s syntax, all of which must hold: alertname="X". [] matches everything.'
    )
    labels: Names = _none("Labels that its alerts may carry beyond those matched, for its probes.")
    severity: Annotated[
        Annotated[SeverityName, Tag("<name>")] | Annotated[SeverityFromShape, Tag("<map>")], Discriminator(which)
    ] = Field(description="A severity's name, or where to read it from.")
    adjust: list[AdjustShape] = _none(
        "Conditions that raise or lower it; the first that holds, and then the first on findings.", 32
    )
    subject: (
        Annotated[Annotated[Text, Tag("<name>")] | Annotated[SubjectFromShape, Tag("<map>")], Discriminator(which)]
        | None
    ) = Field(default=None, description="The label that says who the alert is about, or where to read it from.")
    symptom: MaybeText = Field(default="", description="What the page's title says of the subject: is down.")
    runbook: Text | None = Field(default=None, description="File of the runbook folder, and optionally #section.")
    first_step: Text = Field(description="The first thing to do, in one sentence.")
    probes: Names | None = Field(
        default=None, description="Probes and packs, most telling first; the file's default where missing."
    )
    more_probes: Names = _none("Probes and packs that are added to those, or to the default.")
    channels: Names | None = Field(
        default=None, description="Channels to notify; those of the team or of the file's default where missing."
    )
    team: TeamRef | None = Field(
        default=None,
        description="The team to notify, or its source; the service's owner or a default where missing.",
    )
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=_PAGES_IN)
    incident_key: Labels = _none("Labels whose values gather several Alertmanager groups into one incident.")
    enabled: Annotated[bool, BeforeValidator(_live), WithJsonSchema({"enum": [True, "shadow"]})] = Field(
        default=True, description="shadow takes no alert; what it would have decided is recorded."
    )
    owner: Text | None = Field(default=None, description="The team to name as owner; the service's where missing.")
    note: MaybeText = Field(default="", description="What people should know who read the page.")
    action: Literal["notify", "heartbeat"] = Field(
        default="notify", description="heartbeat only records that it was seen."
    )

    @model_validator(mode="after")
    def _heartbeats_tell_nobody(self) -> Self:
        asks = self.probes or self.more_probes or self.adjust
        if self.action == "heartbeat" and (asks or self.channels or self.team or self.incident_key):
            raise ValueError("a heartbeat asks nothing and tells nobody: remove its probes, channels, adjust and key")
        return self


class HeartbeatShape(StrictModel):
    """A cluster whose Watchdog is expected: where it stays away, people are told that they are blind there."""

    cluster: ClusterName = Field(
        description="Its name: the last segment of the webhook's address, or the label cluster of its Watchdog."
    )
    max_gap: Duration = Field(
        description="How long it may be silent: at least twice the repeat_interval of the Watchdog's route."
    )
    severity: SeverityName | None = Field(default=None, description="Severity of the page; the worst one if missing.")
    runbook: Text | None = Field(default=None, description="File of the runbook folder, and optionally #section.")
    first_step: Text = Field(
        default="See whether Prometheus and Alertmanager of the cluster run, and whether they reach responder.",
        description="The first thing to do, in one sentence.",
    )
    probes: Names = Field(default=[], description="Named probes of its Prometheus and Alertmanager.")
    channels: Names | None = Field(
        default=None, description="Channels to notify; those of the team or of the file's default where missing."
    )
    team: Text | None = Field(default=None, description="The team to notify; that of a default where missing.")

    def as_rule(self, worst: str) -> RuleShape:
        """The rule that its absence meets; ``worst`` is the name of the worst severity."""
        return RuleShape.model_construct(
            id=f"heartbeat-{self.cluster}",
            match=[],
            labels=[],
            severity=self.severity or worst,
            symptom=f"sends no Watchdog, you are blind on {self.cluster}",
            runbook=self.runbook,
            first_step=self.first_step,
            probes=self.probes,
            channels=self.channels,
            team=self.team,
            action="notify",
        )


class Defaults(StrictModel):
    """What the rules of this file share."""

    probes: Names = Field(default=[], description="Probes of a rule that names none.")
    baseline: Names = Field(default=[], description="Probes that follow those of every rule.")
    channels: Names = Field(default=[], description="Channels of a rule that names none.")
    team: TeamRef | None = Field(
        default=None, description="Team of a rule that has neither a team nor channels, or its source."
    )
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=_PAGES_IN)
    owner: Text | None = Field(default=None, description="Owner of a rule that names none.")

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        either(self)
        return self


class File(StrictModel):
    """A rule file. Every part may stand in any file; files are read in the order of their names."""

    platform: Platform | None = Field(default=None, description="What the installation is called; in one file only.")
    channels: dict[ChannelName, ChannelShape] = Field(
        default={}, description="Channels of their own, by name, beside those of the settings."
    )
    teams: dict[ChannelName, TeamShape] = Field(default={}, description="Teams, by the name that rules use.")
    severities: dict[SeverityName, SeverityShape] = Field(default={}, description="Worst first.")
    severity_words: dict[Text, Names] = Field(
        default={}, description="Other words for a word of the rules' maps: critical: [fatal, sev1]."
    )
    services: dict[DnsLabel, ServiceShape] = Field(default={}, description="The service catalogue.")
    contacts: list[ContactShape] = Field(default=[], description="Emergency contacts.")
    escalation: Names = Field(default=[], description="Roles of the contacts, in the order they are called.")
    urls: list[UrlShape] = Field(default=[], description="Critical addresses.")
    probes: dict[Id, ProbeShape] = Field(default={}, description="Probes by the names that rules use.")
    packs: dict[Id, Names] = Field(default={}, description="Lists of probes by a name, for wherever a probe may stand.")
    windows: dict[Id, WindowShape] = Field(default={}, description="When pages may wake somebody, by name.")
    defaults: Defaults = Field(default=Defaults(), description="What the rules of this file share.")
    heartbeats: list[HeartbeatShape] = Field(
        default=[], description="Clusters whose Watchdog is expected, and what its absence means."
    )
    rules: list[RuleShape] = Field(
        default=[], description="Tried from the top; the first whose matchers all hold decides."
    )
