"""Order of a message, the same in every channel: the page, then the metadata, then the findings one by one. Pure.

A channel renders the sections in this order and leaves out empty ones. It has no order and no texts of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from responder.model.clock import short_duration, time_between, time_of_day
from responder.model.finding import Finding, Verdict, worst_first
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import Link
from responder.model.text import number_of

#: Messages that repeat nothing of the page, with the name of their one section.
_ALONE = {MessageKind.OPINION: "Opinion", MessageKind.POSTMORTEM: "Post-mortem"}
#: Sections of the metadata that are small print: alerts, incident, rule.
_PRINT = 3
_WORDS = {Verdict.BAD: "critical", Verdict.UNKNOWN: "unknown", Verdict.SKIPPED: "skipped", Verdict.OK: "ok"}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message. ``link`` belongs to the text, such as the runbook to the first step."""

    name: str
    text: str
    link: Link | None = None

    @property
    def empty(self) -> bool:
        """True if there is nothing to show."""
        return not self.text and self.link is None

    @property
    def linked(self) -> str:
        """The text, followed by that of the link, for channels that show links elsewhere."""
        return " ".join(filter(None, (self.text, f"[{self.link.text}]" if self.link else "")))


def headline(report: Report) -> str:
    """``Resolved after 20 minutes · [P1] plato is down (prod)``: the heading or the kind of message, and the title."""
    took = f"after {_duration(report)}"
    words = {
        MessageKind.START: (report.heading,),
        MessageKind.AGAIN: ("Reopened",),
        MessageKind.UPDATE: (report.heading or ("Update" if report.update else ""),),
        MessageKind.RESOLUTION: (report.heading, took) if report.heading else (f"Resolved {took}",),
        MessageKind.LATE: ("Diagnosis",),
        MessageKind.FALLBACK: (f"Resolved {took}" if report.status is Status.RESOLVED else report.heading,),
        MessageKind.UNCLOSED: ("Resolve manually",),
        MessageKind.OPINION: ("Opinion",),
        MessageKind.ACKNOWLEDGED: ("Acknowledged",),
        MessageKind.NOTE: ("Note",),
        MessageKind.POSTMORTEM: ("Post-mortem",),
        MessageKind.REMINDER: ("Reminder",),
        MessageKind.ARCHIVE: ("Archived",),
    }[report.kind]
    return " · ".join(filter(None, (*words, report.title)))


def preview(report: Report) -> str:
    """The beginning of the page on one line, for notifications of which a phone shows some 150 characters."""
    parts = (headline(replace(report, heading="")), *(each.text.rstrip(".") for each in page(report)[:3]))
    return ". ".join(filter(None, parts))


def page(report: Report) -> tuple[Section, ...]:
    """The sections that a reader needs first. The first four that are not empty fit on a phone with the title."""
    if report.kind in _ALONE:
        return (Section(_ALONE[report.kind], report.update),)
    open_ = report.status is not Status.RESOLVED
    found = report.conclusion
    likely = ". Chain: ".join(filter(None, (found.likely, found.chain)))
    repeated = not open_ and any(found.likely in text for text in report.fields.values())
    return (
        Section("Update", report.update),
        Section("Summary", "" if report.what.casefold() in report.title.casefold() else report.what),
        Section("Impact", report.impact),
        Section("Likely cause", "" if repeated else likely),
        Section("First step", report.first_step, report.runbook) if open_ else Section("First step", ""),
        Section("Note", report.note if open_ else ""),
        Section("Changed", found.changed),
        Section("Ruled out", found.ruled_out),
    )


def metadata(report: Report) -> tuple[Section, ...]:
    """The sections that follow the page."""
    open_ = report.status is not Status.RESOLVED
    found = report.conclusion
    counts = (
        f"{report.firing} firing",
        f"{report.resolved} resolved" if report.resolved else "",
        f"{report.truncated} more not in the notification" if report.truncated else "",
    )
    rows = (
        ("Context", "; ".join(filter(None, (found.evidence, found.seen))) if open_ else ""),
        ("Unknown", found.unknown),
        ("Still checking", number_of(len(report.pending), "check") if report.pending else ""),
        ("Fallback", report.fallback_reason),
        ("Description", report.description if open_ else ""),
        ("Related", report.related if open_ else ""),
        ("History", report.history if open_ else ""),
        ("Severity", f"{report.severity} ({report.severity_reason})" if report.severity_reason else report.severity),
        ("Owner", report.owner),
        ("Response target", report.clock if open_ else ""),
        ("Acknowledged", report.acknowledged if open_ else ""),
        *([("Silenced", report.silenced)] if report.silenced and open_ else []),
        ("Escalation", report.escalation if open_ else ""),
        ("Started", _started(report)),
        ("Duration", "" if open_ else _duration(report)),
        ("Alerts", " · ".join(filter(None, (report.alertname, ", ".join(filter(None, counts)))))),
        ("Incident", report.incident),
        ("Rule", report.made_by),
    )
    return (
        *(Section(name, text) for name, text in rows[:-_PRINT] if report.kind not in _ALONE),
        *fields(report, rows),
        *(Section(*row) for row in rows[-_PRINT:]),
    )


def fields(report: Report, rows: Sequence[tuple[str, str]] = ()) -> tuple[Section, ...]:
    """The fields of the communication template that are neither on the page nor among ``rows``."""
    shown = {each.name.casefold() for each in page(report) if not each.empty}
    shown |= {name.casefold() for name, text in rows if text}
    return tuple(Section(name, text) for name, text in report.fields.items() if name.casefold() not in shown)


def findings(report: Report) -> tuple[tuple[str, Finding], ...]:
    """The findings, the worst first, each with the word for its result; none with an opinion or a draft."""
    found = () if report.kind in _ALONE else report.findings
    return tuple((result(each), each) for each in worst_first(found))


def result(finding: Finding) -> str:
    """``critical``, ``warning``, ``unknown``, ``skipped``, ``ok``; ``info`` for a value without thresholds."""
    if finding.verdict is Verdict.OK and not finding.judged:
        return "info"  # it may be the exit code 137
    return "warning" if finding.verdict is Verdict.BAD and finding.warning else _WORDS[finding.verdict]


def _duration(report: Report) -> str:
    return time_between(report.started_at, report.ended_at or report.written_at)


def _started(report: Report) -> str:
    seconds = (report.written_at - report.started_at).total_seconds()
    ago = f"{short_duration(seconds)} ago" if seconds >= 1 else "just now"
    return f"{time_of_day(report.started_at, seen_from=report.written_at)} ({ago})"
