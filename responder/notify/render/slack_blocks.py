"""Slack's Block Kit as plain dicts: text that cannot break out of its place, and blocks that keep Slack's limits."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from responder.model.rule import Link
from responder.model.text import clean, number_of, one_line, whole_words
from responder.notify.report.links import safe_url

# https://docs.slack.dev/reference/block-kit/blocks
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
MOST_BLOCKS = 50
# Undocumented: messages over about 13,200 characters in all blocks are refused with msg_blocks_too_long.
TOTAL_LIMIT = 10_000
# https://docs.slack.dev/reference/methods/chat.update : msg_too_long from 4,000 on, counted in bytes
TEXT_LIMIT = 3900

Block = dict[str, Any]

#: Marks that Slack formats by: those next to a word at its beginning, or at its end.
_MARKS = re.compile(r"(?<![A-Za-z0-9])([*_~]+)(?=\S)|(?<=\S)([*_~]+)(?![A-Za-z0-9])")
_ALIKE = str.maketrans("*_~", "\N{ASTERISK OPERATOR}\N{MODIFIER LETTER LOW MACRON}\N{TILDE OPERATOR}")
#: What Slack shows otherwise than it is written. Each group is what is left of it.
MRKDWN = re.compile(
    r"```\n?(?P<fence>.*?)\n?```|`(?P<code>[^`]+)`|<(?P<href>https?://[^|>]*)\|(?P<text>[^>]*)>"
    r"|\*(?P<bold>[^*\n]+)\*|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)",
    re.DOTALL,
)
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def line_of(text: str, limit: int = 1000) -> str:
    """``text`` on one line, harmless in mrkdwn, at most ``limit`` characters after escaping.

    Slack knows three escapes, and with ``<`` gone neither mentions nor links can be written. Other marks have no
    escape: backticks become apostrophes (a fence in a label would swallow the lines after it), marks of bold, italic
    and strike-through become characters that look alike, and a ``>`` that would begin a quotation is dropped.
    """
    return _cut(escaped(_MARKS.sub(_look_alike, _plain(text, limit)).lstrip("> ")), limit)


def ascii_line_of(text: str, limit: int = 1000) -> str:
    """Return ``text`` on one line for the minimal form: spaces keep marks and addresses from taking effect.

    Characters that look like the marks are not ASCII. Slack links each address in the text of a message by itself.
    """
    plain = _MARKS.sub(lambda mark: " ".join(["", *mark[2]] if mark[2] else [*mark[1], ""]), _plain(text, limit))
    return _cut(escaped(plain.lstrip("> ").replace("://", ": //")), limit)


def code(text: str, limit: int = 1000) -> str:
    """``text`` as a code span, in which no mark formats."""
    inner = _cut(escaped(_plain(text, limit)), limit - 2)
    return f"`{inner}`" if inner else ""


def fenced(text: str, limit: int = 2000) -> str:
    """``text`` of several lines as a code block."""
    inner = _cut(escaped(clean(text[: 2 * limit]).replace("`", "'")), limit - 8).strip("\n")
    return f"```\n{inner}\n```" if inner.strip() else ""


def fences(text: str) -> Iterator[Block]:
    """Yield sections with ``text`` of any length as code blocks, whole lines in each."""
    chunk: list[str] = []
    size = 0
    for line in text.splitlines():
        weight = len(escaped(line)) + 1
        if chunk and size + weight > SECTION_LIMIT - 100:
            yield section(fenced("\n".join(chunk), SECTION_LIMIT))
            chunk, size = [], 0
        chunk.append(line)
        size += weight
    if shown := fenced("\n".join(chunk), SECTION_LIMIT):
        yield section(shown)


def link(target: Link, limit: int = 100) -> str:
    """``target`` as a link, or as its text alone where the address may not be one."""
    text = line_of(target.text, limit).replace("|", "/")
    url = safe_url(target.href)
    return f"<{escaped(url)}|{text}>" if url and text else text


def plain(mrkdwn: str) -> str:
    """Return what a reader sees of a text: links by their texts, no marks and entities."""
    kept = ("fence", "code", "text", "bold", "italic")
    return html.unescape(MRKDWN.sub(lambda found: next(filter(None, map(found.group, kept)), ""), mrkdwn))


def links_of(mrkdwn: str) -> Iterator[Link]:
    """Yield the links in a text."""
    for found in MRKDWN.finditer(mrkdwn):
        if found["href"]:
            yield Link(html.unescape(found["text"]), html.unescape(found["href"]))


def header(text: str) -> Block:
    """A header block: plain text of at most 150 characters."""
    return {"type": "header", "text": {"type": "plain_text", "text": line_of(text, HEADER_LIMIT), "emoji": True}}


def section(text: str) -> Block:
    """A section of mrkdwn made with the functions above."""
    return {"type": "section", "text": _mrkdwn(_cut(text, SECTION_LIMIT))}


def lines(texts: Sequence[str]) -> str:
    """Return the lines joined, as many as fit; a last one counts those left out."""
    size = 40  # room for the line that says so
    for count, text in enumerate(texts):
        size += len(text) + 1
        if size > SECTION_LIMIT:
            return "\n".join([*texts[:count], f"… and {len(texts) - count} more"])
    return "\n".join(texts)


def buttons(value: str, given: Iterable[tuple[str, str, str]]) -> Block:
    """Buttons with one ``value``, an opaque id. Each is its action id, its text and its style, empty for none."""
    elements = [
        {"type": "button", "action_id": action, "value": value, "text": {"type": "plain_text", "text": text}}
        | ({"style": style} if style else {})
        for action, text, style in given
    ]
    return {"type": "actions", "elements": elements}


def context(text: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [_mrkdwn(_cut(text, FIELD_LIMIT))]}


def fitted(blocks: Sequence[Block]) -> list[Block]:
    """Return the first blocks, as many as Slack accepts; a last line counts those left out.

    Blocks are ordered most important first by their makers, small print last: the small print stays.
    """
    kept, size = list(blocks), sum(map(weight, blocks))
    if len(kept) <= MOST_BLOCKS and size <= TOTAL_LIMIT:
        return kept
    note_room, left_out = 100, 0
    last = [kept.pop()] if kept[-1]["type"] == "context" else []
    while kept and (len(kept) + len(last) + 1 > MOST_BLOCKS or sum(map(weight, kept + last)) + note_room > TOTAL_LIMIT):
        kept.pop()
        left_out += 1
    return [*kept, context(f"Cut to fit Slack: {number_of(left_out, 'more part')} left out."), *last]


def weight(block: Block) -> int:
    """Return the characters of text in a block."""
    texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return sum(len(text["text"]) for text in texts if text and isinstance(text["text"], str))


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack must not turn addresses or @names inside foreign text into links and mentions by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _look_alike(marks: re.Match[str]) -> str:
    return marks[0].translate(_ALIKE)


def _plain(text: str, limit: int) -> str:
    return one_line(text[: 2 * limit]).replace("`", "'")


def escaped(text: str) -> str:
    """``text`` with the three characters that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters; no word, link or entity is cut in two."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    opened = head.rfind("<")
    if opened > head.rfind(">"):
        head = head[:opened]
    elif not head.endswith(">"):
        head = _HALF_ENTITY.sub("", head[: whole_words(text, len(head))])
    return head.rstrip(" …") + "…"
