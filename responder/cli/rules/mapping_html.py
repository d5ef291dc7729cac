"""Mapping of Prometheus alerts to rules, as a self-contained HTML page."""

from collections.abc import Iterable, Iterator
from html import escape

from responder.cli.rules.links import LinkStatus
from responder.cli.rules.mapping import AlertMapping, CoverageReport, summary, where
from responder.cli.rules.weight import NOTHING
from responder.model.rule import Rule
from responder.model.text import one_line

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bar: #1976d233;
  --bad: #c62828; --warn: #b26a00; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --bad: #ef9a9a; --warn: #ffcc80; --good: #a5d6a7; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 96rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { white-space: nowrap; }
thead th { position: sticky; top: 0; background: Canvas; }
td.n, th.n { text-align: right; }
td:nth-child(1) { min-width: 2rem; } td:nth-child(2) { min-width: 12rem; } td:nth-child(n+3) { min-width: 5rem; }
dl { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem; margin: 1rem 0 1.6rem; }
dt { opacity: .7; } dd { margin: 0; font-size: 1.6rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; }
summary { padding: .4rem .7rem; cursor: pointer;
  background: linear-gradient(90deg, var(--bar) var(--share), var(--soft) 0); }
summary small { opacity: .7; margin-left: .6rem; }
.bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); }
.view { display: none; }
input[name="view"] { position: absolute; opacity: 0; }
label.tab { display: inline-block; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 1rem;
  margin: 0 .3rem .8rem 0; cursor: pointer; }
input[name="view"]:focus-visible + label.tab { outline: 2px solid; }
input[name="view"]:checked + label.tab { background: CanvasText; color: Canvas; }
#by-rule:checked ~ .by-rule, #by-name:checked ~ .by-name, #by-severity:checked ~ .by-severity,
#by-source:checked ~ .by-source, #by-times:checked ~ .by-times { display: block; }
@media (max-width: 48rem) { dl { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: .6rem; }
  dt { font-size: .8rem; } dd { font-size: 1.3rem; } thead { display: none; }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  td, td.n { display: block; border: 0; padding: 0 .4rem; text-align: left; min-width: 0; } td:empty { display: none; }
  td:nth-child(1), td:nth-child(2) { display: inline; font-weight: bold; }
  td:nth-child(n+3)::before { opacity: .7; }
  td:nth-child(3)::before { content: "severity label: "; } td:nth-child(4)::before { content: "rule: "; }
  td:nth-child(8)::before { content: "times: "; } td:nth-child(9)::before { content: "hours: "; } }
@media print { body { max-width: none; margin: 0; font-size: 9pt; } label.tab { display: none; }
  thead th { position: static; } tr, summary { break-inside: avoid; } details { border: 0; } }
"""
_HEAD = (
    "<th>severity</th><th>alert</th><th>severity label</th><th>rule</th><th>runbook</th><th>runbook_url</th>"
    "<th>defined in</th>"
)
_OFTEN = "<th class=n>times</th><th class=n>hours</th>"
_MARKS = {LinkStatus.OK: "good", LinkStatus.MISSING: "warn", LinkStatus.NOWHERE: "bad", LinkStatus.UNCHECKED: ""}
#: Totals highlighted if they are not zero.
_BAD = {
    "catch-all only": "bad",
    "unmapped severity": "bad",
    "rules matching no alert": "warn",
    "broken runbook_url": "bad",
    "no runbook_url": "warn",
    "of these catch-all only": "bad",
}
_VIEWS = {
    "by-rule": "by rule",
    "by-name": "by name",
    "by-severity": "by severity",
    "by-source": "by source",
    "by-times": "by times fired",
}


def sheet(found: CoverageReport) -> str:
    """Return the page. All text from files is escaped."""
    return "\n".join(_page(found)) + "\n"


def _page(found: CoverageReport) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Alerts and their rules</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>Alerts and their rules</h1><p>Rules revision <code>{found.book.revision[:12]}</code>.</p>"
    yield from _numbers(found)
    yield from _words(found)
    if found.problems:
        yield f"<h2>Not read</h2><ul>{''.join(f'<li>{_text(each)}</li>' for each in found.problems)}</ul>"
    views = [(name, words) for name, words in _VIEWS.items() if found.lately or name != "by-times"]
    for number, (name, words) in enumerate(views):
        checked = "" if number else " checked"
        yield f'<input type="radio" name="view" id="{name}"{checked}><label class="tab" for="{name}">{words}</label>'
    yield '<section class="view by-rule">'
    most = max((len(taken) for _, taken in found.by_rule()), default=1)
    for rule, taken in sorted(found.by_rule(), key=_urgent):
        yield from _group(rule, taken, most)
    yield "</section>"
    rows = found.rows
    yield from _view("by-name", sorted(rows, key=lambda row: (row.alert.name.lower(), row.alert.source)))
    yield from _view("by-severity", sorted(rows, key=lambda row: (row.severity.priority, row.alert.name)))
    yield from _view("by-source", sorted(rows, key=lambda row: (row.alert.source, row.alert.line)))
    if found.lately:
        yield from _view("by-times", sorted(rows, key=lambda row: -(row.weight or NOTHING).times))
    yield "</body></html>"


def _numbers(found: CoverageReport) -> Iterator[str]:
    numbers = summary(found)
    shown = {
        "alerts": numbers["alerts"],
        "matched by a rule": numbers["matched"],
        "catch-all only": numbers["caught"],
        "may page": numbers["paging"],
        **numbers["severities"],
        "unmapped severity": sum(numbers["unknown_words"].values()),
        "severity decided when it fires": numbers["templated"],
        "catch-all only that may page": sum(numbers["paging_caught"].values()),
        "rules matching no alert": len(numbers["idle"]),
        "broken runbook_url": numbers["runbook_urls"]["nowhere"],
        "no runbook_url": numbers["runbook_urls"]["missing"],
    }
    if found.lately:
        shown |= {
            f"times fired in {found.lately}": numbers["fired"],
            "of these catch-all only": numbers["fired_caught"],
        }
    yield f"<dl>{''.join(_number(name, count) for name, count in shown.items())}</dl>"


def _words(found: CoverageReport) -> Iterator[str]:
    """Render the severities that no map has, and the families of the catch-all alerts that may page."""
    numbers = summary(found)
    for title, counts in (
        ("Severities in no map", numbers["unknown_words"]),
        ("Catch-all alerts that may page, by family", numbers["paging_caught"]),
    ):
        if counts:
            yield f"<h2>{title}</h2><ul>"
            yield from (f"<li>{_text(name)}: {count:,}</li>" for name, count in counts.items())
            yield "</ul>"


def _number(name: str, count: int) -> str:
    mark = f' class="{_BAD[name]}"' if count and name in _BAD else ""
    return f"<div><dt>{_text(name)}</dt><dd{mark}>{count:,}</dd></div>"


def _urgent(group: tuple[Rule, tuple[AlertMapping, ...]]) -> tuple[bool, bool]:
    """Sort key: the catch-all first, since its alerts need a rule; rules without alerts last."""
    rule, rows = group
    return not rows, bool(rule.matchers)


def _group(rule: Rule, rows: tuple[AlertMapping, ...], most: int) -> Iterator[str]:
    """Render a rule with its alerts and a bar for their number; ``most`` fill the bar."""
    mark = "bad" if rows and not rule.matchers else "good" if rows else "warn"
    runbook = _text(str(rule.runbook)) if rule.runbook else "no runbook"
    share = 100 * len(rows) / max(1, most)
    name = f'<b class="{mark}">{_text(rule.id)}</b> {len(rows):,}<small>{runbook}</small>'
    yield f'<details><summary style="--share: {share:.1f}%">{name}</summary>'
    if rows:
        yield from _table(sorted(rows, key=lambda row: row.alert.name))
    yield "</details>"


def _view(name: str, rows: Iterable[AlertMapping]) -> Iterator[str]:
    yield f'<section class="view {name}">'
    yield from _table(rows)
    yield "</section>"


def _table(rows: Iterable[AlertMapping]) -> Iterator[str]:
    rows = list(rows)
    weighed = any(row.weight for row in rows)
    yield f"<table><thead><tr>{_HEAD}{_OFTEN if weighed else ''}</tr></thead><tbody>"
    for row in rows:
        mark = {1: "bad", 2: "warn"}.get(row.severity.priority, "good")
        leads, why = row.leads
        often = f"<td class=n>{row.weight.times:.0f}</td><td class=n>{row.weight.hours:.1f}</td>" if row.weight else ""
        yield (
            f'<tr><td class="{mark}">{_text(row.severity.name)}</td><td>{_name(row)}</td>'
            f"<td>{_text(row.alert.labels.get('severity', ''))}</td><td>{_text(row.rule.id)}</td>"
            f'<td>{_text(str(row.rule.runbook or ""))}</td><td class="{_MARKS[leads]}">{_text(why)}</td>'
            f"<td>{_text(where(row))}</td>{often}</tr>"
        )
    yield "</tbody></table>"


def _name(row: AlertMapping) -> str:
    """Render the alert's name, as a link to its ``runbook_url`` if there is one."""
    url = row.runbook_url
    if url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and " " not in url:
        return f'<a href="{escape(url)}" rel="noreferrer noopener">{_text(row.alert.name)}</a>'
    return _text(row.alert.name)


def _text(value: str) -> str:
    return escape(one_line(value))
