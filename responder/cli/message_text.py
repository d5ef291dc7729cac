"""Messages as people read them, as text for a terminal or a pipe."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import click

from responder.cli.table import wrapped
from responder.model.redaction import redact
from responder.model.text import clean

if TYPE_CHECKING:
    from responder.cli.preview import Sent
    from responder.notify.contract import ShownMessage

_BAR = "  │ "
#: Longest name that has a column of its own, in characters.
_NAME_LIMIT = 20


def lines(sent: "Sequence[Sent]", width: int | None) -> Iterator[str]:
    """Yield the messages of each channel, and after them the addresses of their links.

    Lines are wrapped at ``width``, unless it is None. A message that another channel shows as well is not repeated.
    """
    seen: dict[ShownMessage, str] = {}
    links: dict[str, str] = {}
    for each in sent:
        for message in map(each.channel.shown, each.requests):
            yield ""
            yield f"  {click.style(f'{each.key.upper():<9}', fg='cyan')}  {_safe(message.where)}"
            if message in seen:
                yield f"{_BAR}as on {seen[message]}"
                continue
            seen[message] = each.key
            links |= {link.href: link.text for link in message.links if link.href not in links}
            yield from _message(message, width)
    if links:
        yield ""
        names = max(map(len, links.values()))
        heads = ("LINKS", *[""] * len(links))
        for head, (href, text) in zip(heads, links.items(), strict=False):
            yield f"  {click.style(f'{head:<10}', fg='cyan')} {_safe(text):<{names}}  {_safe(href)}"


def _message(message: "ShownMessage", width: int | None) -> Iterator[str]:
    if message.title:
        yield from _bars("", _safe(message.title), 0, width, bold=True)
        yield _BAR.rstrip()
    names = max((len(name) for name, _text in message.rows if len(name) <= _NAME_LIMIT), default=0)
    column = names + 2 if names else 0
    for name, text in message.rows:
        heading, *rest = _safe(text).split("\n")
        if name and len(name) > _NAME_LIMIT:
            yield from _bars("", f"{_safe(name)}: {heading}", 0, width)
        else:
            yield from _bars(_safe(name), heading, column if name else 0, width)
        for line in rest:
            yield from _bars("", line, column, width)


def _bars(name: str, text: str, column: int, width: int | None, **style: bool) -> Iterator[str]:
    left = click.style(f"{name:<{column}}", dim=True) if column else ""
    for number, line in enumerate(wrapped(text, column, width and width - len(_BAR)).split("\n")):
        shown = click.style(line, **style) if style else line
        yield f"{_BAR}{shown if number else left + shown}".rstrip()


@lru_cache(1000)  # channels repeat the same rows
def _safe(text: str) -> str:
    return redact(clean(text))
