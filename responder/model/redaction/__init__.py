"""Redaction of foreign text: secrets are found by their form, by their place, and by the name before them."""

import re
from collections.abc import Iterable
from html import unescape
from typing import Final

from responder.model.redaction.formats import find_addresses, find_private_keys, find_tokens
from responder.model.redaction.named import find_headers, find_named
from responder.model.redaction.values import MARK, is_secret, name_hint, word_set

__all__ = ["MARK", "REDACTIONS", "redact", "redact_value"]

#: Every type that a mark can name.
REDACTIONS: Final = word_set(
    "pem userinfo webhook jwt aws-key github-token slack-token api-token authorization cookie bearer basic "
    "routing-key secret"
)
_SEARCHES: Final = (find_private_keys, find_addresses, find_headers, find_named, find_tokens)
_ENCODED: Final = re.compile(r"%(?:25)?([0-7][0-9A-Fa-f])|&(?:quot|amp|lt|gt|apos|#39|#34|#x27|#x22);")


def redact(text: str) -> str:
    """Return ``text`` with secrets replaced by ``[REDACTED:type]``; the words that announce them stay readable.

    Types: pem (private keys), userinfo (of a URL), webhook (the secret part of its URL), jwt, aws-key, github-token,
    slack-token, api-token (other vendors), authorization, cookie, bearer, basic, routing-key (PagerDuty), secret (the
    value of a name such as ``password``). Where the extent is in doubt, more is redacted: half a secret is one.

    The time is linear in the length of the text: candidates are found by RE2, and what examines one is bounded or
    consumes what it examined.
    """
    plain = text.encode("ascii", "replace")  # one byte a character, so that positions in both are the same
    for search in _SEARCHES:
        if found := [*search(text, plain)]:
            text = _without(text, _apart(found))
            plain = text.encode("ascii", "replace")
    if _ENCODED.search(text):
        decoded, places = _decoded(text)
        plain = decoded.encode("ascii", "replace")
        if found := _apart(span for search in _SEARCHES for span in search(decoded, plain)):
            text = _without(text, [(places[start], places[end], kind) for start, end, kind in found])
    return text


def redact_value(name: str, value: str) -> str:
    """Return the ``value`` of a label with secrets replaced: all of it if ``name`` announces one."""
    if (hint := name_hint(name)) and is_secret(value, hint, plainly=True, quoted=True):
        return f"{MARK}secret]"
    return redact(value)


def _apart(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans in order, without those that begin inside another; of those that begin together the longest."""
    kept: list[tuple[int, int, str]] = []
    for span in sorted(found, key=lambda each: (each[0], -each[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _without(text: str, found: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, kind in found:
        pieces += (text[done:start], f"{MARK}{kind}]")
        done = end
    return "".join([*pieces, text[done:]])


def _decoded(text: str) -> tuple[str, list[int]]:
    """The text without percent-encoding and HTML entities, and where in ``text`` each character, and the end, is."""
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for code in _ENCODED.finditer(text):
        start, end = code.span()
        pieces += (text[done:start], chr(int(code[1], 16)) if code[1] else unescape(code[0]))
        places += range(done, start + 1)
        done = end
    return "".join([*pieces, text[done:]]), [*places, *range(done, len(text) + 1)]
