"""Mapping of Prometheus alerts to rules, as text, and rules to paste for alerts that only the catch-all matches."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from responder.cli.rules.links import LinkStatus
from responder.cli.rules.mapping import AlertMapping, CoverageReport, summary, where
from responder.cli.rules.weight import NOTHING
from responder.cli.stubs import listed, quoted, stub, unique_id
from responder.model.rule import Rule, SeverityFrom
from responder.model.text import number_of, one_line


def lines(found: CoverageReport, *, everything: bool) -> Iterator[str]:
    """Yield the alerts by rule, those of the catch-all, the rules without alerts, and the totals."""
    for rule, rows in found.by_rule():
        if rows and (rule.matchers or everything):
            after = f"dropped: {rule.drop_reason}" if rule.drop_reason else rule.runbook or ""
            yield click.style(f"{rule.id}  {len(rows)}  {after}".rstrip(), bold=True)
            yield from map(_line, _sorted(rows))
    caught = [row for row in found.rows if row.caught]
    families = Counter(row.family for row in caught if row.pages)
    if families:
        yield click.style("catch-all alerts that may page, by family (--stubs prints rules for them)", bold=True)
        yield from (f"  {count:>5}  {one_line(family)}" for family, count in families.most_common())
    if caught and not everything:
        yield click.style(f"{caught[0].rule.id}  {len(caught)}  (--all lists them)", bold=True)
        sources = Counter(row.alert.source for row in caught)
        yield from (f"  {count:>5}  {one_line(source)}" for source, count in sources.most_common())
    if found.idle and found.rows:
        yield click.style("rules matching no alert", bold=True)
        yield from _idle(found, everything=everything)
    yield from _unknown_words(found)
    yield from _templates(found)
    yield from _broken_links(found, everything=everything)
    yield from (click.style(one_line(f"not read: {problem}"), fg="red") for problem in found.problems)
    yield from _numbers(summary(found), found.lately)


def _sorted(rows: Iterable[AlertMapping]) -> list[AlertMapping]:
    return sorted(rows, key=lambda row: (-(row.weight or NOTHING).times, row.alert.name, row.severity.priority))


def _line(row: AlertMapping) -> str:
    often = f"{row.weight.times:>8.0f} x {row.weight.hours:>7.1f} h" if row.weight else ""
    label = row.alert.labels.get("severity", "")
    return f"{one_line(row.severity.name):>4}{often}  {one_line(row.alert.name):<48} {one_line(label):<9} {where(row)}"


def _idle(found: CoverageReport, *, everything: bool) -> Iterator[str]:
    """Each rule that matches no alert; a file in which none does is one line, unless everything is listed."""
    files = {rule.id: str(rule.position).split(":", 1)[0] for rule in found.book.rules}
    idle = Counter(files[rule.id] for rule in found.idle)
    sizes = Counter(files.values())
    whole = set() if everything else {file for file, count in idle.items() if count == sizes[file] > 1}
    yield from (f"  {rule.id}  ({rule.position})" for rule in found.idle if files[rule.id] not in whole)
    yield from (f"  all {idle[file]} of {file}  (--all lists them)" for file in idle if file in whole)


def _unknown_words(found: CoverageReport) -> Iterator[str]:
    """Each word for a severity that no map has, with how many alerts carry it and what they get."""
    words = Counter((row.unknown_word, row.rule.id, row.severity.name) for row in found.rows if row.unknown_word)
    if words:
        yield click.style(
            "words for the severity that no map has (add them to severity_words or to the rule)", bold=True
        )
    for (word, rule, severity), count in words.most_common():
        yield f"  {count:>5}  {word:<30} {severity} by the rule {rule}"


def _templates(found: CoverageReport) -> Iterator[str]:
    """Yield the alerts whose severity is only known when they fire, with the worst that it can be."""
    rows = [row for row in found.rows if row.template]
    if rows:
        yield click.style("severity decided when the alert fires (shown with the worst it can get)", bold=True)
    for row in rows:
        name, template = one_line(row.alert.name), one_line(row.template)
        pages = ", may page" if row.pages else ""
        yield f"  {name:<48} {one_line(row.severity.name)}{pages}, from {template[:80]}  {where(row)}"


def _broken_links(found: CoverageReport, *, everything: bool) -> Iterator[str]:
    """Yield alerts with a broken ``runbook_url``; those without one only if ``everything``."""
    wanted = {LinkStatus.NOWHERE, LinkStatus.MISSING} if everything else {LinkStatus.NOWHERE}
    lost = [row for row in found.rows if row.leads[0] in wanted]
    if lost:
        yield click.style("alerts with a broken runbook_url", bold=True)
    for row in lost:
        url = one_line(row.runbook_url)
        yield f"  {one_line(row.alert.name):<48} {url} ({row.leads[1]})  {where(row)}"


def _numbers(numbers: Mapping[str, Any], lately: str) -> Iterator[str]:
    alerts = numbers["alerts"]
    share = f" ({100 * numbers['matched'] / alerts:.0f} %)" if alerts else ""
    severities = ", ".join(f"{count} {name}" for name, count in numbers["severities"].items())
    used = sum(count > 0 for count in numbers["rules"].values())
    yield ""
    whose = f"{numbers['matched']} matched by a rule{share}, {numbers['caught']} by the catch-all only"
    yield f"{number_of(alerts, 'alert')} from {number_of(numbers['sources'], 'source')}: {whose}"
    dropped = f", {numbers['dropped']} dropped" if numbers["dropped"] else ""
    yield f"severities: {severities}; {numbers['paging']} may page{dropped}"
    yield f"rules: {used} of {len(numbers['rules'])} match an alert"
    urls = numbers["runbook_urls"]
    yield (
        f"runbook_url: {urls['ok']} ok, {urls['unchecked']} not checked, "
        f"{urls['nowhere']} broken, {urls['missing']} missing"
    )
    if lately:
        caught = f"of these {numbers['fired_caught']} times, {numbers['hours_caught']} h by the catch-all only"
        yield f"fired in {lately}: {numbers['fired']} times, {numbers['hours']} h; {caught}"
    if lately and numbers["fired_strange"]:
        yield f"other alerts: {numbers['fired_strange']} times, {numbers['hours_strange']} h"


def stubs(found: CoverageReport) -> Iterator[str]:
    """Yield the lines of a rule file. A rule has the severity of the catch-all; its texts are to be written."""
    families: dict[str, list[AlertMapping]] = {}
    for row in found.rows:
        if row.caught:
            families.setdefault(row.family, []).append(row)
    if not families:
        yield "# every alert matches a rule"
        return
    yield "# Stubs: replace the texts, remove what the catch-all may keep, and put the file before the catch-all."
    yield "rules:"
    taken = {rule.id for rule in found.book.rules}
    for family, rows in sorted(families.items(), key=lambda each: (-sum(row.pages for row in each[1]), each[0])):
        yield from _stub(unique_id(family, taken), rows)


def _stub(name: str, rows: list[AlertMapping]) -> Iterator[str]:
    rule, more = rows[0].rule, []
    if any(row.runbook_url for row in rows):
        more.append("# runbook: that of the alert")
    elif rule.runbook:
        more.append(f"runbook: {quoted(str(rule.runbook))}")
    if rule.own_channels and rule.channels:
        more.append(f"channels: {listed(rule.channels)}")
    summary = next((text for row in rows if (text := row.alert.annotations.get("summary", ""))), "")
    first_step = one_line("TODO: " + (summary or "write the first step"))[:300]
    return stub(name, (row.alert.name for row in rows), _severity(rule), first_step, *more)


def _severity(rule: Rule) -> str:
    severity = rule.severity
    if not isinstance(severity, SeverityFrom):
        return quoted(severity)
    words = ", ".join(f"{quoted(word)}: {quoted(name)}" for word, name in severity.written.items())
    rest = f"unknown: {quoted(severity.unknown)}, otherwise: {quoted(severity.otherwise)}"
    return f"{{from: {listed(severity.names)}, map: {{{words}}},\n      {rest}}}"
