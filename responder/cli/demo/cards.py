"""PagerDuty events and Slack messages of the demo, rendered for a terminal."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from responder.model.message import Request
from responder.model.text import clean, one_line
from responder.notify.contract import Channel, ShownMessage
from responder.standins.pagerduty import PagerEvent
from responder.standins.slack import SlackMessage

COLOURS = {"critical": "red", "error": "yellow", "warning": "cyan", "info": "blue"}
SEVERITY_COLOURS = {"P1": "bold red", "P2": "bold yellow", "P3": "bold cyan", "P4": "bold blue"}
#: Columns where there is no terminal.
_WIDTH = 110
#: Rows of a message that a card shows; the others repeat, so only the first card of a channel has them.
_STORY = frozenset(
    {"Summary", "Update", "Impact", "Likely cause", "First step", "Note", "Changed", "Ruled out", "Context", "Unknown"}
    | {"Related", "Cut", "Runbook"}
)


class Screen:
    """Output with cards on a terminal, plain lines in a pipe. Text of pages is never interpreted as markup.

    ``channels`` read what was sent on them, as in `responder dry-run`.
    """

    def __init__(self, console: Console, channels: Mapping[str, Channel]) -> None:
        self.console = console
        self._channels = channels
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
        severity = str(event.body.get("payload", {}).get("severity", ""))
        body = self._body("PagerDuty", self._shown("pagerduty", event.body))
        self._card("PagerDuty", f"{severity} · {after}", body, COLOURS.get(severity, "white"))

    def slack(self, message: SlackMessage, after: str, *, edited: bool, paged: bool) -> None:
        """Print a posted or edited message: a card for the first, one line if PagerDuty was paged as well."""
        place, thread = ("thread", {"thread_ts": message.thread_ts}) if message.thread_ts else ("#incidents", {})
        shown = self._shown("slack", {"text": message.text, "blocks": message.blocks, **thread})
        title = f"Slack {place} · {'edited' if edited else 'new'}"
        if not edited and (place not in self._seen or not (paged or thread)):
            self._card(title, after, self._body(place, shown), "magenta")
            return
        arrow = "↳" if thread else "✎" if edited else "+"
        line = Text(f"  {arrow} {title}: ", "magenta")
        self.console.print(line.append(one_line(shown.title), "default"), overflow="ellipsis", no_wrap=True)

    def _shown(self, channel: str, body: Mapping[str, Any]) -> ShownMessage:
        """Return what people read of a message with this body."""
        return self._channels[channel].shown(Request("", json.dumps(body).encode()))

    def _body(self, place: str, message: ShownMessage) -> RenderableType:
        """Return the text of a card, with all rows in the first of a place."""
        whole = place not in self._seen
        self._seen.add(place)
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for name, text in (*message.rows, *_runbooks(message)):
            if whole or name in _STORY:
                table.add_row(name, Text(clean(text)))
        return Group(Text(one_line(message.title), "bold"), table)

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


def screen_for(channels: Mapping[str, Channel], *, is_terminal: bool) -> Screen:
    """Return a screen on standard output, at most _WIDTH columns wide."""
    width = None if is_terminal else _WIDTH
    console = Console(highlight=False, emoji=False, markup=False, width=width, soft_wrap=False)
    if console.width > _WIDTH:
        console = Console(highlight=False, emoji=False, markup=False, width=_WIDTH)
    return Screen(console, channels)


def _runbooks(message: ShownMessage) -> Iterator[tuple[str, str]]:
    """Yield the addresses of the runbooks: other links are too long for a card."""
    yield from (("Runbook", each.href) for each in message.links if each.text.startswith("Runbook"))
