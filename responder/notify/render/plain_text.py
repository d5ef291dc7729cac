"""The page as plain lines that read well without any markup: on a terminal, and in a mail."""

from collections.abc import Iterator
from textwrap import wrap

from responder.model.clock import time_between, time_of_day
from responder.model.finding import Finding, Verdict, worst_first
from responder.model.report import MessageKind, Report
from responder.model.text import clean, one_line
from responder.notify.render.response import ascii_only

WIDTH = 100
_MARGIN = 17
_SIGNS = {Verdict.BAD: "CRITICAL", Verdict.UNKNOWN: "unknown", Verdict.SKIPPED: "skipped", Verdict.OK: "ok"}


def page(report: Report) -> Iterator[str]:
    """Yield a rule, the title, and the named lines, wrapped under their names."""
    yield "=" * WIDTH
    yield title(report)
    yield "-" * WIDTH
    for name, text in _rows(report):
        yield from _row(name, text)
    for finding in worst_first(report.findings):
        yield from _finding(finding)
    for link in filter(None, (report.runbook, *report.links)):
        if link.href:  # not wrapped: an address on two lines cannot be clicked
            yield f"{'Link':<{_MARGIN}}{_sanitized(link.text)}  {_sanitized(link.href)}"
    yield "=" * WIDTH


def named_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the lines that have content, each with its name, without wrapping: for channels with fonts of their own."""
    for name, text in _rows(report):
        if text:
            yield name, text
    for finding in worst_first(report.findings):
        yield "Finding", f"[{_sign(finding)}] {finding.probe}: {finding.headline}"


def minimal(report: Report, limit: int) -> list[str]:
    """Return the minimal form: a few lines in ASCII, each of at most ``limit`` characters."""
    where = (report.runbook.href or report.runbook.text) if report.runbook else ""
    because = f"Fallback: {report.fallback_reason}" if report.fallback_reason else ""
    rows = (title(report), because, report.update or report.what, where)
    return [ascii_only(one_line(row[:limit])) for row in rows if row]


def title(report: Report) -> str:
    """Return the title line."""
    words = {
        MessageKind.START: "INCIDENT STARTED",
        MessageKind.AGAIN: "INCIDENT REOPENED",
        MessageKind.UPDATE: "INCIDENT UPDATE",
        MessageKind.RESOLUTION: "INCIDENT RESOLVED",
        MessageKind.LATE: "DIAGNOSIS",
        MessageKind.FALLBACK: "INCIDENT STARTED",
        MessageKind.UNCLOSED: "RESOLVE MANUALLY",
    }[report.kind]
    return f"{words}  {_sanitized(report.title)}"


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    over = report.kind in {MessageKind.RESOLUTION, MessageKind.UNCLOSED}
    yield "Fallback", report.fallback_reason
    yield "Update", report.update
    yield "Severity", f"{report.severity} ({report.severity_reason})"
    yield "Service", report.service
    yield "Summary", report.what
    yield "Impact", report.impact
    yield "Status", report.status
    yield "Duration", time_between(report.started_at, report.ended_at or report.written_at)
    if over:
        yield "Root cause", report.root_cause
        yield "Resolution", report.resolution
        yield (
            "Post-mortem",
            f"due {time_of_day(report.postmortem_due)} (within 48 hours)" if report.postmortem_due else "",
        )
    yield "Likely", report.conclusion.likely
    yield "Context", report.conclusion.seen
    yield "Changed", report.conclusion.changed
    yield "Ruled out", report.conclusion.ruled_out
    yield "Unknown", report.conclusion.unknown
    yield "Still checking", ", ".join(report.pending)
    if not over:
        yield "First step", report.first_step
        yield "Note", report.note
        yield "Runbook", report.runbook.text.removeprefix("Runbook: ") if report.runbook else ""
        yield "Related", report.related
        yield "History", report.history
        yield "Response target", report.clock
        yield "Owner", report.owner
        yield "Lead", report.lead
        yield "Escalation", report.escalation
        yield "Channel", report.room
        yield "Next update", f"in {time_between(report.written_at, report.next_update)}" if report.next_update else ""
    cut = f" (+{report.truncated} alerts cut by max_alerts)" if report.truncated else ""
    yield "Alerts", f"{report.firing} firing, {report.resolved} resolved{cut}"
    yield "Incident", report.incident
    yield "Rule", report.made_by


def _row(name: str, text: str) -> Iterator[str]:
    lines = wrap(_sanitized(text), WIDTH - _MARGIN, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"{'' if number else name:<{_MARGIN}}{line}"


def _finding(finding: Finding) -> Iterator[str]:
    yield from _row("Finding", f"[{_sign(finding)}] {finding.probe}: {finding.headline}")
    for line in clean(finding.detail[:4000]).splitlines()[:10]:
        yield f"{'':<{_MARGIN}}  {_sanitized(line)}"


def _sign(finding: Finding) -> str:
    return "WARNING" if finding.warning else _SIGNS[finding.verdict] if finding.judged else "info"


def _sanitized(text: str) -> str:
    return one_line(text[:4000])
