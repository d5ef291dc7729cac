"""Content of all rule files with positions: the input of the checks."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from responder.model.problem import Position, Problem
from responder.model.rule import Matcher
from responder.rulebook import rule_schema, schema
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamShape
from responder.rulebook.template_schema import TemplateShape
from responder.rulebook.validate import ValidatedFile
from responder.rulebook.yaml.builder import Path
from responder.rulebook.yaml.reader import Document

if TYPE_CHECKING:
    from responder.rulebook.analysis.constraints import Profile

Part = TypeVar("Part")


class ProbeKindSchema(Protocol):
    """Part of a probe kind that the rule book needs."""

    @property
    def spec(self) -> type:
        """Frozen dataclass whose fields are the keys in rule files."""

    @property
    def check(self) -> Callable[[Any], tuple[str, ...]]:
        """Function that returns the errors of a spec beyond its types, as sentences."""


class ChannelKind(Protocol):
    """Part of a channel kind that the rule book needs."""

    @property
    def pages(self) -> bool:
        """True if it pages."""

    @property
    def is_status_page(self) -> bool:
        """True if only severities name it, as a status page."""

    @property
    def keys(self) -> Collection[str]:
        """Keys in rule files."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a channel of this kind."""

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each invalid key with its problem; the key is "" for a problem of several keys."""


def _no_predicate(_matcher: Matcher) -> Callable[[str], bool]:
    raise NotImplementedError


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReferences:
    """Names that rule files refer to but do not define.

    ``runbooks`` maps files to anchors; None skips their check. ``predicate`` turns a matcher into a test of a value;
    only the checks in ``ADVICE`` need it. ``pagers`` are those of ``channels`` that page. ``channel_kinds`` are the
    kinds of channels that rule files may declare, ``built_in_channels`` the names of all channels of the settings, and
    ``fallback_channels`` those that a team may fall back to, ``status_pages`` those of the settings.
    """

    probe_kinds: Mapping[str, ProbeKindSchema]
    runbooks: Mapping[str, frozenset[str]] | None
    channels: Collection[str]
    parse: Callable[[str], tuple[Matcher, ...]]
    channel_kinds: Mapping[str, ChannelKind] = field(default_factory=dict)
    built_in_channels: Collection[str] = frozenset()
    fallback_channels: Collection[str] = frozenset()
    predicate: Callable[[Matcher], Callable[[str], bool]] = _no_predicate
    pagers: Collection[str] = frozenset()
    status_pages: Collection[str] = frozenset()
    out_of_time: Callable[[], bool] = _never


@dataclass(frozen=True, slots=True)
class Entry(Generic[Part]):
    """Part of a file: its name (empty in lists), value and position."""

    name: str
    value: Part
    document: Document
    path: Path

    def at(self, *rest: str | int) -> Position:
        """Return the position of a value inside it."""
        return self.document.at((*self.path, *rest))

    def key(self, *rest: str | int) -> Position:
        """Return the position of a key inside it."""
        return self.document.key((*self.path, *rest))


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Shadowed part of a rule: ``by`` maps values of ``label`` to the number of the rule above that matches them.

    ``whole`` is True if the whole rule is shadowed. If its values cannot be listed, ``label`` is empty and ``by`` has
    the single key ``""``.
    """

    number: int
    label: str
    by: Mapping[str, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class RuleAnalysis:
    """Result of comparing the rules.

    ``never`` has the number of each rule that matches no alert, with the label that no value satisfies. ``skipped`` has
    the rules that were not compared with those above them within the time limit.
    """

    shadowings: tuple[Shadowing, ...]
    never: tuple[tuple[int, str], ...]
    skipped: tuple[int, ...]


@dataclass(slots=True)
class RuleFiles:
    """Content of all files, in order.

    ``invalid`` has the names of invalid entries by section. The checks of matchers and probes fill in ``matchers`` by
    rule number, ``conditions`` by rule number and index in ``adjust``, and ``specs`` by probe name. ``problems`` are
    those of reading; ``whole`` is False if a file could not be read. ``profiles`` and ``analysis`` cache the results of
    ``responder/rulebook/shadowing.py`` for all checks.
    """

    documents: tuple[Document, ...] = ()
    platforms: list[Entry[schema.Platform]] = field(default_factory=list)
    channels: list[Entry[ChannelShape]] = field(default_factory=list)
    teams: list[Entry[TeamShape]] = field(default_factory=list)
    severities: list[Entry[schema.SeverityShape]] = field(default_factory=list)
    severity_words: list[Entry[list[str]]] = field(default_factory=list)
    templates: list[Entry[TemplateShape]] = field(default_factory=list)
    services: list[Entry[schema.ServiceShape]] = field(default_factory=list)
    contacts: list[Entry[ContactShape]] = field(default_factory=list)
    escalation: list[Entry[str]] = field(default_factory=list)
    urls: list[Entry[schema.UrlShape]] = field(default_factory=list)
    probes: list[Entry[schema.ProbeShape]] = field(default_factory=list)
    packs: list[Entry[list[str]]] = field(default_factory=list)
    windows: list[Entry[schema.WindowShape]] = field(default_factory=list)
    defaults: list[Entry[schema.Defaults]] = field(default_factory=list)
    heartbeats: list[Entry[schema.HeartbeatShape]] = field(default_factory=list)
    rules: list[Entry[rule_schema.RuleShape]] = field(default_factory=list)
    invalid: dict[str, set[str]] = field(default_factory=dict)
    matchers: dict[int, tuple[Matcher, ...]] = field(default_factory=dict)
    conditions: dict[tuple[int, int], tuple[Matcher, ...]] = field(default_factory=dict)
    specs: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = True
    revision: str = ""
    profiles: "Mapping[int, Profile] | None" = None
    analysis: RuleAnalysis | None = None
    _by_file: dict[str, schema.Defaults] = field(default_factory=dict)
    _packs: dict[str, list[str]] = field(default_factory=dict)

    def channel_names(self, around: RuleReferences) -> set[str]:
        """Names of the channels of the settings and of the files that rules may name."""
        return {*around.channels, *self.names("channels")} - self.status_page_names(around)

    def status_page_names(self, around: RuleReferences) -> set[str]:
        """Names of the status pages of the settings and of the files."""
        kinds = {entry.name: around.channel_kinds.get(entry.value.kind) for entry in self.channels}
        return {*around.status_pages, *(name for name, kind in kinds.items() if kind and kind.is_status_page)}

    def pager_names(self, around: RuleReferences) -> set[str]:
        """Names of the channels that page."""
        kinds = {entry.name: around.channel_kinds.get(entry.value.kind) for entry in self.channels}
        return {*around.pagers, *(name for name, kind in kinds.items() if kind is None or kind.pages)}

    @property
    def paging_rules(self) -> list[Entry[rule_schema.RuleShape]]:
        """The rules, and one rule for each heartbeat, which decides when it is missing."""
        worst = self.severities[0].name if self.severities else ""
        return [
            *self.rules,
            *(
                Entry(f"heartbeat-{entry.name}", entry.value.as_rule(worst), entry.document, entry.path)
                for entry in self.heartbeats
            ),
        ]

    def names(self, section: str) -> set[str]:
        """Return the names that a section defines, including those of invalid entries."""
        entries: list[Entry[object]] = getattr(self, section)
        return {entry.name for entry in entries} | self.invalid.get(section, set())

    def lacks(self, section: str) -> bool:
        """Return True if a whole section could not be read."""
        return section in self.invalid.get("parts", set())

    def known(self, *sections: str) -> set[str] | None:
        """Return the names that sections define; None if one of them could not be read."""
        return None if any(map(self.lacks, sections)) else set().union(*map(self.names, sections))

    def defaults_of(self, file: str) -> schema.Defaults:
        """Return the defaults of a file."""
        if len(self._by_file) != len(self.defaults):
            self._by_file = {entry.document.name: entry.value for entry in self.defaults}
        return self._by_file[file]

    def pack_lists(self) -> Mapping[str, list[str]]:
        """Return the probes of each pack."""
        if len(self._packs) != len(self.packs):
            self._packs = {entry.name: entry.value for entry in self.packs}
        return self._packs

    def add(self, document: Document, shaped: ValidatedFile) -> None:
        """Add a file."""
        file = shaped.file
        self.documents = (*self.documents, document)
        if file.platform is not None:
            self.platforms.append(Entry("", file.platform, document, ("platform",)))
        self.defaults.append(Entry("", file.defaults, document, ("defaults",)))
        for section in schema.File.model_fields.keys() - {"platform", "defaults"}:
            parts = getattr(file, section)
            add = _named if isinstance(parts, dict) else _numbered
            getattr(self, section).extend(add(document, section, parts, shaped.dropped))
        for path in shaped.dropped:
            self._mark_invalid(path, document)

    def _mark_invalid(self, path: Path, document: Document) -> None:
        if len(path) != 2:
            self.invalid.setdefault("parts", set()).add(str(path[0]) if path else "")
            return
        section, key = str(path[0]), path[1]
        names = self.invalid.setdefault(section, set())
        if isinstance(key, str):
            names.add(key)
        else:
            part = document.data[section][key]
            named = part if isinstance(part, dict) else {}
            names.add(str(named.get("id", named.get("role", named.get("cluster", "")))))


def _named(
    document: Document, section: str, parts: Mapping[str, Part], _dropped: frozenset[Path]
) -> Iterator[Entry[Part]]:
    return (Entry(name, part, document, (section, name)) for name, part in parts.items())


def _numbered(document: Document, section: str, parts: list[Part], dropped: frozenset[Path]) -> Iterator[Entry[Part]]:
    """Yield the entries of a list with their index in the file, which counts dropped entries."""
    if not parts:
        return
    total = len(document.data[section])
    kept = [number for number in range(total) if (section, number) not in dropped]
    for number, part in zip(kept, parts, strict=True):
        yield Entry(_name(part), part, document, (section, number))


def _name(part: object) -> str:
    if isinstance(part, rule_schema.RuleShape):
        return part.id
    if isinstance(part, schema.HeartbeatShape):
        return part.cluster
    return part.role if isinstance(part, ContactShape) else ""


Check = Callable[[RuleFiles, RuleReferences], Iterator[Problem]]
