"""The message as plain lines that read well without any markup: on a terminal, and in a mail."""

from collections.abc import Iterator
from textwrap import wrap

from responder.model.finding import Finding
from responder.model.report import Report
from responder.model.rule import Link
from responder.model.text import clean, cut, one_line
from responder.notify.render.response import ascii_only
from responder.notify.report.sections import Section, findings, headline, metadata, page

#: Columns of a line.
WIDTH = 80
#: Columns of the names of sections.
_MARGIN = 17
#: Characters of one section.
_LONGEST_TEXT = 4000


def lines(report: Report) -> Iterator[str]:
    """Yield a rule, the headline, and the sections, wrapped under their names."""
    yield "=" * WIDTH
    yield title(report)
    yield "-" * WIDTH
    for section in page(report):
        yield from _section(section)
    for link in report.links:
        yield from _link("Link", link)
    yield ""
    for section in metadata(report):
        yield from _section(section)
    for word, finding in findings(report):
        yield from _finding(word, finding)
    yield "=" * WIDTH


def rows_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of what ``lines`` yields, without the title and the lines around it."""
    rows: list[tuple[str, str]] = []
    for line in text.splitlines()[3:]:
        alone = len(line) > _MARGIN and line.endswith(":") and "  " not in line[:_MARGIN]
        name, rest = (line[:-1], "") if alone else (line[:_MARGIN].strip(), line[_MARGIN:].strip())
        if rows and rest and not name:
            rows[-1] = rows[-1][0], f"{rows[-1][1]} {rest}".lstrip()
        elif not line.startswith("="):
            rows.append((name, rest))
    return iter(rows)


def page_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of the sections of the page, for channels with fonts of their own; links follow them."""
    return ((each.name, each.linked) for each in page(report) if not each.empty)


def further_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of the metadata and the findings."""
    yield from ((each.name, each.text) for each in metadata(report) if not each.empty)
    yield from (("Finding", f"[{word}] {finding.headline}") for word, finding in findings(report))


def minimal(report: Report, limit: int) -> list[str]:
    """Return the minimal form: a few lines in ASCII, each of at most ``limit`` characters."""
    where = (report.runbook.href or report.runbook.text) if report.runbook else ""
    because = f"Fallback: {report.fallback_reason}" if report.fallback_reason else ""
    rows = (title(report), because, report.update or report.what, where)
    return [ascii_only(one_line(row[:limit])) for row in rows if row]


def title(report: Report) -> str:
    """Return the title line."""
    return _sanitized(headline(report))


def _section(section: Section) -> Iterator[str]:
    yield from _row(section.name, section.linked)
    if section.link:
        yield from _link("", section.link)


def _link(name: str, link: Link) -> Iterator[str]:
    text = f"{_sanitized(link.text)}  " if name else ""
    if link.href:  # not wrapped: an address on two lines cannot be clicked
        yield f"{name:<{_MARGIN}}{text}{_sanitized(link.href)}"


def _row(name: str, text: str) -> Iterator[str]:
    wide = len(name) >= _MARGIN
    if wide and text:
        yield f"{_sanitized(name)}:"
    for number, line in enumerate(wrap(_sanitized(text), WIDTH - _MARGIN, break_on_hyphens=False)):
        yield f"{'' if number or wide else name:<{_MARGIN}}{line}"


def _finding(word: str, finding: Finding) -> Iterator[str]:
    yield from _row("Finding", f"[{word}] {finding.headline}")
    for line in clean(finding.detail[:4000]).splitlines()[:10]:
        yield f"{'':<{_MARGIN}}  {_sanitized(line)}"


def _sanitized(text: str) -> str:
    return cut(one_line(text[: 2 * _LONGEST_TEXT]), _LONGEST_TEXT)
