"""Alertmanager's classic matcher parser: tolerant, ASCII label names, three escapes."""

import re

from responder.model.rule import Matcher, MatcherError, Op

_SPACE = "\t\n\f\r "
_HEAD = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|!=|!~|=)[\t\n\f\r ]*")
_USUAL = re.compile(_HEAD.pattern + r'"([^"\\]*)"[\t\n\f\r ]*(?:,|\Z)')
_OPS = {op.value: op for op in Op}
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def parse(text: str) -> tuple[Matcher, ...]:
    """Parse a comma-separated list of matchers, as ``pkg/labels/parse.go`` of Alertmanager does.

    The leading and the trailing brace are each optional; a value may be unquoted and may be empty. Raises MatcherError.
    Regexes are not compiled here.
    """
    return _usual(text) or _spelt(text)


def _usual(text: str) -> tuple[Matcher, ...]:
    """Parse quoted values without escapes at a tenth of the cost of ``_spelt``; return () for all other texts."""
    found: list[Matcher] = []
    at = 0
    while at < len(text):
        if (one := _USUAL.match(text, at)) is None:
            return ()
        found.append(Matcher(one[1], _OPS[one[2]], one[3]))
        at = one.end()
    return tuple(found)


def _spelt(text: str) -> tuple[Matcher, ...]:
    start, stop = int(text.startswith("{")), len(text) - int(text.endswith("}") and len(text) > text.startswith("{"))
    return tuple(_one(text[begin:end], begin) for begin, end in _spans(text, start, stop))


def _spans(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Return where each matcher stands: commas separate, except between unescaped double quotes."""
    spans: list[tuple[int, int]] = []
    begin, quoted, escaped = start, False, False
    for at in range(start, stop):
        sign = text[at]
        if sign == "," and not quoted:
            spans.append((begin, at))
            begin = at + 1
        elif sign == '"':
            quoted ^= not escaped
            escaped = False
        elif sign == "\\":
            escaped = not escaped
        elif sign != ",":
            # A comma inside quotes does not end the escape: Alertmanager splits in the same way.
            escaped = False
    if text[begin:stop].strip():
        spans.append((begin, stop))
    return spans


def _one(text: str, offset: int) -> Matcher:
    head = _HEAD.match(text)
    if head is None:
        raise MatcherError(f'expected a label name, one of = != =~ !~, and a value, not "{text.strip()}"', offset)
    return Matcher(head[1], Op(head[2]), _value(text[head.end() :].rstrip(_SPACE), offset + head.end()))


def _value(raw: str, offset: int) -> str:
    quoted = raw.startswith('"')
    body = raw[1:] if quoted else raw
    offset += quoted
    value: list[str] = []
    at = 0
    while at < len(body):
        sign = body[at]
        if sign == "\\" and at + 1 < len(body):
            at += 1
            value.append(_ESCAPES.get(body[at], "\\" + body[at]))
        elif sign == '"':
            if not quoted or at + 1 < len(body):
                raise MatcherError("a double quote inside a value needs a backslash", offset + at)
            return "".join(value)
        else:
            value.append(sign)
        at += 1
    if quoted:
        raise MatcherError("the value's closing double quote is missing", offset + len(body))
    return "".join(value)
