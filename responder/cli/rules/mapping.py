"""Mapping of Prometheus alerts to rules, as a value and as JSON."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from responder.cli.rules.links import LinkStatus, Verdict, count_by_state
from responder.cli.rules.weight import NOTHING, FiringStats
from responder.model.alert import Alert
from responder.model.rule import Action, Rule, RuleBook, Severity, SeverityFrom
from responder.model.text import one_line
from responder.rulebook.prometheus_rules import AlertRule
from responder.triage.decide import severity_of, unknown_word
from responder.triage.rule_index import RuleIndex

_FAMILY: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_WORD: Final = re.compile(r"[\w-]+")
#: Word that no rule understands.
_STRANGE: Final = "a word of no map"


@dataclass(frozen=True, slots=True)
class AlertMapping:
    """Alert with its rule and severity. ``leads`` is the state of its own ``runbook_url``.

    ``weight`` is how often it fired; None without --prometheus. ``unknown_word`` is the severity word that the rule
    does not map, as ``label="word"``. ``template`` is the template of the severity label, whose worst result counts.
    ``runbook_url`` is the alert's own runbook, by the first of the names that pages use.
    """

    alert: AlertRule
    rule: Rule
    severity: Severity
    leads: Verdict
    weight: FiringStats | None = None
    unknown_word: str = ""
    template: str = ""
    runbook_url: str = ""

    @property
    def family(self) -> str:
        """First word of the alert's name: Kafka for KafkaConsumerLag."""
        found = _FAMILY.match(self.alert.name)
        return found[0] if found else self.alert.name

    @property
    def caught(self) -> bool:
        """True if only the catch-all rule matches."""
        return not self.rule.matchers

    @property
    def pages(self) -> bool:
        """True if the alert may page; a rule that only records does not."""
        return self.severity.pages and self.rule.action is Action.NOTIFY


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Mapping of all alerts. ``problems`` are the files that could not be read; ``sources`` counts the others.

    ``lately`` is the period of the weights, empty without weights; ``strange`` is the weight of alerts that fired but
    are not among the rows.
    """

    rows: tuple[AlertMapping, ...]
    book: RuleBook
    sources: int
    problems: tuple[str, ...] = ()
    lately: str = ""
    strange: FiringStats = NOTHING

    @property
    def idle(self) -> tuple[Rule, ...]:
        """Return rules that match no alert, except the catch-all and shadow rules."""
        met = {row.rule.id for row in self.rows}
        return tuple(rule for rule in self.book.rules if rule.id not in met and rule.matchers and not rule.shadow)

    def by_rule(self) -> Iterator[tuple[Rule, tuple[AlertMapping, ...]]]:
        """Return each rule with the alerts it decides, in rule order."""
        found: dict[str, list[AlertMapping]] = {}
        for row in self.rows:
            found.setdefault(row.rule.id, []).append(row)
        return ((rule, tuple(found.get(rule.id, ()))) for rule in self.book.rules)


def rows(
    alerts: Iterable[AlertRule], book: RuleBook, extra: Mapping[str, str], leads: Callable[[str | None], Verdict]
) -> tuple[AlertMapping, ...]:
    """Map each alert to its rule and severity; ``extra`` are labels added to alerts without them."""
    matching = RuleIndex(book.rules)
    given = [rule.severity for rule in book.rules if isinstance(rule.severity, SeverityFrom)]
    names, words = {name for each in given for name in each.names}, {word for each in given for word in each.mapping}
    found = []
    for alert in alerts:
        name = next((each for each in alert.templates if each in names), "")
        template = alert.templates.get(name, "")
        values = [{name: word} for word in _results(template, words)] if template else [{}]
        decided = [_decided({**extra, **alert.labels, **each}, alert, book, matching) for each in values]
        rule, severity, unknown = min(decided, key=lambda each: (each[0].action is not Action.NOTIFY, each[1].priority))
        url = next(filter(None, map(alert.annotations.get, book.link_annotations.runbook)), "")
        unmapped = "" if template else unknown
        found.append(
            AlertMapping(alert, rule, severity, leads(url), unknown_word=unmapped, template=template, runbook_url=url)
        )
    return tuple(found)


def _results(template: str, words: set[str]) -> list[str]:
    """Return the words for a severity that a template can give: those in it, or any if it has none."""
    return sorted({word.casefold() for word in _WORD.findall(template)} & words) or [*sorted(words), _STRANGE]


def _decided(
    labels: Mapping[str, str], alert: AlertRule, book: RuleBook, matching: RuleIndex
) -> tuple[Rule, Severity, str]:
    firing = _firing(labels, alert.annotations)
    rule = matching.first(matching.labels_of(firing))
    return rule, severity_of(rule, firing, book)[0], unknown_word(rule, firing)


def _firing(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Alert:
    return Alert(
        firing=True,
        labels=labels,
        annotations=annotations,
        starts_at=datetime.fromtimestamp(0, UTC),
        fingerprint="",
    )


def summary(found: CoverageReport) -> dict[str, Any]:
    """Return the totals. ``matched`` and ``caught`` add up to ``alerts``, as do ``severities`` and ``rules``."""
    caught = sum(row.caught for row in found.rows)
    numbers: dict[str, Any] = {
        "sources": found.sources,
        "alerts": len(found.rows),
        "matched": len(found.rows) - caught,
        "caught": caught,
        "paging": sum(row.pages for row in found.rows),
        "severities": dict(zip(found.book.severities, _severities(found), strict=True)),
        "unknown_words": dict(Counter(row.unknown_word for row in found.rows if row.unknown_word).most_common()),
        "dropped": sum(row.rule.action is Action.DROP for row in found.rows),
        "templated": sum(bool(row.template) for row in found.rows),
        "paging_caught": dict(Counter(row.family for row in found.rows if row.caught and row.pages).most_common()),
        "rules": {rule.id: len(rows) for rule, rows in found.by_rule()},
        "idle": [rule.id for rule in found.idle],
        "runbook_urls": count_by_state(row.leads for row in found.rows),
        "without_runbook_url": sum(row.leads[0] is LinkStatus.MISSING for row in found.rows),
    }
    if found.lately:
        for name, rows in (("", found.rows), ("_caught", [row for row in found.rows if row.caught])):
            weights = [row.weight for row in rows if row.weight]
            numbers[f"fired{name}"] = round(sum(weight.times for weight in weights))
            numbers[f"hours{name}"] = round(sum(weight.hours for weight in weights), 1)
        numbers |= {"fired_strange": round(found.strange.times), "hours_strange": round(found.strange.hours, 1)}
    return numbers


def _severities(found: CoverageReport) -> list[int]:
    counted = Counter(row.severity.name for row in found.rows)
    return [counted[name] for name in found.book.severities]


def as_json(found: CoverageReport) -> dict[str, Any]:
    """Return the JSON output. Scripts rely on its keys: add, never rename."""
    return {
        "summary": summary(found),
        "alerts": [
            {
                "alert": row.alert.name,
                "source": row.alert.source,
                "line": row.alert.line,
                "group": row.alert.group,
                "severity_label": row.alert.labels.get("severity"),
                "rule": row.rule.id,
                "severity": row.severity.name,
                "unknown_word": row.unknown_word or None,
                "severity_template": row.template or None,
                "pages": row.pages,
                "runbook": str(row.rule.runbook) if row.rule.runbook else None,
                "runbook_url": row.runbook_url or None,
                "runbook_url_leads": row.leads[0].value,
                "runbook_url_why": row.leads[1],
                "catch_all": row.caught,
                "action": row.rule.action.value,
                "drop_reason": row.rule.drop_reason or None,
                "fired": round(row.weight.times, 1) if row.weight else None,
                "hours": round(row.weight.hours, 3) if row.weight else None,
            }
            for row in found.rows
        ],
        "problems": list(found.problems),
    }


def where(row: AlertMapping) -> str:
    """Return the file and line of the alert's definition; its file and group if it comes from a live Prometheus."""
    source, line = one_line(row.alert.source), row.alert.line
    return f"{source}:{line}" if line else f"{source} ({one_line(row.alert.group)})" if row.alert.group else source
