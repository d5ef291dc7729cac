"""What a rule has once its file's defaults and the packs are filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from responder.model.problem import Position
from responder.rulebook.rule_files import Entry, RuleFiles
from responder.rulebook.schema import AdjustShape, Defaults, RuleShape
from responder.rulebook.yaml.builder import Path


def channels_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Sequence[str]:
    """The channels of a rule: its own, or its file's."""
    return _defaults(rule, rule_files).channels if rule.value.channels is None else rule.value.channels


def probes_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Iterator[tuple[str, Position]]:
    """The probes of a rule, its file's baseline among them, with the place to speak of each: in the rule, always."""
    packs = rule_files.pack_lists()
    for name, position in _listed(rule, _defaults(rule, rule_files)):
        for probe in packs.get(name, (name,)):
            yield probe, position


def probe_names(rule: Entry[RuleShape], rule_files: RuleFiles) -> tuple[str, ...]:
    """The same without the places, which cost more to find than the names."""
    return expanded(rule.value, _defaults(rule, rule_files), rule_files.pack_lists())


def expanded(rule: RuleShape, defaults: Defaults, packs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The names of a rule's probes, each once: its own or the default, those added, and the baseline."""
    own = defaults.probes if rule.probes is None else rule.probes
    names = (*own, *rule.more_probes, *defaults.baseline)
    return tuple(dict.fromkeys(probe for name in names for probe in packs.get(name, (name,))))


def windows_of(rule: Entry[RuleShape], rule_files: RuleFiles) -> Mapping[str, str]:
    """The window of each severity; those of the default where the rule names none."""
    own = rule.value.pages_in
    wanted = _defaults(rule, rule_files).pages_in if own is None else own
    if isinstance(wanted, str):
        return {entry.name: wanted for entry in rule_files.severities}
    return wanted or {}


def severities_of(rule: RuleShape, rule_files: RuleFiles) -> set[str]:
    """Every severity that a rule can give, by its conditions too."""
    if not rule.adjust:
        return base_of(rule)
    order = [entry.name for entry in rule_files.severities]
    found = base_of(rule)
    for findings in (False, True):
        entries = [entry for entry in rule.adjust if on_findings(entry) is findings]
        found |= {moved(entry, name, order) for entry in entries for name in found}
    return found


def base_of(rule: RuleShape) -> set[str]:
    """The severities that a rule gives before any condition changes them."""
    wanted = rule.severity
    if isinstance(wanted, str):
        return {wanted}
    return {*wanted.map.values(), wanted.unknown or wanted.otherwise, wanted.otherwise}


def condition_positions(rule: Entry[RuleShape]) -> Iterator[tuple[Position, str]]:
    """Each probe that a rule's conditions name, with its place, whether conditions stand in a list or one alone."""
    for number, adjust in enumerate(rule.value.adjust):
        for at, when in enumerate(adjust.when):
            alone: Path = ("adjust", number, "when", "probe")
            path = alone if rule.document.has((*rule.path, *alone)) else (*alone[:3], at, "probe")
            if when.probe is not None:
                yield rule.at(*path), when.probe


def on_findings(entry: AdjustShape) -> bool:
    """Whether a change waits for what a probe finds."""
    return any(when.probe is not None for when in entry.when)


def moved(entry: AdjustShape, severity: str, order: Sequence[str]) -> str:
    """The severity that a change makes of another one; the same where either is not among ``order``, worst first."""
    to = entry.raise_ if entry.raise_ is not None else entry.lower
    if severity not in order or (isinstance(to, str) and to not in order):
        return severity
    at, last = order.index(severity), len(order) - 1
    if entry.raise_ is not None:
        return order[min(at, order.index(to)) if isinstance(to, str) else max(0, at - (to or 0))]
    return order[max(at, order.index(to)) if isinstance(to, str) else min(last, at + (to or 0))]


def _listed(rule: Entry[RuleShape], defaults: Defaults) -> Iterator[tuple[str, Position]]:
    """Names of probes and packs, each with its place in the rule."""
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
