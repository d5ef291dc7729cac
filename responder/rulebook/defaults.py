"""Effective values of a rule, with its file's defaults and packs expanded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from responder.model.problem import Position
from responder.model.team import TeamSource
from responder.rulebook.rule_files import Entry, RuleFiles
from responder.rulebook.rule_schema import AdjustShape, RuleShape, RunbookFromShape
from responder.rulebook.schema import Defaults
from responder.rulebook.team_schema import TeamFromShape
from responder.rulebook.yaml.builder import Path


@dataclass(frozen=True, slots=True)
class Destinations:
    """Destinations of a rule: the sources of its team, and its channels if none of them names a team.

    ``own`` is True for channels of the rule itself, which take precedence over a team. ``by`` is the source of the
    channels, for people.
    """

    channels: Sequence[str]
    by: str
    teams: tuple[TeamSource, ...] = ()
    own: bool = False

    @property
    def is_complete(self) -> bool:
        """True if each alert reaches a channel or a team."""
        return bool(self.channels) or (not self.own and any(source.team for source in self.teams))


def destinations_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Destinations:
    """Return the destinations of a rule: its own, its team's, the service owner's, the file's or the platform's."""
    shape, defaults = rule.value, _defaults(rule, rule_files)
    platform = rule_files.platforms[0].value if rule_files.platforms else None
    sources = []
    if shape.team is not None:
        sources.append(_source("the rule's team", shape.team))
    teams = {entry.name for entry in rule_files.teams}
    if any(entry.value.owner in teams for entry in rule_files.services):
        sources.append(TeamSource(by="the owner of the service", owner=True))
    channels, by = defaults.channels, "the file's default"
    if defaults.team is not None:
        sources.append(_source(by, defaults.team))
    if platform and not channels:
        channels, by = platform.channels, "the installation's default"
        if platform.team is not None:
            sources.append(_source(by, platform.team))
    if shape.channels is None:
        return Destinations(channels, by, tuple(sources))
    return Destinations(shape.channels, "the rule's channels", tuple(sources), own=True)


def team_channels(found: Destinations, rule_files: RuleFiles) -> tuple[str, ...]:
    """Return the channels of the teams that a rule may notify."""
    teams = {entry.name: entry.value.channels for entry in rule_files.teams}
    if found.own or not teams:
        return ()
    named: set[str] = set()
    for source in found.teams:
        named |= {source.team, *source.mapping.values(), *(teams if source.names else ())}
        named |= {entry.value.owner for entry in rule_files.services} if source.owner else set()
    return tuple(dict.fromkeys(each for name, of in teams.items() if name in named for each in of))


def _source(by: str, given: str | TeamFromShape) -> TeamSource:
    if isinstance(given, str):
        return TeamSource(by=by, team=given)
    return TeamSource(by=by, team=given.otherwise or "", names=tuple(given.from_), mapping=given.map)


def runbook_of(shape: RuleShape, defaults: Defaults, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the runbook of a rule ("" for none), and the annotations that take precedence over it.

    ``names`` are those of the alert's own runbook on this platform: they follow those of a rule that takes the runbook
    from the alert, and take precedence over a default.
    """
    if isinstance(shape.runbook, RunbookFromShape):
        own = tuple(dict.fromkeys((*shape.runbook.from_, *names)))
        return shape.runbook.otherwise or defaults.runbook or "", own
    return (shape.runbook, ()) if shape.runbook else (defaults.runbook or "", names if defaults.runbook else ())


def runbooks_of(shape: RuleShape, rule_files: RuleFiles) -> Mapping[str, str]:
    """Return the runbooks of a rule by the code of the conclusion: its own, then the platform's."""
    platform = rule_files.platforms[0].value.runbooks if rule_files.platforms else {}
    return {**platform, **shape.runbooks}


def probes_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Iterator[tuple[str, Position]]:
    """Yield the probes of a rule, including its file's baseline, each with its position in the rule."""
    packs = rule_files.pack_lists()
    for name, position in _listed(rule, _defaults(rule, rule_files)):
        for probe in packs.get(name, (name,)):
            yield probe, position


def probe_names(rule: Entry[RuleShape], rule_files: RuleFiles) -> tuple[str, ...]:
    """Return only the names of ``probes_of``, which is faster."""
    return expanded(rule.value, _defaults(rule, rule_files), rule_files.pack_lists())


def expanded(rule: RuleShape, defaults: Defaults, packs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the names of a rule's probes, each once: its own or the default, ``more_probes``, and the baseline."""
    own = defaults.probes if rule.probes is None else rule.probes
    names = (*own, *rule.more_probes, *defaults.baseline)
    return tuple(dict.fromkeys(probe for name in names for probe in packs.get(name, (name,))))


def windows_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Mapping[str, str]:
    """Return the paging window of each severity: the rule's, or the file's default."""
    own = rule.value.pages_in
    wanted = _defaults(rule, rule_files).pages_in if own is None else own
    if isinstance(wanted, str):
        return {entry.name: wanted for entry in rule_files.severities}
    return wanted or {}


def severities_of(rule: RuleShape, rule_files: RuleFiles) -> set[str]:
    """Return every severity that a rule can give, including by ``adjust``."""
    if not rule.adjust:
        return base_of(rule)
    order = [entry.name for entry in rule_files.severities]
    found = base_of(rule)
    for findings in (False, True):
        entries = [entry for entry in rule.adjust if on_findings(entry) is findings]
        found |= {shifted_severity(entry, name, order) for entry in entries for name in found}
    return found


def base_of(rule: RuleShape) -> set[str]:
    """Return the severities that a rule can give before ``adjust``."""
    wanted = rule.severity
    if isinstance(wanted, str):
        return {wanted}
    return {*wanted.map.values(), wanted.unknown or wanted.otherwise, wanted.otherwise}


def on_findings(entry: AdjustShape) -> bool:
    """True if an entry of ``adjust`` depends on findings."""
    return any(when.probe is not None for when in entry.when)


def shifted_severity(entry: AdjustShape, severity: str, order: Sequence[str]) -> str:
    """Return the severity after a change; unchanged if a name is not in ``order`` (worst first)."""
    to = entry.raise_ if entry.raise_ is not None else entry.lower
    if severity not in order or (isinstance(to, str) and to not in order):
        return severity
    at, last = order.index(severity), len(order) - 1
    if entry.raise_ is not None:
        return order[min(at, order.index(to)) if isinstance(to, str) else max(0, at - (to or 0))]
    return order[max(at, order.index(to)) if isinstance(to, str) else min(last, at + (to or 0))]


def _listed(rule: Entry[RuleShape], defaults: Defaults) -> Iterator[tuple[str, Position]]:
    """Yield the names of probes and packs, each with its position in the rule."""
    paths: tuple[tuple[str, Path], ...] = (
        *((name, ("probes", number)) for number, name in enumerate(rule.value.probes or ())),
        *((name, ("more_probes", number)) for number, name in enumerate(rule.value.more_probes)),
    )
    for name, path in paths:
        yield name, rule.at(*path)
    for name in (*(defaults.probes if rule.value.probes is None else ()), *defaults.baseline):
        yield name, rule.at("id")


def _defaults(rule: Entry[RuleShape], rule_files: RuleFiles) -> Defaults:
    return rule_files.defaults_of(rule.document.name)
