"""Contents of the rule files: severities, the service catalog, probes by name, and the rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from itertools import chain
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from responder.model.problem import Position
from responder.model.team import Contact, NamedChannel, Team, TeamSource
from responder.model.window import Window


class Op(StrEnum):
    """Alertmanager's four matcher operators."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


#: Prefix of the name of a matcher on an annotation. No label of Prometheus has a space in its name.
ANNOTATION = "annotation "


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label name, an operator and a value. Regexes are RE2, fully anchored; a missing label is the empty string.

    The name of a matcher on an annotation is ANNOTATION and the name of the annotation.
    """

    name: str
    op: Op
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op.value}"{escaped}"'


class MatcherError(ValueError):
    """A matcher that cannot be read. ``offset`` counts characters from the start of the text, from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Link:
    """A link: its text and URL."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class LinkAnnotations:
    """Annotations, labels and Grafana's fields with the alert's own links; the first runbook that is a link counts."""

    runbook: tuple[str, ...] = (
        *("runbook_url", "runbook", "runbookURL", "runbookUrl", "runbook_link", "Runbook", "documentation"),
        *("documentation_url", "playbook", "playbook_url", "docs_url", "wiki", "wiki_url", "sop", "sop_url"),
    )
    dashboard: tuple[str, ...] = (
        *("dashboard_url", "dashboard", "grafana_dashboard_link", "dashboardURL", "dashboardUrl", "dashboard_link"),
        *("grafana_url", "grafana_dashboard"),
    )
    panel: tuple[str, ...] = ("panel_url", "panelURL", "panelUrl")


#: ``${label}`` or ``${label|lower}`` in the URL of a runbook.
PLACEHOLDER = re.compile(r"\$\{([^}|]+)(\|lower)?\}")


def is_url(runbook: str) -> bool:
    """True if the runbook of a rule is a URL."""
    return runbook.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class RunbookRef:
    """A runbook: a file of the runbook folder or a URL and, optionally, the anchor of one of its headings.

    A URL may hold ``${label}`` and ``${label|lower}``.
    """

    file: str
    section: str = ""

    @property
    def is_url(self) -> bool:
        """True for a URL, which is no file of the runbook folder."""
        return is_url(self.file)

    def __str__(self) -> str:
        return f"{self.file}#{self.section}" if self.section else self.file


@dataclass(frozen=True, slots=True)
class PageAgain:
    """Growth that pages again: ``least`` alerts fire, and ``factor`` times as many as at the last page."""

    factor: int
    least: int


#: Placeholders in the fields of a communication template.
TEMPLATE_WORDS = frozenset(
    {
        *("severity", "service", "subject", "environment", "incident", "summary", "impact", "status", "lead", "owner"),
        *("response_target", "date", "duration", "update", "likely_cause", "root_cause", "resolution", "next_update"),
    }
)
#: Those that are times: ``${ended+48h}`` is two days after the end.
TEMPLATE_TIMES = frozenset(("started", "ended", "now"))
TEMPLATE_SLOT = re.compile(r"\$\{([^}+]*)(?:\+([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A communication template for one severity: a heading, and names and texts of fields with ``${placeholders}``."""

    title: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """Reminders of a severity's missed times.

    ``response`` reminds of an incident that is not acknowledged in time, ``update`` of one without an update in time.
    ``paged`` sends them also while a pager that accepted the page escalates by itself. A reminder of the response also
    goes to the channels ``escalate``; with ``next_contact`` to the fallback channels of the team, and it names the next
    contact of the escalation. ``window`` has the business days for severities without ``respond_within``.
    """

    response: bool = True
    update: bool = True
    paged: bool = False
    escalate: tuple[str, ...] = ()
    next_contact: bool = False
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """A severity and its consequences. ``priority`` 1 is the worst. All times are seconds.

    ``pagerduty`` is one of critical, error, warning, info (Events API v2). ``page_budget`` is how long after the
    webhook arrived the page may wait for the diagnosis. ``next_update`` is the interval of updates.
    More than ``flood_above`` new incidents within a minute are sent as a digest; with 0 each has its page.
    ``postmortem_due`` is when its post-mortem is due after the resolve, None if it needs none. ``templates`` are its
    communication templates: start, update, resolution. ``reminders`` are those of missed times.
    ``status_pages`` are the channels on which its incidents may be published. With ``room`` each has a chat channel.
    """

    name: str
    priority: int
    meaning: str
    response: str
    respond_within: float | None
    responders: str
    pages: bool
    pagerduty: str
    page_budget: float
    next_update: float
    flood_above: int = 0
    page_again: PageAgain | None = None
    postmortem_due: float | None = None
    templates: Mapping[str, Template] = field(default_factory=dict, hash=False)
    reminders: Reminders = Reminders()
    status_pages: tuple[str, ...] = ()
    room: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An entry of the service catalog: a service, a host, a database, a queue or a volume.

    ``health`` is an http(s) address, empty for what has none; probes take targets only from here. An alert is about it
    if its subject has its name or one of its ``aliases``, or matches one of its ``patterns`` (``*`` for any text).
    ``needed_by`` names the services that depend on it. ``expect_status`` and ``expect_json`` say what is healthy.
    ``components`` are its components on each status page.
    """

    name: str
    namespace: str
    health: str
    owner: str
    impact: str
    depends_on: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    dashboards: tuple[Link, ...] = ()
    selector: str = ""
    aliases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    expect_status: tuple[int, ...] = ()
    expect_json: tuple[tuple[str, str | int | float | bool | None], ...] = ()
    components: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityFrom:
    """A severity read from labels or annotations of the alert.

    ``names`` are tried in order. ``mapping`` holds every word that is understood, casefolded. ``unknown`` applies where
    a word is there that it lacks, ``otherwise`` where there is no word. ``written`` is the map of the rule itself.
    """

    names: tuple[str, ...]
    mapping: Mapping[str, str]
    unknown: str
    otherwise: str
    written: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectFrom:
    """The label that says who the alert is about, and the services that its values stand for, where they differ."""

    label: str
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FindingCondition:
    """A probe, and the words for what it may have found: any of ok, warning, bad, unknown."""

    probe: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.probe} is {' or '.join(self.words)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A severity that is raised or lowered where all its conditions hold.

    ``matchers`` are about the alert's labels, ``firing`` is how many alerts of the group fire at least, ``findings``
    the required results of probes. ``raises`` is True to raise, False to lower; ``to`` names the severity it reaches at
    least; if it is empty the severity moves by ``steps``.
    """

    matchers: tuple[Matcher, ...] = ()
    firing: int = 0
    findings: tuple[FindingCondition, ...] = ()
    raises: bool = True
    to: str = ""
    steps: int = 0


class Action(StrEnum):
    """``notify`` sends messages; ``heartbeat`` only records the arrival (Watchdog); ``drop`` only counts the alert."""

    NOTIFY = "notify"
    HEARTBEAT = "heartbeat"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: matchers that must all hold, and what then applies.

    ``impact`` is what users lose; with ``service_impact`` it is that of the catalog. Empty means: not known to be any.
    ``pages_in`` maps severities to the window in which they page; those not in it always do. A ``shadow``
    rule never decides: matching passes over it, and what it would have decided is recorded. ``gather`` names the
    labels whose values make one incident of several Alertmanager groups; it is empty where each group is an incident
    of its own. ``channels`` are those of the rule (``own_channels``), or of ``channels_by`` where no source of
    ``teams`` names a team. ``team_channels`` are the channels of the teams that it may notify.
    ``runbook_from`` names the annotations and labels whose link takes precedence over ``runbook``. ``first_steps``
    and ``runbooks`` replace ``first_step`` and ``runbook`` by the code of the conclusion. With ``publishes`` its
    incidents are published on status pages without a confirmation.
    """

    id: str
    matchers: tuple[Matcher, ...]
    severity: str | SeverityFrom
    symptom: str
    runbook: RunbookRef | None
    first_step: str
    probes: tuple[str, ...]
    channels: tuple[str, ...]
    action: Action
    position: Position
    impact: str = ""
    service_impact: bool = False
    adjust: tuple[Adjustment, ...] = ()
    subject: tuple[SubjectFrom, ...] = ()
    pages_in: Mapping[str, Window] = field(default_factory=dict)
    gather: tuple[str, ...] = ()
    shadow: bool = False
    owner: str = ""
    note: str = ""
    drop_reason: str = ""
    own_channels: bool = True
    channels_by: str = "the rule's channels"
    teams: tuple[TeamSource, ...] = ()
    team_channels: tuple[str, ...] = ()
    runbook_from: tuple[str, ...] = ()
    first_steps: Mapping[str, str] = field(default_factory=dict)
    runbooks: Mapping[str, RunbookRef] = field(default_factory=dict)
    publishes: bool = False

    @property
    def reaches(self) -> tuple[str, ...]:
        """All channels that it may notify."""
        return (*self.channels, *self.team_channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedHeartbeat:
    """A cluster whose Watchdog must be seen at least every ``max_gap`` seconds; ``rule`` applies where it is not."""

    cluster: str
    max_gap: float
    rule: Rule


Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec(Generic[Spec]):
    """A named probe: its kind, the values its kind defines, and its own deadline in seconds."""

    name: str
    kind: str
    timeout: float
    spec: Spec
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """Everything the rule files say, checked. ``revision`` is a content hash of the files it came from.

    ``severities`` are ordered worst first; ``rules`` in the order they are tried. ``gathers`` says whether any of them
    makes one incident of several groups. ``subject_labels`` are tried first for the subject of an alert;
    ``exporters`` are patterns of values that are never it, besides the built-in ones. ``namespace`` is that of
    services without one. ``link_annotations`` name the links of an alert.
    """

    severities: Mapping[str, Severity]
    services: Mapping[str, Service]
    contacts: tuple[Contact, ...]
    escalation: tuple[Contact, ...]
    urls: tuple[Link, ...]
    probes: Mapping[str, ProbeSpec[Any]]
    rules: tuple[Rule, ...]
    environment: str
    namespace: str
    revision: str
    exporters: tuple[str, ...] = field(default=())
    gathers: bool = False
    heartbeats: tuple[ExpectedHeartbeat, ...] = field(default=())
    channels: Mapping[str, NamedChannel] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    default_channels: tuple[str, ...] = ()
    subject_labels: tuple[str, ...] = ()
    link_annotations: LinkAnnotations = field(default=LinkAnnotations())
    services_by_name: Mapping[str, str] = field(init=False, repr=False, compare=False)
    services_by_host: Mapping[str, str] = field(init=False, repr=False, compare=False)
    service_patterns: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    any_service_pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the catalog: names and aliases, host names, patterns."""
        named = {alias: name for name, service in self.services.items() for alias in service.aliases}
        hosts = {host: name for name, service in self.services.items() for host in _hosts(name, service)}
        patterns = [(pattern, name) for name, service in self.services.items() for pattern in service.patterns]
        either = "|".join(translate(pattern) for pattern, _ in patterns)
        object.__setattr__(self, "services_by_name", named | {name: name for name in self.services})
        object.__setattr__(self, "services_by_host", hosts)
        object.__setattr__(self, "service_patterns", tuple(patterns))
        object.__setattr__(self, "any_service_pattern", re.compile(either) if either else None)

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule of an id, also that of a heartbeat; None if there is none."""
        every = chain(self.rules, (each.rule for each in self.heartbeats))
        return next((rule for rule in every if rule.id == rule_id), None)


def _hosts(name: str, service: Service) -> tuple[str, ...]:
    """Return the host names of a service: that of its health address, and those of its Kubernetes Service."""
    host = (urlsplit(service.health).hostname or "") if service.health else ""
    if not service.namespace:
        return (host,) if host else ()
    inside = f"{name}.{service.namespace}"
    return (*([host] if host else []), inside, f"{inside}.svc", f"{inside}.svc.cluster.local")
