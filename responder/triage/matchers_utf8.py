"""Alertmanager's UTF-8 matcher parser: strict, any label name, Go's escapes."""

import re
from dataclasses import dataclass
from typing import NoReturn

from responder.model.rule import Matcher, MatcherError, Op
from responder.triage.go_string import NotAStringError, unquote

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
