"""Which rule each alert of Prometheus meets: as a value, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from responder.model.alert import Alert
from responder.model.rule import Rule, RuleBook, Severity
from responder.model.text import one_line
from responder.rulebook.foreign import AlertRule
from responder.triage.decide import severity_of
from responder.triage.matching import Matching


@dataclass(frozen=True, slots=True)
class Row:
    """One alert, and what it would get."""

    alert: AlertRule
    rule: Rule
    severity: Severity

    @property
    def caught(self) -> bool:
        """Whether only the rule that matches everything takes it."""
        return not self.rule.matchers


@dataclass(frozen=True, slots=True)
class Mapped:
    """All alerts. ``problems`` are the files that could not be read, with why; ``sources`` counts the others."""

    rows: tuple[Row, ...]
    book: RuleBook
    sources: int
    problems: tuple[str, ...] = ()

    @property
    def idle(self) -> tuple[Rule, ...]:
        """The rules that no alert meets, but for the one that matches everything."""
        met = {row.rule.id for row in self.rows}
        return tuple(rule for rule in self.book.rules if rule.id not in met and rule.matchers)

    def by_rule(self) -> Iterator[tuple[Rule, tuple[Row, ...]]]:
        """Each rule with the alerts it takes, in the order of the rules."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.rule.id, []).append(row)
        return ((rule, tuple(found.get(rule.id, ()))) for rule in self.book.rules)


def mapped(
    alerts: Iterable[AlertRule], book: RuleBook, extra: Mapping[str, str], sources: int, problems: tuple[str, ...]
) -> Mapped:
    """What each alert would get; ``extra`` are labels it is thought to carry where it does not say so itself."""
    matching = Matching(book.rules)
    rows = []
    for alert in alerts:
        labels = {**extra, **alert.labels}
        rule = matching.first(labels)
        severity, _ = severity_of(rule, _firing(labels), book)
        rows.append(Row(alert, rule, severity))
    return Mapped(tuple(rows), book, sources, problems)


def _firing(labels: Mapping[str, str]) -> Alert:
    return Alert(
        firing=True,
        labels=labels,
        annotations={},
        starts_at=datetime.fromtimestamp(0, UTC),
        ends_at=None,
        generator_url="",
        fingerprint="",
    )


def summary(found: Mapped) -> dict[str, Any]:
    """The numbers. ``matched`` and ``caught`` make up ``alerts``, and so do those of ``severities`` and ``rules``."""
    caught = sum(row.caught for row in found.rows)
    hours = [row.alert.hours for row in found.rows if row.alert.hours is not None]
    numbers: dict[str, Any] = {
        "sources": found.sources,
        "alerts": len(found.rows),
        "matched": len(found.rows) - caught,
        "caught": caught,
        "paging": sum(row.severity.pages for row in found.rows),
        "severities": dict(zip(found.book.severities, _severities(found), strict=True)),
        "rules": {rule.id: len(rows) for rule, rows in found.by_rule()},
        "idle": [rule.id for rule in found.idle],
        "without_runbook_url": sum("runbook_url" not in row.alert.annotations for row in found.rows),
    }
    if hours:
        numbers["hours"] = round(sum(hours), 1)
        numbers["hours_caught"] = round(sum(row.alert.hours or 0.0 for row in found.rows if row.caught), 1)
    return numbers


def _severities(found: Mapped) -> list[int]:
    counted = Counter(row.severity.name for row in found.rows)
    return [counted[name] for name in found.book.severities]


def as_json(found: Mapped) -> dict[str, Any]:
    """For scripts. Its keys are relied upon: add, never rename."""
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
                "pages": row.severity.pages,
                "runbook": str(row.rule.runbook) if row.rule.runbook else None,
                "runbook_url": row.alert.annotations.get("runbook_url"),
                "catch_all": row.caught,
                "hours": row.alert.hours,
            }
            for row in found.rows
        ],
        "problems": list(found.problems),
    }


def lines(found: Mapped, *, everything: bool) -> Iterator[str]:
    """The alerts by rule, those that fall to the catch-all, the rules that meet none, and the numbers."""
    for rule, rows in found.by_rule():
        if rows and (rule.matchers or everything):
            yield click.style(f"{rule.id}  {len(rows)}  {rule.runbook or ''}".rstrip(), bold=True)
            yield from map(_line, _sorted(rows))
    caught = [row for row in found.rows if row.caught]
    if caught and not everything:
        yield click.style(f"{caught[0].rule.id}  {len(caught)}  (--all lists them)", bold=True)
        sources = Counter(row.alert.source for row in caught)
        yield from (f"  {count:>5}  {one_line(source)}" for source, count in sources.most_common())
    if found.idle:
        yield click.style("rules that meet none of these alerts", bold=True)
        yield from (f"  {rule.id}  ({rule.place})" for rule in found.idle)
    yield from (click.style(one_line(f"not read: {problem}"), fg="red") for problem in found.problems)
    yield from _numbers(summary(found))


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-(row.alert.hours or 0.0), row.alert.name, row.severity.rank))


def _line(row: Row) -> str:
    hours = f"{row.alert.hours:>8.1f} h" if row.alert.hours is not None else ""
    label = row.alert.labels.get("severity", "")
    where = f"{row.alert.source}:{row.alert.line}" if row.alert.line else row.alert.source
    return one_line(f"{row.severity.name}").rjust(4) + f"{hours}  {one_line(row.alert.name):<48} {label:<9} {where}"


def _numbers(numbers: Mapping[str, Any]) -> Iterator[str]:
    alerts = numbers["alerts"]
    share = f" ({100 * numbers['matched'] / alerts:.0f} %)" if alerts else ""
    severities = ", ".join(f"{count} {name}" for name, count in numbers["severities"].items())
    used = sum(count > 0 for count in numbers["rules"].values())
    yield ""
    whose = f"{numbers['matched']} meet a rule of their own{share}, {numbers['caught']} fall to the catch-all"
    yield f"{alerts} alerts of {numbers['sources']} sources: {whose}"
    yield f"severities: {severities}; {numbers['paging']} page"
    yield f"rules: {used} of {len(numbers['rules'])} meet an alert"
    if "hours" in numbers:
        yield f"fired lately: {numbers['hours']} h, {numbers['hours_caught']} h of them fell to the catch-all"
