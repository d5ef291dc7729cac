"""BUTTERFLY's three message templates and the diagnosis, as Slack blocks with their fallback text."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from responder.model.clock import short_duration, time_between, time_of_day
from responder.model.finding import Finding, Verdict, worst_first
from responder.model.message import Request
from responder.model.report import MessageKind, Report
from responder.model.rule import Link
from responder.model.setting import Setting
from responder.notify.rate_limit import per_minute
from responder.notify.render import slack_blocks
from responder.notify.render.response import ascii_only, within
from responder.notify.render.slack_blocks import Block, ascii_line_of, code, fenced, line_of, link
from responder.notify.report.links import safe_url

SIGNS = {Verdict.BAD: "❌", Verdict.UNKNOWN: "❔", Verdict.SKIPPED: "➖", Verdict.OK: "✅"}
WARNING = "⚠️"
FIGURE = "📎"
MOST_FINDINGS = 40
#: Characters for the bad findings, and as many for the unknown ones, so that the first step below has room.
LIST_LIMIT = 2000
BURST = 6
# https://docs.slack.dev/apis/web-api/rate-limits: one message a second and channel, short bursts are allowed.
PACE = per_minute(60, BURST)

_GROUP = re.compile(r"S[A-Z0-9]{4,20}")


def _group_problem(text: str) -> str:
    wrong = f"is '{text}': write the id of a user group as Slack shows it, for example S0123ABCD"
    return "" if _GROUP.fullmatch(text) else wrong


ONCALL_GROUP = Setting(
    name="slack_oncall_group",
    kind=str,
    default="",
    doc="id of the Slack user group (S0123ABCD) to mention with a page that PagerDuty did not accept",
    check=_group_problem,
    calls_oncall=True,
)


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """Slack message: ``text`` is the notification, and the fallback for clients that show no blocks."""

    text: str
    blocks: list[Block]


def dry_run(sent: Sequence[Request]) -> tuple[str, bytes]:
    """Return how near the first message is to Slack's limits, and the message."""
    message = json.loads(sent[0].body)
    thread = f", {len(sent) - 1} more in its thread" if sent[1:] else ""
    size = f"{len(message.get('blocks', ()))} of {slack_blocks.MOST_BLOCKS} blocks, {len(message['text'])} characters"
    return f"{size}{thread}", sent[0].body


def parent(report: Report) -> RenderedMessage:
    """The incident as it stands now: the message that is posted first and edited from then on."""
    return _STATES[report.kind](report)


def reply(report: Report) -> RenderedMessage:
    """Render the thread reply for a change: the template alone, without what the parent already shows."""
    if report.kind is MessageKind.LATE:
        return details(report)
    return _message(
        report, [slack_blocks.header(_headline(report)), *_template(report), slack_blocks.context(_small_print(report))]
    )


def fallback_page(report: Report, group: str) -> RenderedMessage:
    """Render a page that another channel did not accept: the start template with the reason and the mention.

    The group's id comes from the settings only, so that no alert can mention a group. It is mentioned
    only if the message pages.
    """
    page, called = _start(report), mention(group) if report.pages else ""
    because = f"*Fallback:* {line_of(report.fallback_reason)}" if report.fallback_reason else ""
    why = _paragraph(slack_blocks.lines([line for line in (called, because) if line]))
    text = within(" ".join(filter(None, (called, page.text))), slack_blocks.TEXT_LIMIT)
    return RenderedMessage(text, slack_blocks.fitted([page.blocks[0], *why, *page.blocks[1:]]))


def mention(group: str) -> str:
    """Return the mention of a user group (https://docs.slack.dev/messaging/formatting-message-text), empty for none."""
    return f"<!subteam^{group}>" if group else ""


def details(report: Report) -> RenderedMessage:
    """Render every finding with its detail and query, for the thread."""
    error_text = [each for finding in worst_first(report.findings)[:MOST_FINDINGS] for each in _finding(finding)]
    left = len(report.findings) - MOST_FINDINGS
    more = [slack_blocks.context(f"Cut: {left} more findings left out.")] if left > 0 else []
    said_so = report.update if report.kind is MessageKind.LATE else ""
    title = f"🔎 Diagnosis · {report.title}"
    opening = [slack_blocks.header(title), *_paragraph(line_of(said_so)), *_conclusion(report)]
    pending = line_of(", ".join(report.pending))
    nothing = (
        []
        if error_text
        else [slack_blocks.section(f"_No findings yet._ {'Still checking: ' + pending if pending else ''}".strip())]
    )
    labels = ", ".join(f"{name}={value}" for name, value in list(report.labels.items())[:100])
    tail = [slack_blocks.section(f"*Labels:* {code(labels, 1500)}")] if labels else []
    body = [*opening, *nothing, *error_text, *more, *tail, slack_blocks.context(_small_print(report))]
    return RenderedMessage(_fallback(title), slack_blocks.fitted(body))


def minimal_text(report: Report, group: str = "") -> str:
    """The minimal form: one short text without any character outside ASCII. A fallback page mentions ``group``."""
    called = mention(group) if report.kind is MessageKind.FALLBACK and report.pages else ""
    href = safe_url(report.runbook.href) if report.runbook else ""
    address = f"Runbook: <{slack_blocks.escaped(ascii_only(href))}>" if href else ""
    runbook = f"Runbook: {report.runbook.text.removeprefix('Runbook: ')}" if report.runbook and not href else ""
    headline = _headline(report).partition(" ")[2]  # without its sign
    because = f"Fallback: {report.fallback_reason}" if report.fallback_reason else ""
    clock = f"Respond: {report.clock}" if report.clock and report.kind is not MessageKind.RESOLUTION else ""
    rows = (headline, because, report.update or report.what, f"Impact: {report.impact}", clock, runbook)
    return "\n".join(filter(None, (called, *(ascii_line_of(ascii_only(row), 600) for row in rows if row), address)))


def _start(report: Report) -> RenderedMessage:
    body = [
        slack_blocks.header(_headline(report)),
        *_paragraph(line_of(report.update)),
        slack_blocks.section(slack_blocks.lines([f"*{line_of(report.what)}*", f"*Impact:* {line_of(report.impact)}"])),
        slack_blocks.fields(
            (
                ("Severity", line_of(f"{report.severity} ({report.severity_reason})", 400)),
                ("Service", line_of(report.service)),
                ("Status", line_of(report.status)),
                ("Lead", line_of(report.lead)),
                ("Channel", line_of(report.room)),
                ("Owner", line_of(report.owner)),
                ("Started", _started(report)),
                ("Respond", line_of(report.clock)),
                ("Next update", f"in {_next(report)}" if report.next_update else ""),
            )
        ),
        *_diagnosis(report),
    ]
    return _message(report, body)


def _update(report: Report) -> RenderedMessage:
    body = [
        slack_blocks.header(_headline(report)),
        *_template(report),
        slack_blocks.section(slack_blocks.lines([f"*{line_of(report.what)}*", f"*Impact:* {line_of(report.impact)}"])),
        slack_blocks.fields(
            (
                ("Severity", line_of(f"{report.severity} ({report.severity_reason})", 400)),
                ("Service", line_of(report.service)),
                ("Lead", line_of(report.lead)),
                ("Channel", line_of(report.room)),
                ("Owner", line_of(report.owner)),
                ("Respond", line_of(report.clock)),
            )
        ),
        *_diagnosis(report),
    ]
    return _message(report, body)


def _resolution(report: Report) -> RenderedMessage:
    body = [
        slack_blocks.header(_headline(report)),
        *_template(report),
        slack_blocks.section(
            slack_blocks.lines([f"*Was:* {line_of(report.what)}", f"*Impact:* {line_of(report.impact)}"])
        ),
        *_paragraph(_links(report)),
    ]
    return _message(report, body)


_STATES: Mapping[MessageKind, Callable[[Report], RenderedMessage]] = {
    MessageKind.START: _start,
    MessageKind.AGAIN: _start,
    MessageKind.UPDATE: _update,
    MessageKind.RESOLUTION: _resolution,
    MessageKind.LATE: details,
    MessageKind.FALLBACK: _start,
    MessageKind.UNCLOSED: reply,
}


def _headline(report: Report) -> str:
    """``🚨 INCIDENT STARTED · [P1] plato is down (prod)``; resolved with how long it took."""
    words = {
        MessageKind.START: "🚨 INCIDENT STARTED",
        MessageKind.AGAIN: "🚨 INCIDENT REOPENED",
        MessageKind.UPDATE: "📊 INCIDENT UPDATE",
        MessageKind.RESOLUTION: "✅ INCIDENT RESOLVED",
        MessageKind.LATE: "🔎 Diagnosis",
        MessageKind.FALLBACK: "🚨 INCIDENT STARTED",
        MessageKind.UNCLOSED: "✋ RESOLVE MANUALLY",
    }[report.kind]
    took = f"after {_duration(report)}" if report.kind is MessageKind.RESOLUTION else ""
    return " · ".join(filter(None, (words, took, report.title)))


def _template(report: Report) -> list[Block]:
    """The fields that the update's and the resolution's template name, in their order."""
    if report.kind is MessageKind.RESOLUTION:
        due = (
            f"due {time_of_day(report.postmortem_due)} (within 48 hours)"
            if report.postmortem_due
            else "within 48 hours"
        )
        rows = [
            ("Duration", _duration(report)),
            ("Root Cause", line_of(report.root_cause or "not yet known")),
            ("Resolution", line_of(report.resolution or "not recorded yet")),
            ("Post-mortem", due),
        ]
    elif report.kind is MessageKind.UNCLOSED:
        rows = [("Status", line_of(report.status)), ("To do", line_of(report.update))]
    else:
        rows = [
            ("Status", line_of(report.status)),
            ("Duration", _duration(report)),
            ("Update", line_of(report.update)),
            ("Next update in", _next(report)),
        ]
    return [slack_blocks.section(slack_blocks.lines([f"*{name}:* {value}" for name, value in rows if value]))]


def _diagnosis(report: Report) -> Iterator[Block]:
    """Yield the conclusion and the findings, each once: the thread has the probes one by one."""
    yield from _paragraph(_likely(report))
    yield from _paragraph(_rows_text(("Context", report.conclusion.seen), ("Changed", report.conclusion.changed)))
    unseen = [each for each in worst_first(report.findings) if each.verdict in {Verdict.UNKNOWN, Verdict.SKIPPED}]
    yield from _paragraph(slack_blocks.lines([_one(finding) for finding in unseen], LIST_LIMIT))
    well = report.conclusion.ruled_out
    yield from _paragraph(f"{SIGNS[Verdict.OK]} *Ruled out:* {line_of(well)}" if well else "")
    yield from _paragraph(f"⏳ Still checking: {line_of(', '.join(report.pending))}" if report.pending else "")
    yield from _paragraph(f"*First step:* {line_of(report.first_step)}" if report.first_step else "")
    yield from _paragraph(f"*Note:* {line_of(report.note)}" if report.note else "")
    yield from _paragraph(_links(report))
    yield from _paragraph(
        _rows_text(("Related", report.related), ("History", report.history), ("Escalation", report.escalation))
    )


def _likely(report: Report) -> str:
    """Return the bad findings, a line each, the service's own first; changes are listed elsewhere."""
    bad = [each for each in report.findings if each.verdict is Verdict.BAD]
    bad = [each for each in bad if each.headline != report.conclusion.changed]
    bad.sort(key=lambda each: (each.warning, each.target != report.service))
    return slack_blocks.lines(["*Likely:*", *map(_one, bad)], LIST_LIMIT) if bad else ""


def _conclusion(report: Report) -> list[Block]:
    said_so = report.conclusion
    return _paragraph(_rows_text(("Likely", said_so.likely), ("Context", said_so.seen), ("Changed", said_so.changed)))


def _rows_text(*rows: tuple[str, str]) -> str:
    """Return the non-empty rows, each with its name in bold."""
    return slack_blocks.lines([f"*{name}:* {line_of(text)}" for name, text in rows if text])


def _finding(finding: Finding) -> Iterator[Block]:
    where = f"  {link(Link('open', finding.link))}" if finding.link.startswith("http") else ""
    asked = f"query: {code(finding.query, 600)}{where}" if finding.query else ""
    yield slack_blocks.section("\n".join(filter(None, (_one(finding), asked, fenced(finding.detail, 1200)))))


def _one(finding: Finding) -> str:
    sign = _sign(finding)
    name = line_of(finding.probe, 80)
    return f"{sign} *{name}* {line_of(finding.headline, 300)}"


def _sign(finding: Finding) -> str:
    if finding.verdict is Verdict.OK and not finding.judged:
        return FIGURE
    return WARNING if finding.verdict is Verdict.BAD and finding.warning else SIGNS[finding.verdict]


def _links(report: Report) -> str:
    every = ([report.runbook] if report.runbook else []) + list(report.links)
    return "  |  ".join(filter(None, (link(each) for each in every[:6])))


def _paragraph(text: str) -> list[Block]:
    return [slack_blocks.section(text)] if text else []


def _duration(report: Report) -> str:
    return time_between(report.started_at, report.ended_at or report.written_at)


def _started(report: Report) -> str:
    ago = short_duration((report.written_at - report.started_at).total_seconds())
    return f"{time_of_day(report.started_at, seen_from=report.written_at)} ({ago} ago)"


def _next(report: Report) -> str:
    return time_between(report.written_at, report.next_update) if report.next_update else "not planned"


def _small_print(report: Report) -> str:
    cut = f"+{report.truncated} alerts cut by max_alerts" if report.truncated else ""
    count = f"{report.firing} firing, {report.resolved} resolved"
    return line_of(" · ".join(filter(None, (report.incident, count, cut, f"rule {report.made_by}"))), 1500)


def _message(report: Report, body: list[Block]) -> RenderedMessage:
    small = [] if body[-1]["type"] == "context" else [slack_blocks.context(_small_print(report))]
    first = (
        report.update if report.kind in {MessageKind.UPDATE, MessageKind.AGAIN, MessageKind.UNCLOSED} else report.impact
    )
    return RenderedMessage(
        _fallback(f"{_headline(report)}: {first}" if first else _headline(report)), slack_blocks.fitted(body + small)
    )


def _fallback(text: str) -> str:
    return within(line_of(text, 800), slack_blocks.TEXT_LIMIT)
