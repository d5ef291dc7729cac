"""What a rule has once its file's defaults are filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from responder.model.problem import Place
from responder.rulebook.draft import Draft, Entry
from responder.rulebook.schema import Defaults, RuleShape


def channels_of(rule: Entry[RuleShape], draft: Draft) -> Sequence[str]:
    """The channels of a rule: its own, or its file's."""
    return _defaults(rule, draft).channels if rule.value.channels is None else rule.value.channels


def probes_of(rule: Entry[RuleShape], draft: Draft) -> Iterator[tuple[str, Place]]:
    """The probes of a rule, its file's baseline among them, with the place to speak of each: in the rule, always."""
    defaults = _defaults(rule, draft)
    for number, name in enumerate(rule.value.probes or ()):
        yield name, rule.at("probes", number)
    for name in (*(defaults.probes if rule.value.probes is None else ()), *defaults.baseline):
        yield name, rule.at("id")


def severities_of(rule: RuleShape) -> set[str]:
    """Every severity that a rule can give."""
    wanted = rule.severity
    return {wanted} if isinstance(wanted, str) else {*wanted.map.values(), wanted.otherwise}


def _defaults(rule: Entry[RuleShape], draft: Draft) -> Defaults:
    return draft.defaults_of(rule.document.name)
