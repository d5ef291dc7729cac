"""The alerts and their rules as one HTML page, with nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from responder.cli.rules.mapping import Mapped, Row, summary
from responder.model.rule import Rule
from responder.model.text import one_line

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bad: #c62828; --warn: #b26a00; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --bad: #ef9a9a; --warn: #ffcc80; --good: #a5d6a7; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { position: sticky; top: 0; background: Canvas; }
td.n, th.n { text-align: right; }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0 2rem; }
dt { opacity: .7; } dd { margin: 0; font-size: 1.6rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; }
summary { padding: .4rem .7rem; cursor: pointer; background: var(--soft); }
summary small { opacity: .7; margin-left: .6rem; }
.bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); }
.view { display: none; }
input[name="view"] { position: absolute; opacity: 0; }
label.tab { display: inline-block; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 1rem;
  margin: 0 .3rem .8rem 0; cursor: pointer; }
input[name="view"]:focus-visible + label.tab { outline: 2px solid; }
input[name="view"]:checked + label.tab { background: CanvasText; color: Canvas; }
#by-rule:checked ~ .by-rule, #by-name:checked ~ .by-name, #by-severity:checked ~ .by-severity,
#by-source:checked ~ .by-source { display: block; }
"""
_HEAD = (
    "<tr><th>alert</th><th>its label</th><th>severity</th><th>rule</th><th>runbook</th><th class=n>hours</th>"
    "<th>defined in</th></tr>"
)
_VIEWS = {"by-rule": "by rule", "by-name": "by name", "by-severity": "by severity", "by-source": "by source"}


def sheet(found: Mapped) -> str:
    """The page. All of it but the words here comes from files, and is escaped."""
    return "\n".join(_page(found)) + "\n"


def _page(found: Mapped) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Alerts and their rules</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>Alerts and their rules</h1><p>Rules of revision <code>{found.book.revision[:12]}</code>.</p>"
    yield from _numbers(found)
    if found.problems:
        yield f"<h2>Not read</h2><ul>{''.join(f'<li>{_text(each)}</li>' for each in found.problems)}</ul>"
    for number, (name, words) in enumerate(_VIEWS.items()):
        checked = "" if number else " checked"
        yield f'<input type="radio" name="view" id="{name}"{checked}><label class="tab" for="{name}">{words}</label>'
    yield '<section class="view by-rule">'
    for rule, rows in found.by_rule():
        yield from _group(rule, rows)
    yield "</section>"
    rows = found.rows
    yield from _view("by-name", sorted(rows, key=lambda row: (row.alert.name.lower(), row.alert.source)))
    yield from _view("by-severity", sorted(rows, key=lambda row: (row.severity.rank, row.alert.name)))
    yield from _view("by-source", sorted(rows, key=lambda row: (row.alert.source, row.alert.line)))
    yield "</body></html>"


def _numbers(found: Mapped) -> Iterator[str]:
    numbers = summary(found)
    shown = {
        "alerts": numbers["alerts"],
        "meet a rule of their own": numbers["matched"],
        "fall to the catch-all": numbers["caught"],
        "page": numbers["paging"],
        **numbers["severities"],
        "rules that meet none": len(numbers["idle"]),
    }
    yield f"<dl>{''.join(f'<div><dt>{_text(name)}</dt><dd>{count}</dd></div>' for name, count in shown.items())}</dl>"


def _group(rule: Rule, rows: tuple[Row, ...]) -> Iterator[str]:
    mark = "bad" if rows and not rule.matchers else "good" if rows else "warn"
    runbook = _text(str(rule.runbook)) if rule.runbook else "no runbook"
    yield f'<details><summary><b class="{mark}">{_text(rule.id)}</b> {len(rows)}<small>{runbook}</small></summary>'
    if rows:
        yield from _table(sorted(rows, key=lambda row: row.alert.name))
    yield "</details>"


def _view(name: str, rows: Iterable[Row]) -> Iterator[str]:
    yield f'<section class="view {name}">'
    yield from _table(rows)
    yield "</section>"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield f"<table><thead>{_HEAD}</thead><tbody>"
    for row in rows:
        mark = {1: "bad", 2: "warn"}.get(row.severity.rank, "good")
        hours = f"{row.alert.hours:.1f}" if row.alert.hours is not None else ""
        where = f"{row.alert.source}:{row.alert.line}" if row.alert.line else row.alert.source
        yield (
            f"<tr><td>{_name(row)}</td><td>{_text(row.alert.labels.get('severity', ''))}</td>"
            f'<td class="{mark}">{_text(row.severity.name)}</td><td>{_text(row.rule.id)}</td>'
            f"<td>{_text(str(row.rule.runbook or ''))}</td><td class=n>{hours}</td><td>{_text(where)}</td></tr>"
        )
    yield "</tbody></table>"


def _name(row: Row) -> str:
    """The alert's name, leading to the page that it names itself."""
    url = row.alert.annotations.get("runbook_url", "")
    if url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and " " not in url:
        return f'<a href="{escape(url)}" rel="noreferrer noopener">{_text(row.alert.name)}</a>'
    return _text(row.alert.name)


def _text(value: str) -> str:
    return escape(one_line(value))
