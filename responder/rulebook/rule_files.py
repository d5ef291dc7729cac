"""Everything all files say, still with the place of each part: what the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from responder.model.problem import Position, Problem
from responder.model.rule import Matcher
from responder.rulebook import schema
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamShape
from responder.rulebook.validate import ValidatedFile
from responder.rulebook.yaml.builder import Path
from responder.rulebook.yaml.reader import Document

if TYPE_CHECKING:
    from responder.rulebook.analysis.constraints import Profile

Part = TypeVar("Part")


class ProbeKindSchema(Protocol):
    """What the rule book needs to know of a kind of probe."""

    @property
    def spec(self) -> type:
        """A frozen dataclass: its fields are the keys a rule file may give."""

    @property
    def check(self) -> Callable[[Any], tuple[str, ...]]:
        """What is wrong with a spec beyond its types, as sentences."""


class ChannelKind(Protocol):
    """What the rule book needs to know of a kind of channel."""

    @property
    def pages(self) -> bool:
        """True if it calls on-call."""

    @property
    def keys(self) -> Collection[str]:
        """The keys of a rule file."""

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each key with a problem of its value; the key is empty for one of the whole."""


def _no_predicate(_matcher: Matcher) -> Callable[[str], bool]:
    raise NotImplementedError


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReferences:
    """What rule files refer to and do not define.

    ``runbooks`` maps files to anchors; None leaves them unchecked. ``predicate`` is the test that a matcher makes of a
    value; only the checks in ``ADVICE`` need it. ``pagers`` are those of ``channels`` that page. ``channel_kinds`` are
    the kinds that rule files may declare channels of, ``built_in_channels`` all names of channels of the settings,
    ``fallback_channels`` those that a team may fall back to.
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
    out_of_time: Callable[[], bool] = _never


@dataclass(frozen=True, slots=True)
class Entry(Generic[Part]):
    """One part of a file: its name (empty in lists), what it says, and where."""

    name: str
    value: Part
    document: Document
    path: Path

    def at(self, *rest: str | int) -> Position:
        """Where a value inside it stands."""
        return self.document.at((*self.path, *rest))

    def key(self, *rest: str | int) -> Position:
        """Where a key inside it stands."""
        return self.document.key((*self.path, *rest))


@dataclass(frozen=True, slots=True)
class Shadowing:
    """What a rule loses: ``by`` maps values of ``label`` to the number of the rule above that takes them.

    ``whole`` says that nothing is left. Where the rule has no values that can be listed, ``label`` is empty and ``by``
    has the one key ``""``.
    """

    number: int
    label: str
    by: Mapping[str, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class RuleAnalysis:
    """What comparing the rules found.

    ``never`` are the numbers of rules that match no alert, each with the label that no value satisfies. ``skipped`` are
    those that the time did not suffice to compare with the rules above them.
    """

    shadowings: tuple[Shadowing, ...]
    never: tuple[tuple[int, str], ...]
    skipped: tuple[int, ...]


@dataclass(slots=True)
class RuleFiles:
    """All files together, in order. ``spoiled`` are the parts with problems of their own: their names are known.

    ``matchers``, ``conditions`` and ``specs`` are filled by the checks that read matchers and probes: by the rule's
    number, by those of the rule and of its entry of ``adjust``, and by the probe's name. ``problems`` are those of
    reading; ``whole`` says whether all files could be read at all. ``profiles`` and ``analysis`` are what ``cover.py``
    has worked out, once for all checks.
    """

    documents: tuple[Document, ...] = ()
    platforms: list[Entry[schema.Platform]] = field(default_factory=list)
    channels: list[Entry[ChannelShape]] = field(default_factory=list)
    teams: list[Entry[TeamShape]] = field(default_factory=list)
    severities: list[Entry[schema.SeverityShape]] = field(default_factory=list)
    severity_words: list[Entry[list[str]]] = field(default_factory=list)
    services: list[Entry[schema.ServiceShape]] = field(default_factory=list)
    contacts: list[Entry[ContactShape]] = field(default_factory=list)
    escalation: list[Entry[str]] = field(default_factory=list)
    urls: list[Entry[schema.UrlShape]] = field(default_factory=list)
    probes: list[Entry[schema.ProbeShape]] = field(default_factory=list)
    packs: list[Entry[list[str]]] = field(default_factory=list)
    windows: list[Entry[schema.WindowShape]] = field(default_factory=list)
    defaults: list[Entry[schema.Defaults]] = field(default_factory=list)
    heartbeats: list[Entry[schema.HeartbeatShape]] = field(default_factory=list)
    rules: list[Entry[schema.RuleShape]] = field(default_factory=list)
    spoiled: dict[str, set[str]] = field(default_factory=dict)
    matchers: dict[int, tuple[Matcher, ...]] = field(default_factory=dict)
    conditions: dict[tuple[int, int], tuple[Matcher, ...]] = field(default_factory=dict)
    specs: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = True
    revision: str = ""
    profiles: Mapping[int, Profile] | None = None
    analysis: RuleAnalysis | None = None
    _by_file: dict[str, schema.Defaults] = field(default_factory=dict)
    _packs: dict[str, list[str]] = field(default_factory=dict)

    def channel_names(self, around: RuleReferences) -> set[str]:
        """The names that rules may use: those of the settings and those of the files."""
        return {*around.channels, *self.names("channels")}

    def pager_names(self, around: RuleReferences) -> set[str]:
        """Those of them that page."""
        kinds = {entry.name: around.channel_kinds.get(entry.value.kind) for entry in self.channels}
        return {*around.pagers, *(name for name, kind in kinds.items() if kind is None or kind.pages)}

    @property
    def paging_rules(self) -> list[Entry[schema.RuleShape]]:
        """All that leads to a page: the rules, and the absence of each heartbeat as the rule that it meets."""
        worst = self.severities[0].name if self.severities else ""
        return [
            *self.rules,
            *(
                Entry(f"heartbeat-{entry.name}", entry.value.as_rule(worst), entry.document, entry.path)
                for entry in self.heartbeats
            ),
        ]

    def names(self, section: str) -> set[str]:
        """The names a section defines, those of entries with problems among them."""
        entries: list[Entry[object]] = getattr(self, section)
        return {entry.name for entry in entries} | self.spoiled.get(section, set())

    def defaults_of(self, file: str) -> schema.Defaults:
        """What the rules of a file share."""
        if len(self._by_file) != len(self.defaults):
            self._by_file = {entry.document.name: entry.value for entry in self.defaults}
        return self._by_file[file]

    def rules_and_defaults(self) -> list[Entry[schema.RuleShape] | Entry[schema.Defaults]]:
        """All that leads to a page, and what the rules of a file share: some keys may stand in either."""
        return [*self.paging_rules, *self.defaults]

    def pack_lists(self) -> Mapping[str, list[str]]:
        """The probes of each pack."""
        if len(self._packs) != len(self.packs):
            self._packs = {entry.name: entry.value for entry in self.packs}
        return self._packs

    def add(self, document: Document, shaped: ValidatedFile) -> None:
        """One file more."""
        file = shaped.file
        self.documents = (*self.documents, document)
        if file.platform is not None:
            self.platforms.append(Entry("", file.platform, document, ("platform",)))
        self.channels.extend(_named(document, "channels", file.channels))
        self.teams.extend(_named(document, "teams", file.teams))
        self.severities.extend(_named(document, "severities", file.severities))
        self.severity_words.extend(_named(document, "severity_words", file.severity_words))
        self.services.extend(_named(document, "services", file.services))
        self.probes.extend(_named(document, "probes", file.probes))
        self.packs.extend(_named(document, "packs", file.packs))
        self.windows.extend(_named(document, "windows", file.windows))
        self.contacts.extend(_numbered(document, "contacts", file.contacts, shaped))
        self.escalation.extend(_numbered(document, "escalation", file.escalation, shaped))
        self.urls.extend(_numbered(document, "urls", file.urls, shaped))
        self.heartbeats.extend(_numbered(document, "heartbeats", file.heartbeats, shaped))
        self.rules.extend(_numbered(document, "rules", file.rules, shaped))
        self.defaults.append(Entry("", file.defaults, document, ("defaults",)))
        for path in shaped.dropped:
            self._spoil(path, document)

    def _spoil(self, path: Path, document: Document) -> None:
        if len(path) != 2:
            self.spoiled.setdefault("parts", set()).add(str(path[0]) if path else "")
            return
        section, key = str(path[0]), path[1]
        names = self.spoiled.setdefault(section, set())
        if isinstance(key, str):
            names.add(key)
        else:
            part = document.data[section][key]
            named = part if isinstance(part, dict) else {}
            names.add(str(named.get("id", named.get("role", named.get("cluster", "")))))


def _named(document: Document, section: str, parts: Mapping[str, Part]) -> Iterator[Entry[Part]]:
    return (Entry(name, part, document, (section, name)) for name, part in parts.items())


def _numbered(document: Document, section: str, parts: list[Part], shaped: ValidatedFile) -> Iterator[Entry[Part]]:
    """The entries of a list under the numbers they have in the file, in spite of those left out."""
    if not parts:
        return
    total = len(document.data[section])
    kept = [number for number in range(total) if (section, number) not in shaped.dropped]
    for number, part in zip(kept, parts, strict=True):
        yield Entry(_name(part), part, document, (section, number))


def _name(part: object) -> str:
    if isinstance(part, schema.RuleShape):
        return part.id
    if isinstance(part, schema.HeartbeatShape):
        return part.cluster
    return part.role if isinstance(part, ContactShape) else ""


Check = Callable[[RuleFiles, RuleReferences], Iterator[Problem]]
