"""Schema of a rule: its matchers, and what it decides. The descriptions are part of the JSON Schema for editors."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue

from responder.rulebook.field_types import (
    Id,
    Labels,
    MaybeText,
    NameOr,
    Names,
    OneOrMore,
    SeverityName,
    Sources,
    StrictModel,
    Text,
    listed,
)
from responder.rulebook.team_schema import TeamRef

Word = Literal["ok", "warning", "bad", "unknown"]

_WORDS: Final[JsonSchemaValue] = {"enum": ["ok", "warning", "bad", "unknown"]}
_WORD_OR_LIST: Final[JsonSchemaValue] = {"anyOf": [_WORDS, {"type": "array", "items": _WORDS}]}


def _none(description: str, most: int | None = None) -> Any:
    """Optional list field, without pydantic's copy of the default for each rule."""
    kept: dict[str, Any] = {"default": []}
    return Field(default_factory=list, max_length=most, description=description, json_schema_extra=kept)


def _several(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


def _live(value: Any) -> bool:
    if value is True or value == "shadow":
        return value is True
    raise ValueError("enabled is true or shadow; to disable a rule, remove it")


RUNBOOKS: Final = "Runbook by the code of the conclusion, as in first_steps: {crash: common.md#crash-loop}."


class ImpactFromShape(StrictModel):
    """Impact from the service catalog."""

    from_: Literal["service"] = Field(alias="from", description="service: the impact of the subject's service.")


class SeverityFromShape(StrictModel):
    """Severity from a label or annotation of the alert."""

    from_: Sources = Field(
        alias="from", description="Label or annotation, or a list: the first with a known word decides."
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


class WhenShape(StrictModel):
    """Condition: all given keys must hold."""

    match: OneOrMore[str] = Field(default=[], description="Matchers on the alert's labels, as in a rule.")
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

    from_: Sources = Field(alias="from", description="Annotation or label, or a list: the first with a link decides.")
    otherwise: Text | None = Field(default=None, description="Runbook of alerts without one.")


RUNBOOK: Final = "File of the runbook folder, optionally with #section; or a URL with ${label}, ${label|lower}."

FIRST_STEPS: Final = (
    "First step by the code of the conclusion, or the beginning of codes: {crash: ..., image-tag: ...}."
)

PAGES_IN: Final = "Window in which it pages, or one per severity; other severities page at any time."


class StatusPageShape(StrictModel):
    """Publication on status pages."""

    automatic: bool = Field(description="True to publish without the confirmation of a person.")


class RuleShape(StrictModel):
    """Rule: matchers that must all hold, and its results."""

    id: Id = Field(description="Stable name in lower case with dashes, unique in all files.")
    match: OneOrMore[str] = Field(
        description='Matchers in Alertmanager\'s syntax, all of which must hold: alertname="X". [] matches everything.'
    )
    match_annotations: OneOrMore[str] = Field(
        default_factory=list,
        description='Matchers on annotations, in the same syntax: runbook_url!="". They must hold as well.',
        json_schema_extra={"default": []},
    )
    labels: Names = _none("Labels of its alerts beyond those in `match`, for its probes.")
    severity: NameOr[SeverityName, SeverityFromShape] = Field(
        description="Name of the severity, or the label to read it from."
    )
    adjust: list[AdjustShape] = _none(
        "Conditions that raise or lower the severity; the first that holds applies, then the first on findings.", 32
    )
    subject: Annotated[list[NameOr[Text, SubjectFromShape]], BeforeValidator(_one_or_more), Field(max_length=16)] = (
        Field(
            default_factory=list,
            description="Label with the subject of the alert, or a mapping of its values, or a list of both.",
        )
    )
    symptom: MaybeText = Field(default="", description="Predicate in the page's title: is down.")
    impact: NameOr[Text, ImpactFromShape] | None = Field(
        default=None,
        description="Impact on users, if the alert means that there is one; {from: service} for that of the catalog, "
        "which a page otherwise states once no pod of the service is ready.",
    )
    runbook: NameOr[Text, RunbookFromShape] | None = Field(
        default=None, description=f"{RUNBOOK} Or from an annotation."
    )
    first_step: Text = Field(description="First step, in one sentence.")
    first_steps: dict[Text, Text] = Field(default={}, description=FIRST_STEPS)
    runbooks: dict[Text, Text] = Field(default={}, description=RUNBOOKS)
    probes: Names | None = Field(default=None, description="Probes and packs, most useful first. Default: the file's.")
    more_probes: Names = _none("Probes and packs in addition to `probes` or its default.")
    channels: Names | None = Field(default=None, description="Channels. Default: the team's, or the file's.")
    team: TeamRef | None = Field(
        default=None, description="Team, or its source. Default: the service's owner, or the file's."
    )
    pages_in: Text | dict[SeverityName, Text] | None = Field(default=None, description=PAGES_IN)
    incident_key: Labels = _none("Labels by whose values several Alertmanager groups form one incident.")
    enabled: Annotated[bool, BeforeValidator(_live), WithJsonSchema({"enum": [True, "shadow"]})] = Field(
        default=True, description="shadow decides no alert; its decision is only recorded."
    )
    status_page: StatusPageShape | None = Field(
        default=None, description="Publication on the status pages of the severity. Default: a person confirms it."
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
