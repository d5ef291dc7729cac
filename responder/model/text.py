"""Foreign text made fit to show: cleaned of invisible characters, redacted, and only then cut."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from responder.model.redaction import MARK, redact

_ELLIPSIS = "…"
#: Characters that are processed: eight times what any page shows, so that the work on a hostile text is bounded.
_WINDOW = 16384
#: Characters of the longest mark of a redaction.
_LONGEST_MARKER = 40

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and its like: titles, links
    r"|\x1b[@-Z\\^_a-z=>]"
)
#: Code points without a shape of their own: bidi controls, zero-width characters, fillers, variation selectors, tags
#: (Unicode 16, DerivedCoreProperties, Default_Ignorable_Code_Point), and interlinear annotations.
_INVISIBLE = (
    *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
INVISIBLE: Final = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _INVISIBLE)}]")
#: Accents on one letter beyond the third: no language has more, and many of them cover the lines around.
_ACCENT = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
STACKED_ACCENTS: Final = re.compile(f"(?<={_ACCENT}{{3}}){_ACCENT}+")
_TABLE: dict[int, str | None] = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0))),
    **{code: None for first, last in _INVISIBLE for code in range(first, last + 1)},
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    ord("\n"): "\n",
    ord("\t"): " ",
    0x2028: "\n",
    0x2029: "\n",
}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
_MOST_SECONDS = 36_500 * _SECONDS["d"]
_DURATION_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)


def clean(text: str) -> str:
    r"""``text`` without control characters, terminal sequences, invisible characters and stacked accents.

    Line breaks of any style become ``\n``, a tab becomes a space, a lone surrogate becomes U+FFFD: what is left can be
    encoded as UTF-8.
    """
    if text.isprintable() and (text.isascii() or not (INVISIBLE.search(text) or STACKED_ACCENTS.search(text))):
        return text
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n").translate(_TABLE)
    return text if text.isascii() else STACKED_ACCENTS.sub("", text)


def one_line(text: str) -> str:
    """The same on one line: every run of white space is one space, none at the ends."""
    return " ".join(clean(text).split())


def number_of(count: int, noun: str, plural: str = "") -> str:
    """A count and what is counted: "1 alert", "2 alerts", "1,200 bodies"; ``plural`` where it is not ``noun`` and s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


_WORD = re.compile(r"[a-z]+(?=[ ,;.]|$)")


def sentence(text: str) -> str:
    """``text`` with a capital letter, where it begins with a word in lower case and not with a name."""
    return text[:1].upper() + text[1:] if _WORD.match(text) else text


def seconds_of(text: str) -> float:
    """Seconds of a duration as Prometheus writes it, such as ``1h30m``, at most 100 years: dates end in 9999.

    Raises ValueError with what to write.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError("a duration is a number with a unit: 8s, 30m, 4h, 1d")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if not total:
        raise ValueError("a duration is above zero")
    return min(total, _MOST_SECONDS)


def cut(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, ending with an ellipsis where something was cut off.

    Words stay whole, unless one alone takes half of it; a letter is never parted from its accents, nor is a redaction
    mark cut in two.
    """
    if len(text) <= limit:
        return text
    if limit <= 0:
        return ""
    end = limit - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    mark = text.rfind(MARK, max(0, end - _LONGEST_MARKER), end + len(MARK) - 1)
    if mark >= 0 and "]" not in text[mark:end]:
        end = mark
    return text[: whole_words(text, end)].rstrip(" ,;:…") + _ELLIPSIS


def whole_words(text: str, end: int) -> int:
    """Return where to cut ``text`` to keep at most ``end`` characters and, if there is a space, whole words."""
    if end >= len(text) or text[end].isspace():
        return end
    space = max(text.rfind(" ", 0, end), text.rfind("\n", 0, end))
    return space if space >= end // 2 else end


def sanitize(text: str, limit: int) -> str:
    """``text`` fit to be kept and shown in at most ``limit`` characters: cleaned, then redacted, then cut.

    It is not escaped: that is for the sink.
    """
    return cut(redact(clean(_window(text))).strip(), limit)


def sanitize_line(text: str, limit: int) -> str:
    """The same on one line. Short texts are remembered: the labels of a group and of its next notification repeat."""
    return _remembered(text, limit) if len(text) <= _SHORT else _sanitized(text, limit)


def _sanitized(text: str, limit: int) -> str:
    return cut(redact(one_line(_window(text))), limit)


#: Characters of texts whose sanitized form is remembered.
_SHORT = 128
_remembered = lru_cache(maxsize=4096)(_sanitized)


def _window(text: str) -> str:
    """The beginning of an overlong text, without its last word: that may be the first half of a secret."""
    if len(text) <= _WINDOW:
        return text
    head = text[:_WINDOW]
    words = head.rsplit(maxsplit=1)
    return words[0] + _ELLIPSIS if len(words) > 1 else head
