"""Run test cases against changed rules: a change that no case notices is a decision that no case tests."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

import click

from responder.cli.rules.case_run import FIELDS, CaseResult, run_case
from responder.cli.rules.trace import trace
from responder.cli.samples import of_labels
from responder.engine.effects.context import DecisionContext
from responder.model.alert import Alert, Labels
from responder.model.rule import ANNOTATION, Adjustment, Rule, RuleBook
from responder.model.text import one_line
from responder.rulebook.analysis import regular_language as lang
from responder.rulebook.analysis.constraints import profile
from responder.rulebook.cases import FIXED_NOW
from responder.rulebook.mutations import Mutation
from responder.runbooks.catalog import Runbooks
from responder.triage.decide import severity_of
from responder.triage.matchers import predicate
from responder.triage.rule_index import RuleIndex

#: Sets of labels tried for an alert that a change concerns.
_TRIES: Final = 60
#: Alerts decided before and after a change, to find out if it changes anything.
_DECIDED: Final = 6
#: A night between Saturday and Sunday, when most paging windows are closed.
_NIGHT: Final = datetime.fromisoformat("2026-03-01T02:00:00+00:00")
#: Field of ``expect`` that a change of each kind makes fail, so that cases with it are tried first.
_TELLING: Final = {"severity": "severity", "runbook": "runbook", "probe": "probes", "channel": "route", "team": "route"}
#: Fields of ``expect`` that follow from others, or are texts.
_NO_DECISION: Final = frozenset({"probes_include", "slack_not_contains", "title", "note"})
#: Label in a query or address of a probe.
_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)\}")

_Wanted = Mapping[str, lang.Language]


@dataclass(frozen=True, slots=True)
class Unnoticed:
    """Change that no case notices, with the labels of an alert that it decides differently; empty if none was found."""

    mutation: Mutation
    labels: Labels


@dataclass(frozen=True, slots=True)
class MutationReport:
    """Result. ``unchanged`` are changes that decide no alert differently, ``untried`` those left out of time."""

    noticed: int
    unnoticed: tuple[Unnoticed, ...]
    unchanged: int
    untried: int

    @property
    def share(self) -> float:
        """Share of the changes of a decision that a case notices, in percent; 100 if there are none."""
        total = self.noticed + len(self.unnoticed)
        return 100.0 * self.noticed / total if total else 100.0


def try_all(
    mutations: Sequence[Mutation],
    results: Sequence[CaseResult],
    context: DecisionContext,
    runbooks: Runbooks,
    goes_on: Callable[[int], bool],
) -> MutationReport:
    """Try each change, until ``goes_on`` returns False for the number of changes tried. ``results`` are the cases."""
    tester = _Tester(results, context, runbooks)
    noticed = unchanged = 0
    unnoticed: list[Unnoticed] = []
    for number, mutation in enumerate(mutations):
        if not goes_on(number):
            return MutationReport(noticed, tuple(unnoticed), unchanged, len(mutations) - number)
        changed = _with_rules(context, mutation.rules)
        if tester.notices(mutation, changed):
            noticed += 1
        elif (labels := tester.example(mutation, changed)) is not None:
            unnoticed.append(Unnoticed(mutation, labels))
        else:
            unchanged += 1
    return MutationReport(noticed, tuple(unnoticed), unchanged, 0)


def _with_rules(context: DecisionContext, rules: tuple[Rule, ...]) -> DecisionContext:
    gathers = any(rule.gather for rule in rules if not rule.shadow)
    return replace(
        context, book=replace(context.book, rules=rules, gathers=gathers), matching=RuleIndex(rules, remembered=1000)
    )


class _Tester:
    def __init__(self, results: Sequence[CaseResult], context: DecisionContext, runbooks: Runbooks) -> None:
        self.context = context
        self.runbooks = runbooks
        good = [each for each in results if each.verdict == "ok"]
        self.cases = [(each.case, _alerts(each)) for each in good]
        self.profiles = {rule.id: profile(rule.matchers, predicate) for rule in context.book.rules}
        names = {name for rule in context.book.rules for name in rule.gather}
        names |= {name for probe in context.book.probes.values() for name in _PLACEHOLDER.findall(repr(probe.spec))}
        self.usual = {**dict.fromkeys(sorted(names - {"service"}), "example"), "namespace": context.book.namespace}

    def notices(self, mutation: Mutation, changed: DecisionContext) -> bool:
        """Return True if a case fails with the changed rules, among those with an alert that the change concerns."""
        telling = _TELLING.get(mutation.kind, "rule")
        concerned = [
            case
            for case, alerts in self.cases
            if any(
                self.concerns(mutation, each, changed) and self.differs(self.context.matching.labels_of(each), changed)
                for each in alerts
            )
        ]
        concerned.sort(key=lambda case: telling not in case.expect)
        return any(not run_case(case, changed, self.runbooks, explain=False).passed for case in concerned)

    def concerns(self, mutation: Mutation, alert: Alert, changed: DecisionContext) -> bool:
        """Return False if the change certainly does not matter for an alert. Saves time only."""
        rule = self.context.matching.first(self.context.matching.labels_of(alert))
        if mutation.kind == "matcher":  # the rule may decide further alerts
            return True
        if not any(rule is each for each in mutation.about):
            return False
        other = changed.matching.first(changed.matching.labels_of(alert))
        book = self.context.book
        return mutation.kind != "severity" or severity_of(rule, alert, book) != severity_of(other, alert, book)

    def differs(self, labels: Labels, changed: DecisionContext) -> bool:
        before, after = self.context.matching, changed.matching
        rule = before.first(labels)
        return rule is not after.first(labels) or before.shadow(labels, rule) is not after.shadow(labels, rule)

    def example(self, mutation: Mutation, changed: DecisionContext) -> Labels | None:
        """Return the labels of an alert that is decided differently; None if none is found."""
        service = next(iter(self.context.book.services), "")
        for labels in islice(self.concerned(mutation, changed), _DECIDED):
            for more in ({}, {"service": service}, {"service": service, **self.usual}, self.usual):
                about = {name: value for name, value in {**more, **labels}.items() if value}
                if self.changes(about, mutation, changed):
                    return self.smallest(about, mutation, changed) if len(more) > 1 else about
        return None

    def smallest(self, labels: Labels, mutation: Mutation, changed: DecisionContext) -> Labels:
        """Return the labels without those that the change does not depend on."""
        for name in self.usual:
            fewer = {key: value for key, value in labels.items() if key != name}
            labels = fewer if self.changes(fewer, mutation, changed) else labels
        return labels

    def changes(self, labels: Labels, mutation: Mutation, changed: DecisionContext) -> bool:
        if not self.differs(labels, changed):
            return False
        entry = _removed(mutation, changed.book)
        findings = {each.probe: each.words[0] for each in entry.findings} if entry else {}
        count = max(1, entry.firing) if entry else 1
        members = [{**labels, "example": str(number)} if count > 1 else labels for number in range(count)]
        for now in (FIXED_NOW, _NIGHT) if mutation.kind in {"pages_in", "adjust"} else (FIXED_NOW,):
            one, other = (self.decided(members, now, findings, each) for each in (self.context, changed))
            if one is not None and other is not None and one != other:
                return True
        return False

    def decided(
        self, members: Sequence[Labels], now: datetime, findings: Mapping[str, str], context: DecisionContext
    ) -> dict[str, Any] | None:
        annotations = {
            name.removeprefix(ANNOTATION): value for name, value in members[0].items() if name.startswith(ANNOTATION)
        }
        labels = [{name: value for name, value in each.items() if not name.startswith(ANNOTATION)} for each in members]
        found = trace(of_labels(labels, annotations, now), context, self.runbooks, now, findings, explain=False)
        if found.decision is None:
            return None
        return {name: read(found) for name, read in FIELDS.items() if name not in _NO_DECISION}

    def concerned(self, mutation: Mutation, changed: DecisionContext) -> Iterator[Labels]:
        """Yield the labels of alerts that another rule decides after the change."""
        queue = list(self.starts(mutation, changed.book))
        for _ in range(_TRIES):
            if not queue:
                return
            wanted = queue.pop()
            labels = self.labels(wanted)
            if labels is None:
                continue
            if self.differs(labels, changed):
                yield labels
            taken = self.context.matching.first(labels)
            for name, constraint in self.profiles[taken.id].items():
                if constraint.language is not None:
                    queue.append(_narrowed(wanted, {name: lang.complement(constraint.language)}))

    def labels(self, wanted: _Wanted) -> Labels | None:
        """Return labels that satisfy ``wanted``, empty for missing ones; None if there are none, or none are found."""
        try:
            found = {name: lang.sample(language) for name, language in wanted.items()}
        except lang.TooHardError:
            return None
        known = {name: value for name, value in found.items() if value is not None}
        return known if len(known) == len(found) else None

    def starts(self, mutation: Mutation, after: RuleBook) -> Iterator[_Wanted]:
        """Yield constraints on the labels of alerts that the change may concern, the most promising last."""
        if mutation.kind == "order":
            upper, lower = (_languages(self.profiles[rule.id]) for rule in mutation.about)
            yield _narrowed(upper, lower)
            return
        new = {rule.id: rule for rule in after.rules}
        for rule in mutation.about[:3]:
            before, other = _languages(self.profiles[rule.id]), new[rule.id]
            if rule.matchers != other.matchers:
                yield from _differences(before, _languages(profile(other.matchers, predicate)))
                continue
            entry = _removed(mutation, after)
            if entry:
                before = _narrowed(before, _languages(profile(entry.matchers, predicate)))
            words = list(_words(rule, other, mutation.kind))
            for _case, alerts in self.cases:
                for alert in (
                    each
                    for each in alerts[:1]
                    if self.context.matching.first(self.context.matching.labels_of(each)) is rule
                ):
                    fixed = {name: lang.LiteralText(value) for name, value in alert.labels.items()}
                    yield from ({**fixed, name: lang.LiteralText(word)} for name, word in words)
            yield from (_narrowed(before, {name: lang.LiteralText(word)}) for name, word in words)
            if not words or mutation.kind != "severity":
                yield before


def _alerts(result: CaseResult) -> list[Alert]:
    return [match.alert for each in result.traces if each.decision for match in each.decision.matches]


def _languages(found: Mapping[str, Any]) -> _Wanted:
    return {name: each.language or lang.EVERYTHING for name, each in found.items()}


def _narrowed(wanted: _Wanted, more: _Wanted) -> _Wanted:
    return {**wanted, **{name: lang.intersection((wanted.get(name, lang.EVERYTHING), more[name])) for name in more}}


def _differences(before: _Wanted, after: _Wanted) -> Iterator[_Wanted]:
    """Yield what one set of matchers accepts and the other does not, for each label."""
    for one, other in ((after, before), (before, after)):
        for name, language in other.items():
            yield _narrowed(one, {name: lang.complement(language)})


def _words(rule: Rule, other: Rule, kind: str) -> Iterator[tuple[str, str]]:
    """Yield labels, each with a value that the change may concern: words for the severity, and values for the team."""
    for one, two in zip(rule.teams, other.teams, strict=False):
        yield from ((one.names[0], value) for value in one.mapping if one.mapping[value] != two.mapping.get(value))
    severity, changed = rule.severity, other.severity
    if isinstance(severity, str) or isinstance(changed, str):
        return
    name, known = severity.names[0], severity.mapping
    if kind in {"adjust", "pages_in"}:
        yield from ((name, word) for word in {known[word]: word for word in known}.values())
    yield from ((name, word) for word in known if known[word] != changed.mapping.get(word))
    if severity.unknown != changed.unknown:
        yield name, "no-such-word"
    if severity.otherwise != changed.otherwise:
        yield name, ""


def _removed(mutation: Mutation, after: RuleBook) -> Adjustment | None:
    """Return the entry of ``adjust`` that a change removes."""
    if mutation.kind != "adjust":
        return None
    [rule] = mutation.about
    left = next(each for each in after.rules if each.id == rule.id).adjust
    at = next((number for number, each in enumerate(left) if each is not rule.adjust[number]), len(left))
    return rule.adjust[at]


def as_json(found: MutationReport, minimum: float) -> dict[str, Any]:
    """Return the JSON output. Scripts rely on its keys: add, never rename."""
    return {
        "noticed": found.noticed,
        "unchanged": found.unchanged,
        "untried": found.untried,
        "share": round(found.share, 2),
        "minimum": minimum,
        "unnoticed": [
            {
                "kind": each.mutation.kind,
                "rule": each.mutation.rule,
                "change": each.mutation.change,
                "file": each.mutation.position.path,
                "line": each.mutation.position.line,
                "column": each.mutation.position.column,
                "alert": each.labels,
            }
            for each in found.unnoticed
        ],
    }


def lines(found: MutationReport, minimum: float) -> Iterator[str]:
    """Yield each change that no case notices, with an alert to write a case for, and the totals."""
    if found.unnoticed:
        yield click.style("changes of the rules that no case notices", bold=True)
    for each in found.unnoticed:
        mutation = each.mutation
        labels = ", ".join(f"{name}: {json.dumps(value)}" for name, value in sorted(each.labels.items()))
        change = f"{mutation.position}: {mutation.rule}, {mutation.kind}: {mutation.change}"
        yield one_line(f"  {change}; write a case with alert: {{{labels}}}")
    total = found.noticed + len(found.unnoticed)
    rest = f"; {found.unchanged} without effect" if found.unchanged else ""
    yield f"mutations: {found.noticed} of {total} noticed ({found.share:.1f} %, minimum {minimum:g} %){rest}"
