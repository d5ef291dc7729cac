"""The sections of a message and its findings, as Slack blocks with their fallback text."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from responder.model.finding import Finding, Verdict, worst_first
from responder.model.message import Request
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import Link
from responder.model.setting import Setting
from responder.model.text import cut
from responder.notify.contract import ShownMessage, per_minute
from responder.notify.render import slack_blocks
from responder.notify.render.response import ascii_only, within
from responder.notify.render.slack_blocks import Block, ascii_line_of, code, fenced, line_of, link
from responder.notify.report.links import safe_url
from responder.notify.report.sections import Section, fields, headline, metadata, page, preview

SIGNS = {Verdict.BAD: "❌", Verdict.UNKNOWN: "❔", Verdict.SKIPPED: "➖", Verdict.OK: "✅"}
WARNING = "⚠️"
FIGURE = "📎"
#: Findings that are listed, the worst first.
MOST_FINDINGS = 40
#: The sign of each kind of message.
_HEADS = {
    MessageKind.START: "🚨",
    MessageKind.AGAIN: "🚨",
    MessageKind.UPDATE: "📊",
    MessageKind.RESOLUTION: "✅",
    MessageKind.LATE: "🔎",
    MessageKind.FALLBACK: "🚨",
    MessageKind.UNCLOSED: "✋",
    MessageKind.OPINION: "💬",
    MessageKind.ACKNOWLEDGED: "👀",
    MessageKind.NOTE: "📝",
    MessageKind.POSTMORTEM: "📋",
    MessageKind.REMINDER: "⏰",
    MessageKind.ARCHIVE: "🗄️",
}
#: Sections in the first block, below the headline: update, summary, impact.
_FIRST = 3
#: Sections of a diagnosis that arrives after the page.
_DIAGNOSED = frozenset({"Update", "Likely cause", "Changed", "Ruled out"})
#: Sections of the metadata that are small print: alerts, incident, rule.
_PRINT = 3
#: Action ids of the buttons.
ACKNOWLEDGE, NOTE, RESOLVE = "responder_acknowledge", "responder_note", "responder_resolve"
POSTMORTEM, PUBLISH, ARCHIVE = "responder_postmortem", "responder_publish", "responder_archive"
SILENCE, UNSILENCE = "responder_silence", "responder_unsilence"
_FURTHER = ((NOTE, "Note", ""), (RESOLVE, "Resolve", ""))
#: Beginning of the ids of incidents; digests of floods and tests have others, and no buttons.
INCIDENT_PREFIX = "INC-"
BURST = 6
# https://docs.slack.dev/apis/web-api/rate-limits: one message a second and channel, short bursts are allowed.
RATE_LIMIT = per_minute(60, BURST)

# https://docs.slack.dev/reference/methods/chat.postMessage and chat.update, "Errors": those that may pass.
LIMITED = frozenset({"ratelimited", "rate_limited"})
PASSING = LIMITED | frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "external_channel_migrating",
        "update_failed",
    }
)

#: Characters of a message that a phone shows in a notification.
PHONE = 150
_NAME = re.compile(r"\*([^*:]+):\* ?")
_GROUP = re.compile(r"S[A-Z0-9]{4,20}")


def _group_problem(text: str) -> str:
    wrong = f"is '{text}': write the id of a user group as Slack shows it, for example S0123ABCD"
    return "" if _GROUP.fullmatch(text) else wrong


ONCALL_GROUP = Setting(
    "slack_oncall_group",
    "id of the Slack user group (S0123ABCD) to mention with a page that PagerDuty did not accept",
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


def shown(request: Request, place: str) -> ShownMessage:
    """Return the message as Slack shows it in ``place``: its notification, and the texts of its blocks."""
    message = json.loads(request.body)
    blocks = message.get("blocks", ())
    texts = [text for each in blocks for text in _shown_texts(each)] or [message["text"]]
    title, *lines = (line for text in texts for line in text.split("\n"))
    begins = [] if "thread_ts" in message else [("Notification", cut(slack_blocks.plain(message["text"]), PHONE))]
    return ShownMessage(
        where=f"thread in {place}" if "thread_ts" in message else f"edit in {place}" if "ts" in message else place,
        title=slack_blocks.plain(title),
        rows=(*begins, *map(_row, lines)),
        links=tuple(slack_blocks.links_of("\n".join(lines))),
    )


def _shown_texts(block: Block) -> list[str]:
    if block["type"] == "actions":
        return ["  ".join(f"[ {each['text']['text']} ]" for each in block["elements"])]
    return [part["text"] for part in ([block["text"]] if "text" in block else block["elements"])]


def _row(line: str) -> tuple[str, str]:
    named = _NAME.match(line)
    return (named[1] if named else "", slack_blocks.plain(line[named.end() :] if named else line))


def parent(report: Report, *, interactive: bool = False) -> RenderedMessage:
    """The incident as it stands now: the message that is posted first and edited from then on.

    ``interactive`` adds the buttons that apply to it.
    """
    if report.kind is MessageKind.LATE:
        return details(report)
    return _message(report, buttons=_buttons(report) if interactive else [])


def _buttons(report: Report) -> list[Block]:
    """Return the buttons that apply. Each names only the incident's id: old messages stay pressable."""
    if not report.incident.startswith(INCIDENT_PREFIX):
        return []
    if report.status is Status.RESOLVED:
        return [slack_blocks.buttons(report.incident, [(POSTMORTEM, "Post-mortem", "")])]
    mute = (UNSILENCE, "Expire silence", "") if report.silenced else (SILENCE, "Silence", "")
    given = [*([] if report.acknowledged else [(ACKNOWLEDGE, "Acknowledge", "primary")]), mute, *_FURTHER]
    given += [(PUBLISH, "Publish to status page", "")] if report.publishable else []
    return [slack_blocks.buttons(report.incident, given)]


def archivable(report: Report) -> Block:
    """Return the button that archives the channel of an incident."""
    return slack_blocks.buttons(report.incident, [(ARCHIVE, "Archive this channel", "")])


def reply(report: Report) -> RenderedMessage:
    """Render the thread reply for a change: the change alone, without what the parent already shows."""
    if report.kind is MessageKind.LATE:
        return details(report)
    change = [Section("Update", report.update or report.resolution), *fields(report)]
    alone = report.kind in {MessageKind.OPINION, MessageKind.POSTMORTEM}
    shown = [*_paragraph(_lines(page(report) if alone else change)), *slack_blocks.fences(report.draft)]
    body = [slack_blocks.header(_headline(report)), *shown, _small_print(report)]
    return RenderedMessage(_preview(report), slack_blocks.fitted(body))


def fallback_page(report: Report, group: str) -> RenderedMessage:
    """Render a page that another channel did not accept, with the mention of the user groups of its teams.

    Without such teams it is ``group``, that of the channel. The ids come from settings and rule files only, so that no
    alert can mention a group. They are mentioned only if the message pages.
    """
    return _message(report, _mentions(report, group))


def _mentions(report: Report, group: str) -> str:
    """Return the mentions in a page that another channel did not accept; empty if it does not page."""
    return " ".join(filter(None, map(mention, report.oncall_groups or (group,)))) if report.pages else ""


def mention(group: str) -> str:
    """Return the mention of a user group (https://docs.slack.dev/messaging/formatting-message-text), empty for none."""
    return f"<!subteam^{group}>" if group else ""


def details(report: Report) -> RenderedMessage:
    """Render every finding with its detail and query, for the thread."""
    shown = [each for finding in worst_first(report.findings)[:MOST_FINDINGS] for each in _finding(finding)]
    left = len(report.findings) - MOST_FINDINGS
    more = [slack_blocks.context(f"Cut: {left} more findings left out.")] if left > 0 else []
    title = f"🔎 Diagnosis · {report.title}"
    late = [each for each in page(report) if each.name in _DIAGNOSED] if report.kind is MessageKind.LATE else []
    opening = [slack_blocks.header(title), *_paragraph(_lines(late))]
    pending = line_of(", ".join(report.pending))
    nothing = (
        []
        if shown
        else [slack_blocks.section(f"_No findings yet._ {'Still checking: ' + pending if pending else ''}".strip())]
    )
    labels = ", ".join(f"{name}={value}" for name, value in list(report.labels.items())[:100])
    tail = [slack_blocks.section(f"*Labels:* {code(labels, 1500)}")] if labels else []
    body = [*opening, *nothing, *shown, *more, *tail, _small_print(report)]
    return RenderedMessage(_preview(report), slack_blocks.fitted(body))


def minimal_text(report: Report, group: str = "") -> str:
    """The minimal form: one short text in ASCII. A fallback page mentions the groups of its teams, else ``group``."""
    mentions = _mentions(report, group) if report.kind is MessageKind.FALLBACK else ""
    href = safe_url(report.runbook.href) if report.runbook else ""
    address = f"Runbook: <{slack_blocks.escaped(ascii_only(href))}>" if href else ""
    runbook = f"Runbook: {report.runbook.text.removeprefix('Runbook: ')}" if report.runbook and not href else ""
    because = f"Fallback: {report.fallback_reason}" if report.fallback_reason else ""
    impact = f"Impact: {report.impact}" if report.impact else ""
    rows = (headline(report), because, report.update or report.what, impact, runbook)
    return "\n".join(filter(None, (mentions, *(ascii_line_of(ascii_only(row), 600) for row in rows if row), address)))


def _message(report: Report, mentions: str = "", buttons: Sequence[Block] = ()) -> RenderedMessage:
    """Render all sections in their order; ``mentions`` is the mention of the on-call group."""
    first, rest = page(report)[:_FIRST], page(report)[_FIRST:]
    body = [
        slack_blocks.header(_headline(report)),
        *_paragraph(slack_blocks.lines([*([mentions] if mentions else []), *map(_named, _filled(first))])),
        *(slack_blocks.section(_named(each)) for each in _filled(rest)),
        *buttons,
        *_paragraph("  |  ".join(filter(None, map(link, report.links)))),
        *_paragraph(_lines(metadata(report)[:-_PRINT])),
        _small_print(report),
    ]
    text = within(" ".join(filter(None, (mentions, _preview(report)))), slack_blocks.TEXT_LIMIT)
    return RenderedMessage(text, slack_blocks.fitted(body))


def _head(report: Report) -> str:
    """Return the sign of a message; an update that says nothing only adds a link to the page."""
    silent = report.kind is MessageKind.UPDATE and not report.update
    return _HEADS[MessageKind.START if silent else report.kind]


def _headline(report: Report) -> str:
    return f"{_head(report)} {headline(report)}"


def _preview(report: Report) -> str:
    return within(line_of(f"{_head(report)} {preview(report)}", 800), slack_blocks.TEXT_LIMIT)


def _filled(sections: Iterable[Section]) -> Iterator[Section]:
    return (each for each in sections if not each.empty)


def _lines(sections: Iterable[Section]) -> str:
    return slack_blocks.lines([_named(each) for each in _filled(sections)])


def _named(section: Section) -> str:
    """Return the name in bold, the text and the link of a section."""
    name = f"*{section.name}:*" if section.name else ""
    return " ".join(filter(None, (name, line_of(section.text), link(section.link) if section.link else "")))


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


def _paragraph(text: str) -> list[Block]:
    return [slack_blocks.section(text)] if text else []


def _small_print(report: Report) -> Block:
    """Return the last sections of the metadata: the count of alerts, the incident, the rule."""
    alerts, incident, rule = metadata(report)[-_PRINT:]
    return slack_blocks.context(line_of(f"{alerts.text} · {incident.text} · rule {rule.text}", 1500))
