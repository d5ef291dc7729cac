"""Alertmanager's UTF-8 matcher parser: strict, any label name, Go's escapes."""

import re
from dataclasses import dataclass
from typing import NoReturn

from responder.model.rule import Matcher, MatcherError, Op

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<op>=~|!=|!~|=)"
    r"|(?P<sign>[{},])"
    r"|\"(?P<quoted>(?:[^\"\\]|\\.)*)\""
    r"|(?P<word>[^\s{}!=~,\\\"'`]+)"
    r"|(?P<end>\Z)"
    r")",
    re.DOTALL,
)
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


@dataclass(slots=True)
class _Tokens:
    """A cursor over the text, one token ahead."""

    text: str
    at: int = 0
    kind: str = ""
    value: str = ""
    start: int = 0

    def advance(self) -> None:
        """Read the next token. Raises MatcherError."""
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            at = self.at + len(self.text[self.at :]) - len(self.text[self.at :].lstrip())
            raise MatcherError(_why(self.text, at), at)
        self.kind = str(found.lastgroup)
        self.value = found[self.kind]
        self.start = found.start(self.kind)
        self.at = found.end()
        if self.kind == "quoted":
            try:
                self.value = unquote(self.value)
            except NotAStringError as error:
                raise MatcherError(str(error), self.start + error.offset) from error

    def take(self, sign: str) -> bool:
        """Consume the next token and return True if it is this sign."""
        if (self.kind, self.value) != ("sign", sign):
            return False
        self.advance()
        return True

    def fail(self, wanted: str) -> NoReturn:
        """Raise a MatcherError that names what was expected."""
        got = "the text ended" if self.kind == "end" else f'found "{self.value}"'
        raise MatcherError(f"expected {wanted}, but {got}", self.start)


def parse(text: str) -> tuple[Matcher, ...]:
    """Parse a comma-separated list of matchers, as ``matcher/parse`` of Alertmanager does.

    Braces stand on both sides or on neither, one trailing comma is allowed, an empty value is written ``""``. Raises
    MatcherError. Regexes are not compiled here.
    """
    tokens = _Tokens(text)
    tokens.advance()
    braced = tokens.take("{")
    matchers: list[Matcher] = []
    while tokens.kind != "end" and (tokens.kind, tokens.value) != ("sign", "}"):
        matchers.append(_one(tokens))
        if not tokens.take(","):
            break
    if braced and not tokens.take("}"):
        tokens.fail("a comma or a closing brace")
    if tokens.kind != "end":
        tokens.fail("a comma or the end")
    return tuple(matchers)


def _one(tokens: _Tokens) -> Matcher:
    name = _text(tokens, "a label name")
    if tokens.kind != "op":
        tokens.fail("one of = != =~ !~")
    op = Op(tokens.value)
    tokens.advance()
    return Matcher(name, op, _text(tokens, "a value"))


def _text(tokens: _Tokens, wanted: str) -> str:
    if tokens.kind not in {"word", "quoted"}:
        tokens.fail(wanted)
    value = tokens.value
    tokens.advance()
    return value


def _why(text: str, at: int) -> str:
    if text[at] == '"':
        return "the closing double quote is missing"
    return f"{text[at]} must be inside double quotes"


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
            raise NotAStringError(_why_unquoted(inner, at), at)
        parts.append(_bytes_of(found, at))
        at = found.end()
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise NotAStringError("the escaped bytes are not UTF-8", 0) from error


def _bytes_of(found: re.Match[str], at: int) -> bytes:
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


def _why_unquoted(inner: str, at: int) -> str:
    if inner[at] == "\n":
        return 'write a line feed inside quotes as "\\n"'
    escape = inner[at : at + 2]
    return f'{escape} is not a valid escape; write a backslash as "\\\\"'
