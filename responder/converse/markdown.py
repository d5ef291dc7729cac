"""Untrusted text in a Markdown document: no mark of it formats, links or breaks out of its line. Pure."""

import re

from responder.model.rule import Link
from responder.model.text import one_line
from responder.notify.report.links import safe_url

#: Characters that format wherever they stand, and an underscore beside a word (https://github.github.com/gfm/).
_MARKS = re.compile(r"[\\`*\[\]<>|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: Beginnings of addresses that GitHub's Markdown links by itself.
_ADDRESS = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=[Ww])(\.)(?=\S)|(?<=\S)(@)(?=\S)")
#: Beginnings of lines that open a heading, a list, a quotation or a rule.
_OPENING = re.compile(r"^(?:(?=[#+=-])|(\d{1,9})(?=[.)]))")


def line_of(text: str) -> str:
    """Return ``text`` on one line, harmless within a line of a document."""
    return _ADDRESS.sub(r"\\\g<0>", _MARKS.sub(r"\\\g<0>", one_line(text)))


def item(text: str) -> str:
    """Return ``text`` as an item of a list; it opens nothing of its own."""
    opened = _OPENING.sub(lambda found: f"{found[1] or ''}\\", line_of(text))
    return f"- {opened}"


def link(target: Link) -> str:
    """Return a link, or its text alone where the address may not be one."""
    url, text = safe_url(target.href), line_of(target.text)
    plain = re.sub(r"[()<>\s\\]", lambda found: f"%{ord(found[0]):02X}", url)
    return f"[{text}](<{plain}>)" if plain and text else text
