"""Changes of single values of rule files, each of which a test case should notice."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from responder.model.problem import Position
from responder.model.rule import Matcher, Op, Rule, RuleBook
from responder.rulebook.analysis.constraints import FREE, Predicate, Profile, profile, within
from responder.rulebook.assemble import rule_of, windows_by_name
from responder.rulebook.rule_files import Entry, RuleFiles
from responder.rulebook.rule_schema import RuleShape
from responder.rulebook.schema import Defaults

#: Tokens that may hold a ``|`` or a parenthesis without meaning one, and those that count.
_TOKENS: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?|[|)]",
    re.DOTALL,
)
_FLAGS: Final = re.compile(r"\A\(\?[a-zA-Z-]+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change. ``rules`` are all rules after it; ``about`` are the rules before it that it concerns.

    ``kind`` is severity, runbook, alternative, matcher, probe, channel, team, adjust, pages_in or order.
    """

    kind: str
    rule: str
    change: str
    position: Position
    about: tuple[Rule, ...]
    rules: tuple[Rule, ...]


def mutations(rule_files: RuleFiles, book: RuleBook, predicate: Predicate) -> Iterator[Mutation]:
    """Yield the changes of each rule that is not in shadow, of the files' defaults, and of the order of the rules."""
    maker = _MutationBuilder(rule_files, book)
    for number, rule in enumerate(book.rules):
        if not rule.shadow:
            yield from maker.of_rule(number)
    for entry in rule_files.defaults:
        yield from maker.of_defaults(entry)
    yield from maker.of_order(predicate)


def _without(values: Sequence[Any], number: int) -> list[Any]:
    return [*values[:number], *values[number + 1 :]]


class _MutationBuilder:
    def __init__(self, rule_files: RuleFiles, book: RuleBook) -> None:
        self.rule_files = rule_files
        self.book = book
        self.windows = windows_by_name(rule_files)
        self.runbooks = list(dict.fromkeys(str(rule.runbook) for rule in book.rules if rule.runbook))
        self.next_severity = _replacements(list(book.severities))
        self.next_team = _replacements(list(book.teams))
        self.next_runbook = _replacements([*self.runbooks, "another.md"])

    def of_rule(self, number: int) -> Iterator[Mutation]:
        entry, rule = self.rule_files.rules[number], self.book.rules[number]
        yield from self.of_matchers(number, entry)
        if rule.reaches:
            yield from self.of_source("severity", number, entry.value.severity, self.next_severity)
            yield from self.of_lists(number, entry)
            if entry.value.team is not None and len(self.next_team) > 1:
                yield from self.of_source("team", number, entry.value.team, self.next_team)
            if entry.value.pages_in:
                yield self.made("pages_in", number, "removed", entry.key("pages_in"), replace(rule, pages_in={}))
            for at in range(len(rule.adjust)):
                changed = replace(rule, adjust=tuple(_without(rule.adjust, at)))
                yield self.made("adjust", number, f"entry {at + 1} removed", entry.at("adjust", at), changed)
        if entry.value.runbook and rule.runbook:
            other = self.next_runbook[str(rule.runbook)]
            yield self.shaped("runbook", number, f"{rule.runbook} -> {other}", ("runbook",), {"runbook": other})

    def of_source(self, kind: str, number: int, source: Any, others: Mapping[str, str]) -> Iterator[Mutation]:
        """Yield the replacement of a name by another, or of each name to which the values of a label lead."""
        if isinstance(source, str):
            to = others[source]
            yield self.shaped(kind, number, f"{source} -> {to}", (kind,), {kind: to})
            return
        for word, name in source.map.items():
            changed = source.model_copy(update={"map": {**source.map, word: others[name]}})
            yield self.shaped(kind, number, f"{word}: {name} -> {others[name]}", (kind, "map", word), {kind: changed})
        for key in ("unknown", "otherwise"):
            if name := getattr(source, key, None):
                changed = source.model_copy(update={key: others[name]})
                yield self.shaped(kind, number, f"{key}: {name} -> {others[name]}", (kind, key), {kind: changed})

    def of_lists(self, number: int, entry: Entry[RuleShape]) -> Iterator[Mutation]:
        for kind, key in (("probe", "probes"), ("probe", "more_probes"), ("channel", "channels")):
            values = getattr(entry.value, key) or []
            for at, name in enumerate(values):
                yield self.shaped(kind, number, f"{name} removed", (key, at), {key: _without(values, at)})

    def of_matchers(self, number: int, entry: Entry[RuleShape]) -> Iterator[Mutation]:
        matchers = self.book.rules[number].matchers
        for at, matcher in enumerate(matchers):
            if len(matchers) > 1:
                yield self.matched("matcher", number, f"{matcher} removed", _without(matchers, at), entry)
            if matcher.op not in {Op.REGEX, Op.NOT_REGEX}:
                continue
            for alternative, left in without_one(matcher.value):
                changed = [*matchers[:at], Matcher(matcher.name, matcher.op, left), *matchers[at + 1 :]]
                kind = "alternative" if matcher.op is Op.REGEX else "matcher"  # which widens the rule
                yield self.matched(kind, number, f"{alternative} of {matcher.name} removed", changed, entry)

    def of_defaults(self, entry: Entry[Defaults]) -> Iterator[Mutation]:
        """Yield the changes of a file's defaults, which concern all its rules without a value of their own."""
        for kind, key in (("probe", "probes"), ("probe", "baseline"), ("channel", "channels")):
            values = getattr(entry.value, key)
            for at, name in enumerate(values):
                yield from self.defaulted(kind, entry, f"{name} removed from {key}", {key: _without(values, at)}, key)
        if isinstance(entry.value.team, str) and len(self.next_team) > 1:
            to = self.next_team[entry.value.team]
            yield from self.defaulted("team", entry, f"{entry.value.team} -> {to}", {"team": to}, "team")

    def of_order(self, predicate: Predicate) -> Iterator[Mutation]:
        """Yield each rule moved above a rule before it that matches the same alerts."""
        rules = self.book.rules
        found = [profile(rule.matchers, predicate) for rule in rules]
        for low, rule in enumerate(rules):
            for high in range(low) if rule.matchers and not rule.shadow else ():
                if rules[high].shadow or not _conflict(found[high], found[low], predicate):
                    continue
                moved = (*rules[:high], rule, *rules[high:low], *rules[low + 1 :])
                yield Mutation(
                    kind="order",
                    rule=rule.id,
                    change=f"moved above {rules[high].id}",
                    position=rule.position,
                    about=(rules[high], rule),
                    rules=moved,
                )

    def shaped(
        self, kind: str, number: int, change: str, path: tuple[str | int, ...], update: Mapping[str, Any]
    ) -> Mutation:
        entry = self.rule_files.rules[number]
        changed = replace(entry, value=entry.value.model_copy(update=dict(update)))
        rule = rule_of(number, changed, self.rule_files, self.windows)
        return self.made(kind, number, change, entry.at(*path), rule)

    def matched(
        self, kind: str, number: int, change: str, matchers: Sequence[Matcher], entry: Entry[RuleShape]
    ) -> Mutation:
        rule = replace(self.book.rules[number], matchers=tuple(matchers))
        return self.made(kind, number, change, entry.at("match"), rule)

    def made(self, kind: str, number: int, change: str, position: Position, rule: Rule) -> Mutation:
        rules = self.book.rules
        return Mutation(
            kind=kind,
            rule=rule.id,
            change=change,
            position=position,
            about=(rules[number],),
            rules=(*rules[:number], rule, *rules[number + 1 :]),
        )

    def defaulted(
        self, kind: str, entry: Entry[Defaults], change: str, update: Mapping[str, Any], key: str
    ) -> Iterator[Mutation]:
        value = entry.value.model_copy(update=dict(update))
        others = [replace(each, value=value) if each is entry else each for each in self.rule_files.defaults]
        files = replace(self.rule_files, defaults=others, _by_file={})
        rules = list(self.book.rules)
        for number, rule in enumerate(self.rule_files.rules):
            changed = rule_of(number, rule, files, self.windows) if rule.document is entry.document else rules[number]
            rules[number] = changed if changed != rules[number] else rules[number]
        about = tuple(old for old, new in zip(self.book.rules, rules, strict=True) if old is not new)
        if about:
            yield Mutation(
                kind=kind, rule="defaults", change=change, position=entry.at(key), about=about, rules=tuple(rules)
            )


def _replacements(names: Sequence[str]) -> dict[str, str]:
    """Return the name that replaces each name: the next one, for the last the one before it."""
    return dict(zip(names, [*names[1:], *names[-2:-1]], strict=False))


def _conflict(upper: Profile, lower: Profile, predicate: Predicate) -> bool:
    """Return True if both rules match a value that one of them lists, or if ``upper`` is a special case of ``lower``.

    Two patterns that only have contrived values in common have no order to test.
    """
    shared = upper.keys() & lower.keys()
    listed = False
    for name in shared:
        one, other = upper[name], lower[name]
        for values, constraint in ((one.values, other), (other.values, one)):
            if values is not None:
                if not any(constraint.accepts(value, predicate) for value in values):
                    return False
                listed = True
    return listed or all(within(upper.get(name, FREE), lower[name], predicate) for name in lower)


def without_one(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield each alternative of a valid RE2 pattern, in groups too, with the pattern that lacks it.

    Flags at the start of the pattern are no part of its first alternative.
    """
    flags = _FLAGS.match(pattern)
    open_groups: list[list[int]] = [[flags.end() if flags else 0]]
    found: list[tuple[int, list[int]]] = []
    for token in _TOKENS.finditer(pattern, open_groups[0][0]):
        if token[0] == "|":
            open_groups[-1].append(token.end())
        elif token[0] == ")" and len(open_groups) > 1:
            found.append((token.start(), open_groups.pop()))
        elif token[0].startswith("(") and not token[0].endswith(")"):
            open_groups.append([token.end()])
    found.append((len(pattern), open_groups.pop()))
    for end, starts in sorted(found, key=lambda each: each[1]):
        for start, after in zip(starts, [*starts[1:], end + 1], strict=True) if len(starts) > 1 else ():
            first = start if after <= end else start - 1  # the last takes the | before it
            yield pattern[start : after - 1], pattern[:first] + pattern[min(after, end) :]
