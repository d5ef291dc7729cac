"""Private keys in PEM form, whole or cut off at either end."""

from __future__ import annotations

from collections.abc import Iterator

import re2

_KEY = r"[ +](?:[A-Z0-9]+[ +])*PRIVATE[ +]KEY(?:[ +][A-Z]+)*-----"
_BREAK = r"(?:\s|\\+[nr])"
_BASE64 = "[A-Za-z0-9+/=]"
_PEM = re2.compile(
    # The beginning, or the end with the lines of base64 before it.
    rf"-----BEGIN{_KEY}|(?:{_BASE64}{{16}}{_BASE64}*{_BREAK}+)*(?:{_BASE64}+{_BREAK}+)?-----END{_KEY}".encode()
)


def find_blocks(_text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each private key; one without an end reaches to the end of the text."""
    begun = -1
    for found in _PEM.finditer(plain):
        start, end = found.span()
        if plain.startswith(b"-----BEGIN", start):
            begun = start if begun < 0 else begun
        else:
            yield (start if begun < 0 else begun), end, "pem"
            begun = -1
    if begun >= 0:
        yield begun, len(plain), "pem"
