"""PagerDuty events and Slack messages of the demo, rendered for a terminal."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from responder.model.text import clean, one_line
from responder.notify.render.slack_blocks import MRKDWN
from responder.standins.pagerduty import PagerEvent
from responder.standins.slack import SlackMessage

COLOURS = {"critical": "red", "error": "yellow", "warning": "cyan", "info": "blue"}
SEVERITY_COLOURS = {"P1": "bold red", "P2": "bold yellow", "P3": "bold cyan", "P4": "bold blue"}
#: Columns where there is no terminal.
_WIDTH = 110
# Details shown on a card.
_STORY = frozenset(
    {"Update", "Impact", "Likely cause", "First step", "Note", "Changed", "Ruled out", "Context", "Unknown", "Related"}
)
_STYLES = {"fence": "dim", "code": "dim", "text": "underline", "bold": "bold", "italic": "italic"}
# Lines omitted after the first message, since they repeat.
_BY_THE_WAY = (
    *("*Related:*", "*History:*", "*Severity:*", "*Service:*", "*Status:*", "*Owner:*", "*Response target:*"),
    *("*Escalation:*", "*Lead:*", "*Channel:*", "*Started:*", "*Next update:*", "*Labels:*"),
)


class Screen:
    """Output with cards on a terminal, plain lines in a pipe. Text of pages is never interpreted as markup."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._seen: set[str] = set()

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        self.console.print(Text(text, style))

    def act(self, title: str) -> None:
        """Print the heading of a section."""
        self.console.print()
        if self.console.is_terminal:
            self.console.print(Rule(Text(title, "bold"), align="left", style="dim"))
        else:
            self.console.print(Text(f"== {title}"))
        self.console.print()

    def pager(self, event: PagerEvent, after: str) -> None:
        """Print an event accepted by PagerDuty; ``after`` is the elapsed time."""
        if event.action != "trigger":
            done = {"resolve": "resolved", "acknowledge": "acknowledged"}.get(event.action, event.action)
            self._card("PagerDuty", f"{done} · {after}", Text(f"incident {event.dedup_key[:12]}… {done}"), "green")
            return
        payload = event.body.get("payload", {})
        severity = str(payload.get("severity", ""))
        rows = [(key.partition(" ")[2], str(text)) for key, text in _fields(payload.get("custom_details", {}))]
        rows.append(("Links", " · ".join(_named(link) for link in event.body.get("links", ()))))
        body = Group(Text(one_line(event.summary), "bold"), _rows(rows))
        self._card("PagerDuty", f"{severity} · {after}", body, COLOURS.get(severity, "white"))

    def slack(self, message: SlackMessage, after: str, *, edited: bool, paged: bool) -> None:
        """Print a posted or edited message: in full if it is the first, on one line if PagerDuty was paged as well."""
        where = "thread" if message.thread_ts else "#incidents"
        first = where not in self._seen and not edited
        title = f"Slack {where} · {'edited' if edited else 'new'}"
        if first or not (edited or paged or message.thread_ts):
            self._seen.add(where)
            body = Group(*(_thread(message) if message.thread_ts else _blocks(message, whole=first)))
            self._card(title, after, body, "magenta")
            return
        arrow = "↳" if message.thread_ts else "✎" if edited else "+"
        line = Text(f"  {arrow} {title}: ", "magenta")
        self.console.print(line.append(_gist(message), "default"), overflow="ellipsis", no_wrap=True)

    def _card(self, title: str, after: str, body: RenderableType, colour: str) -> None:
        if self.console.is_terminal:
            name = Text(f" {title} · {after} ", f"bold {colour}")
            self.console.print(Panel(body, box=ROUNDED, title=name, title_align="left", border_style=colour))
            return
        self.console.print(Text(f"  {title} · {after}"))
        with self.console.capture() as drawn:
            self.console.print(Padding(body, (0, 0, 0, 4)))
        for line in drawn.get().splitlines():  # rich pads lines with spaces
            self.console.print(Text(line.rstrip()), soft_wrap=True)


def screen_for(*, is_terminal: bool) -> Screen:
    """Return a screen on standard output, at most _WIDTH columns wide."""
    width = None if is_terminal else _WIDTH
    console = Console(highlight=False, emoji=False, markup=False, width=width, soft_wrap=False)
    if console.width > _WIDTH:
        console = Console(highlight=False, emoji=False, markup=False, width=_WIDTH)
    return Screen(console)


def _fields(details: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    tally: dict[str, int] = {}
    for key, text in details.items():
        number, _, name = key.partition(" ")
        if name in _STORY:
            yield key, text
        elif number.startswith("F") and number[1:].isdigit():
            tally[name] = tally.get(name, 0) + 1
    if tally:
        yield "F Findings", ", ".join(f"{count} {verdict}" for verdict, count in tally.items())
    if details.get("99 Cut"):
        yield "99 Cut", details["99 Cut"]


def _named(link: Mapping[str, Any]) -> str:
    text = one_line(str(link.get("text", "")))
    return f"{text} <{link.get('href', '')}>" if text.startswith("Runbook") else text


def _rows(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=9)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(name, Text(one_line(text)))
    return table


def _blocks(message: SlackMessage, *, whole: bool) -> Iterator[RenderableType]:
    """Render the blocks; those that repeat in every message only if ``whole``."""
    for block in message.blocks:
        text = str(block.get("text", {}).get("text", ""))
        if block.get("type") == "header":
            yield Text(one_line(html.unescape(text)), "bold")
        elif "fields" in block:
            if whole:
                yield Text("  ·  ").join(mrkdwn(str(each["text"]).replace("\n", " ")) for each in block["fields"])
        elif block.get("type") == "context":
            if whole:
                yield Text("\n").join(mrkdwn(str(each.get("text", ""))) for each in block.get("elements", ()))
        elif kept := "\n".join(line for line in text.splitlines() if whole or not line.startswith(_BY_THE_WAY)):
            yield mrkdwn(kept)
    if not message.blocks:
        yield mrkdwn(message.text)


def _thread(message: SlackMessage) -> Iterator[RenderableType]:
    """Render the blocks with one truncated line each: probe queries are long."""
    for line in _blocks(message, whole=True):
        for part in line.split("\n") if isinstance(line, Text) else ():
            part.truncate(_WIDTH - 6, overflow="ellipsis")
            part.no_wrap = True
            if part.plain.strip():
                yield part


def _gist(message: SlackMessage) -> str:
    return one_line(html.unescape(message.lines[0]))


def mrkdwn(source: str) -> Text:
    """Render Slack's mrkdwn: link texts, bold, italic, code and HTML entities."""
    text = Text()
    at = 0
    for found in MRKDWN.finditer(source):
        text.append(_plain(source[at : found.start()]))
        for name, style in _STYLES.items():
            if found[name]:
                text.append(_plain(found[name]), style)
        at = found.end()
    return text.append(_plain(source[at:]))


def _plain(text: str) -> str:
    return clean(html.unescape(text))
