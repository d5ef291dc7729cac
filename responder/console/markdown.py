"""Runbooks as HTML: CommonMark without raw HTML, cleaned once more, with the values of an incident in its commands."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from responder.model.text import clean
from responder.notify.report.links import safe_url
from responder.runbooks.words import SLOT, is_value

#: Runbooks that are kept parsed: parsing one of 80 KB takes 80 ms of processor time, rendering it some 10 ms.
MOST_PARSED = 16
_URL = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]]")
_TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"),
    *("ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href"},
    "h1": {"id"},
    "h2": {"id"},
    "h3": {"id"},
    "h4": {"id"},
    "h5": {"id"},
    "h6": {"id"},
    "div": {"class"},
    "span": {"class"},
    "button": {"class", "type"},
    "th": {"scope"},
}


def linked(text: str) -> Markup:
    """Return plain text, escaped, with its http(s) addresses as links."""
    text = clean(text)
    pieces, done = [Markup()], 0
    for found in _URL.finditer(text):
        if href := safe_url(found[0]):
            pieces += [escape(text[done : found.start()]), link(href, found[0])]
            done = found.end()
    return Markup().join([*pieces, escape(text[done:])])


def link(href: str, text: str) -> Markup:
    """Return a link to another site."""
    return Markup('<a href="{}" rel="noreferrer noopener">{}</a>').format(href, text)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill placeholders with the values that may stand for them; the others stay as they are."""
    return SLOT.sub(lambda found: value if is_value(value := values.get(found[1], "")) else found[0], text)


def html_of(text: str, anchors: Mapping[int, str], values: Mapping[str, str]) -> Markup:
    """Return a runbook as HTML. ``anchors`` are those of its headings by line, ``values`` fill its commands."""
    import nh3

    parser = _parser()
    rendered = parser.renderer.render(_tokens(clean(text)), parser.options, {"anchors": anchors, "values": values})
    return Markup(  # noqa: S704 - cleaned by nh3
        nh3.clean(
            rendered,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
            link_rel="noreferrer noopener",
        )
    )


@lru_cache(maxsize=MOST_PARSED)
def _tokens(text: str) -> Any:
    return _parser().parse(text, {})


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("heading_open", _heading)
    return parser


def _fence(_self: Any, tokens: Any, index: int, _options: Any, env: Any) -> str:
    """Render a code block with its values, and a button that copies it; without JavaScript the button is hidden."""
    token = tokens[index]
    code = filled(token.content, env["values"]).rstrip("\n")
    language = token.info.split()[0].lower() if token.info.split() else ""
    tag = "mutating" if '"mutating"' in token.info else "readonly" if '"readonly"' in token.info else ""
    note = Markup('<span class="tag {}">{}</span>').format(tag, tag.replace("readonly", "read-only")) if tag else ""
    button = "" if language in {"text", ""} else Markup('<button class="copy" type="button">Copy</button>')
    return str(Markup('<div class="code"><pre><code>{}</code></pre>{}{}</div>').format(code, note, button))


def _heading(_self: Any, tokens: Any, index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    anchor = env["anchors"].get(token.map[0] + 1, "") if token.map else ""
    return str(Markup('<{} id="{}">').format(token.tag, anchor)) if anchor else f"<{token.tag}>"
