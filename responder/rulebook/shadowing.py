"""Detection of rules, or of their label values, that rules above them shadow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from responder.rulebook.analysis import regular_language as lang
from responder.rulebook.analysis.constraints import (
    FREE,
    Constraint,
    Predicate,
    Profile,
    impossible,
    only,
    profile,
    within,
)
from responder.rulebook.rule_files import RuleAnalysis, RuleFiles, RuleReferences, Shadowing

#: Pairs of rules that are compared; the rest is reported as skipped.
PAIRS: Final = 300_000


def profiles(rule_files: RuleFiles, around: RuleReferences) -> Mapping[int, Profile]:
    """Return the label constraints of each rule with valid matchers, by rule number."""
    if rule_files.profiles is None:
        rule_files.profiles = {number: profile(each, around.predicate) for number, each in rule_files.matchers.items()}
    return rule_files.profiles


def analyzed(rule_files: RuleFiles, around: RuleReferences) -> RuleAnalysis:
    """Return the rules that are certainly shadowed by rules above them, at least partly, or can never match.

    Rules without matchers are left to the check ``after-catch-all``. Rules in shadow shadow no other rule.
    """
    if rule_files.analysis is None:
        asking = {number: each for number, each in profiles(rule_files, around).items() if each}
        shadows = frozenset(number for number in asking if not rule_files.rules[number].value.enabled)
        rule_files.analysis = _Search(asking, around.predicate, around.out_of_time, shadows).run()
    return rule_files.analysis


@dataclass(slots=True)
class _Search:
    profiles: dict[int, Profile]
    predicate: Predicate
    out_of_time: Callable[[], bool]
    shadows: frozenset[int]
    listed: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    loose: dict[str, dict[str, list[tuple[str, int]]]] = field(default_factory=dict)
    left: int = PAIRS
    crowd: dict[tuple[str, str], int] = field(default_factory=dict)
    samples: dict[lang.Language, str] = field(default_factory=dict)

    def run(self) -> RuleAnalysis:
        for rule in self.profiles.values():
            for name, constraint in rule.items():
                for value in constraint.values or ():
                    self.crowd[name, value] = self.crowd.get((name, value), 0) + 1
        shadowings: list[Shadowing] = []
        never: list[tuple[int, str]] = []
        skipped: list[int] = []
        for number in sorted(self.profiles):
            rule = self.profiles[number]
            impossible_labels = [name for name, each in rule.items() if not self._is_over_limit() and impossible(each)]
            never += ((number, name) for name in impossible_labels)
            if impossible_labels:
                continue
            if not self._is_over_limit() and (found := self._judge(number, rule)):
                shadowings.append(found)
            elif self._is_over_limit():
                skipped.append(number)
            if number not in self.shadows:
                self._enter(number, rule)
        return RuleAnalysis(tuple(shadowings), tuple(never), tuple(skipped))

    def _is_over_limit(self) -> bool:
        return self.left < 0 or self.out_of_time()

    def _judge(self, number: int, rule: Profile) -> Shadowing | None:
        if self._alone(rule):
            return None
        label, constraint = max(rule.items(), key=lambda item: len(item[1].values or ()))
        if constraint.values is None:
            by = self._shadowing_rule(rule)
            return Shadowing(number, "", {"": by}, whole=True) if by is not None else None
        taken: dict[str, int] = {}
        for value in sorted(constraint.values):
            if (by := self._shadowing_rule({**rule, label: only(value)})) is not None:
                taken[value] = by
        return Shadowing(number, label, taken, len(taken) == len(constraint.values)) if taken else None

    def _alone(self, rule: Profile) -> bool:
        """True if no indexed rule above shares a label value with this one."""
        named = ((name, value) for name, constraint in rule.items() for value in constraint.values or ())
        return not self.loose and self.listed.keys().isdisjoint(named)

    def _shadowing_rule(self, rule: Profile) -> int | None:
        """Return the first rule above that matches whenever this one does."""
        return next((number for number in self._candidates(rule) if self._contains(number, rule)), None)

    def _candidates(self, rule: Profile) -> list[int]:
        found: list[int] = []
        for name, constraint in rule.items():
            if constraint.values:
                value = min(constraint.values, key=lambda each: (self.crowd.get((name, each), 0), each))
                found += self.listed.get((name, value), ())
        for name, prefixes in self.loose.items():
            witness = self._sample(rule.get(name, FREE))
            for length in range(len(witness) + 1):
                near = prefixes.get(witness[:length], ())
                found += [number for needle, number in near if needle in witness]
        return sorted(found)

    def _contains(self, number: int, rule: Profile) -> bool:
        self.left -= 1
        if self._is_over_limit():
            return False
        larger = self.profiles[number]
        pairs = [(rule.get(name, FREE), constraint) for name, constraint in larger.items()]
        likely = all(constraint.accepts(self._sample(mine), self.predicate) for mine, constraint in pairs)
        return likely and all(within(mine, constraint, self.predicate) for mine, constraint in pairs)

    def _enter(self, number: int, rule: Profile) -> None:
        """Index the rule by the values or prefixes by which later rules look it up."""
        listed = {name: constraint.values for name, constraint in rule.items() if constraint.values is not None}
        if listed:
            name = min(listed, key=lambda each: sum(self.crowd[each, value] for value in listed[each]))
            for value in listed[name]:
                self.listed.setdefault((name, value), []).append(number)
            return
        texts = {name: _texts(constraint) for name, constraint in rule.items()}
        name = max(texts, key=lambda each: tuple(map(len, texts[each])))
        prefix, needle = texts[name]
        self.loose.setdefault(name, {}).setdefault(prefix, []).append((needle, number))

    def _sample(self, constraint: Constraint) -> str:
        """Return a value that satisfies the constraint; "" if none is found."""
        if constraint.values is not None:
            return min(constraint.values)
        language = constraint.language
        if language is None:
            return ""
        if language not in self.samples:
            if self._is_over_limit():
                return ""
            try:
                self.samples[language] = lang.sample(language) or ""
            except lang.TooHardError:
                self.samples[language] = ""
        return self.samples[language]


def _texts(constraint: Constraint) -> tuple[str, str]:
    """Return a literal prefix and a literal substring of all values that satisfy the constraint; "" if unknown."""
    match constraint.language:
        case lang.LiteralText(text):
            return text, text
        case lang.Concat(parts):
            found = [part.text for part in parts if isinstance(part, lang.LiteralText)]
            return parts[0].text if isinstance(parts[0], lang.LiteralText) else "", max(found, key=len, default="")
    return "", ""
