"""Headings, fences and links of a Markdown text, with their positions; lines and columns count from 1.

The info string of a fence has a language, then attributes as Runme writes them:

    sh {"name":"pods","tag":"readonly"}      JSON, Runme's preferred form
    sh { name=pods tag=readonly }            Runme's older form: split at blanks, quotes are kept

See docs.runme.dev, "Cell configuration keys".
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from markdown_it.token import Token

_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_HTML_ANCHOR = re.compile(r"<[a-z][^<>]*?\s(?:id|name)\s*=\s*[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_HTML_LINK = re.compile(r"<(?:a|img)\b[^<>]*?\s(?:href|src)\s*=\s*[\"']([^\"'<>]+)", re.IGNORECASE)
_BARE_URL = re.compile(r"\bhttps?://[^\s<>()\[\]`\"']*[^\s<>()\[\]`\"'.,;:!?*_]")
_PAIR = re.compile(r"([A-Za-z][\w.-]*)=(\S+)\Z")


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading: level (from 1), text without markup, anchor, and first and last line."""

    level: int
    title: str
    anchor: str
    line: int
    last_line: int


@dataclass(frozen=True)
class Fence:
    """Fenced code block. ``line`` and ``column`` are the position of the first character of its content.

    ``problem`` says why its attributes cannot be read, and is empty if they can. ``end_line`` is that of the closing
    fence; ``closed`` is False if there is none. ``language`` is in lower case.
    """

    language: str
    content: str
    line: int
    column: int
    end_line: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    closed: bool = True

    @property
    def name(self) -> str:
        """Name of the fence; empty if it has none."""
        return self.attributes.get("name", "")

    @property
    def tag(self) -> str:
        """``readonly``, ``mutating``, or what else the author wrote; empty if the fence is documentation only."""
        return self.attributes.get("tag", "")

    @cached_property
    def sha256(self) -> str:
        """Hash of the content, which pins what was reviewed."""
        return sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """Link or image: its target as written, with its position."""

    target: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Markdown:
    """Parts of a text in order. ``anchors`` are those of headings and of HTML elements.

    ``code_lines`` are the lines inside of code blocks and their fences.
    """

    headings: tuple[Heading, ...]
    fences: tuple[Fence, ...]
    links: tuple[Link, ...]
    anchors: frozenset[str]
    code_lines: frozenset[int]
    front_matter: str
    lines: tuple[str, ...]


def read(text: str) -> Markdown:
    """Parse a text as CommonMark, with the front matter of static site generators left out."""
    from markdown_it import MarkdownIt

    front = _FRONT_MATTER.match(text)
    if front:
        text = "\n" * front[0].count("\n") + text[front.end() :]
    lines = tuple(re.split(r"\r\n|\r|\n", text))
    headings: list[Heading] = []
    fences: list[Fence] = []
    links: list[Link] = []
    anchors: set[str] = set()
    code: set[int] = set()
    taken: dict[str, int] = {}
    for token, following in pairwise((*MarkdownIt("commonmark").parse(text), None)):
        if token is None or token.map is None:
            continue
        if token.type == "heading_open" and following is not None:
            title = _text(following)
            headings.append(Heading(int(token.tag[1:]), title, _anchor(title, taken), token.map[0] + 1, token.map[1]))
        elif token.type == "fence":
            fences.append(_fence(token, token.map, lines))
            code.update(range(token.map[0] + 1, token.map[1] + 1))
        elif token.type == "code_block":
            code.update(range(token.map[0] + 1, token.map[1] + 1))
        elif token.type == "inline":
            links.extend(_links(token, token.map[0], lines))
            html = "".join(child.content for child in token.children or () if child.type == "html_inline")
            anchors.update(_HTML_ANCHOR.findall(html))
        elif token.type == "html_block":
            anchors.update(_HTML_ANCHOR.findall(token.content))
            above = (
                (each[1], token.content.count("\n", 0, each.start(1))) for each in _HTML_LINK.finditer(token.content)
            )
            links.extend(_located(target, token.map[0] + number, 0, lines) for target, number in above)
    anchors.update(heading.anchor for heading in headings)
    matter = front[1] if front else ""
    return Markdown(tuple(headings), tuple(fences), tuple(links), frozenset(anchors), frozenset(code), matter, lines)


def _fence(token: "Token", at: list[int], lines: tuple[str, ...]) -> Fence:
    info = parse_info(token.info)
    first = at[0] + 1
    content = token.content.split("\n", 1)[0]
    column = len(lines[first]) - len(content) + 1 if content and first < len(lines) else 1
    last = lines[at[1] - 1].strip().lstrip("> ")
    closed = at[1] - 1 > at[0] and last.startswith(token.markup) and not last.strip(token.markup[0])
    return Fence(info.language, token.content, first + 1, max(column, 1), at[1], info.attributes, info.problem, closed)


def _links(inline: "Token", first: int, lines: tuple[str, ...]) -> Iterator[Link]:
    """Yield the links of a paragraph. The parser gives no positions: they are looked for in its lines."""
    number, column, inside = first, 0, 0
    for child in inline.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            number, column = number + 1, 0
            continue
        inside += child.nesting if child.type in {"link_open", "link_close"} else 0
        if child.type == "link_open":
            targets = [str(child.attrs.get("href", ""))]
        elif child.type == "image":
            targets = [str(child.attrs.get("src", ""))]
        elif child.type == "html_inline":
            targets = _HTML_LINK.findall(child.content)
        elif child.type == "text" and not inside:
            targets = _BARE_URL.findall(child.content)
        else:
            continue
        for target in targets:
            link = _located(target, number, column, lines)
            if link.line - 1 == number:
                column = link.column + len(link.target) - 1
            yield link


def _located(target: str, number: int, column: int, lines: tuple[str, ...]) -> Link:
    """Return the position and spelling of a target on or after a line; its beginning if it is defined elsewhere."""
    for line in range(number, min(number + 20, len(lines))):
        for spelling in (target, unquote(target)):
            if (found := lines[line].find(spelling, column if line == number else 0)) >= 0 and spelling:
                return Link(spelling, line + 1, found + 1)
    return Link(target, number + 1, column + 1)


def _text(inline: "Token") -> str:
    """Return the text of a heading without markup."""
    seen = (child.content for child in inline.children or () if child.type in {"text", "code_inline"})
    return "".join(seen).strip()


def _anchor(title: str, taken: dict[str, int]) -> str:
    """Return GitHub's anchor of a heading.

    It is in lower case, without punctuation other than ``-`` and ``_``, with dashes for spaces, and with ``-1``, ``-2``
    for the second and third of the same name (GitHub Docs, "Basic writing and formatting syntax").
    """
    plain = _NOT_IN_ANCHORS.sub("", title.lower()).replace(" ", "-")
    anchor = plain
    while anchor in taken:
        taken[plain] += 1
        anchor = f"{plain}-{taken[plain]}"
    taken[anchor] = 0
    return anchor


@dataclass(frozen=True, slots=True)
class InfoString:
    """Language and attributes of a fence. ``problem`` says why the attributes cannot be read; empty if they can."""

    language: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def parse_info(info: str) -> InfoString:
    """Read an info string. Malformed attributes give an InfoString with a problem and no attributes.

    Words between language and attributes are ignored, as by Markdown renderers: ``sh title=x``.
    """
    words, brace, rest = info.strip().partition("{")
    language = words.split()[0].lower() if words.split() else ""
    if not brace:
        return InfoString(language)
    text = brace + rest
    try:
        return InfoString(language, _from_json(text))
    except ValueError as error:
        json_problem = str(error)
    pairs = text[1:-1].split() if text.endswith("}") else []
    found = [_PAIR.match(pair) for pair in pairs]
    if pairs and all(found):
        named = [(each[1], each[2]) for each in found if each]
        if len(dict(named)) == len(named):
            return InfoString(language, dict(named))
        return InfoString(language, problem="the attributes have the same key twice")
    return InfoString(language, problem=f"the attributes are not a JSON object of texts: {json_problem}")


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    return {key: _as_text(key, value) for key, value in found.items()}


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same key twice")
    return found


def _as_text(key: str, value: object) -> str:
    """Return a value as Runme prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"the value of '{key}' is not a text")
