"""Go's double-quoted string literals, as Alertmanager's UTF-8 matcher parser unquotes them."""

import re

_SIMPLE = {
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
    "\\": b"\\",
    '"': b'"',
}
_PART = re.compile(
    r"(?P<plain>[^\\\"\n]+)"
    r"|\\(?:(?P<simple>[abfnrtv\\\"])"
    r"|(?P<octal>[0-7]{3})"
    r"|x(?P<hex>[0-9a-fA-F]{2})"
    r"|u(?P<u4>[0-9a-fA-F]{4})"
    r"|U(?P<u8>[0-9a-fA-F]{8}))"
)


class NotAStringError(ValueError):
    """Not a string literal of Go. ``offset`` is the position of the error, in characters after the opening quote."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def unquote(inner: str) -> str:
    r"""Return the value of a literal whose text between the quotes is ``inner``.

    Escapes are those of Go's specification, "String literals": ``\x`` and octal ones are bytes, and all bytes together
    must be UTF-8. Raises NotAStringError.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(inner):
        found = _PART.match(inner, at)
        if found is None:
            raise NotAStringError(_why(inner, at), at)
        parts.append(_bytes(found, at))
        at = found.end()
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise NotAStringError("the escaped bytes are not UTF-8", 0) from error


def _bytes(found: re.Match[str], at: int) -> bytes:
    kind, text = str(found.lastgroup), found[str(found.lastgroup)]
    if kind == "simple":
        return _SIMPLE[text]
    if kind == "plain":
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise NotAStringError("a lone surrogate is not a character", at) from error
    code = int(text, 8 if kind == "octal" else 16)
    if kind in {"octal", "hex"}:
        if code > 0xFF:
            raise NotAStringError(f"\\{text} is more than one byte", at)
        return bytes([code])
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise NotAStringError(f"U+{code:X} is not a character", at)
    return chr(code).encode()


def _why(inner: str, at: int) -> str:
    if inner[at] == "\n":
        return 'write a line feed inside quotes as "\\n"'
    escape = inner[at : at + 2]
    return f'{escape} is not a valid escape; write a backslash as "\\\\"'
