"""Payloads above the size limit: read as a stream to their end, with bounded memory, and kept in part.

The payload is scanned with the C scanner of the standard library, one alert at a time. Alertmanager writes ``groupKey``
after the alerts, so that all of them have to be read.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from responder.receive.alertmanager import InvalidPayload, truncated_alerts

#: The largest single value: an alert, or a field that is kept.
_VALUE_CHARACTERS: Final = 8 * 1024 * 1024
#: Characters that are dropped from the beginning of the buffer at a time: less would copy it more often.
_DROP_CHARACTERS: Final = 256 * 1024
#: The share of the limit that resolved alerts may take: a payload must not lose what fires to what is resolved.
_RESOLVED_SHARE: Final = 0.5
#: Room for the other fields of the payload, as a share of the limit.
_FIELDS_SHARE: Final = 0.1
_KEPT: Final = frozenset(
    {"version", "groupKey", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations", "externalURL"}
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING_PART: Final = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A payload that fits, with ``truncatedAlerts`` for the alerts left out, and how many there are of both."""

    body: bytes
    kept: int
    left_out: int


def excerpt(chunks: Iterable[bytes], limit: int) -> Excerpt:
    """Read a payload to its end and keep at most ``limit`` bytes of it. Raises InvalidPayload if it cannot be read."""
    try:
        return _read(_Scanner(iter(chunks)), limit)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload("$", f"not JSON: {error}") from None


def _read(scanner: "_Scanner", limit: int) -> Excerpt:
    fields: dict[str, Any] = {}
    alerts = _Kept(int(limit * (1 - _FIELDS_SHARE)))
    for key in scanner.members():
        if key == "alerts" and scanner.peek() == "[":
            for alert in scanner.items():
                alerts.add(alert)
        elif key in _KEPT or key == "truncatedAlerts":
            fields[key] = scanner.value()
        else:
            scanner.skip()
    scanner.end()
    fields["truncatedAlerts"] = alerts.left_out + truncated_alerts(fields.get("truncatedAlerts"))
    head = json.dumps(fields, ensure_ascii=False)
    body = f'{head[:-1]}, "alerts": [{",".join(alerts.texts)}]}}'.encode("utf-8", "replace")
    if len(body) > limit:
        raise InvalidPayload("$", "the fields beside the alerts do not fit into RESPONDER_MAX_BODY_BYTES")
    return Excerpt(body=body, kept=len(alerts.texts), left_out=alerts.left_out)


class _Kept:
    """The first alerts that fit, resolved ones up to their share."""

    def __init__(self, limit: int) -> None:
        self.texts: list[str] = []
        self.left_out = 0
        self._room = limit
        self._room_resolved = int(limit * _RESOLVED_SHARE)

    def add(self, alert: Any) -> None:
        """Keep an alert or count it."""
        resolved = isinstance(alert, dict) and alert.get("status") == "resolved"
        if self._room <= 0 or (resolved and self._room_resolved <= 0):
            self.left_out += 1
            return
        text = json.dumps(alert, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode("utf-8", "surrogatepass")) + 1
        if size > (min(self._room, self._room_resolved) if resolved else self._room):
            self.left_out += 1
            return
        self._room -= size
        self._room_resolved -= size if resolved else 0
        self.texts.append(text)


class _Scanner:
    """The tokens of one JSON object that arrives in chunks. Every method raises ValueError for what is no JSON."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._scan = json.JSONDecoder(strict=False).raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._more()
        self._text = self._text.removeprefix("\ufeff")

    def members(self) -> Iterator[str]:
        """The keys of the object. Consume the value of each before the next."""
        self._expect("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise ValueError("a key is no string")
            key = self.value()
            self._expect(":")
            yield str(key)
            self._separator("}")
        self._expect("}")

    def items(self) -> Iterator[Any]:
        """The values of the array that begins here."""
        self._expect("[")
        while self.peek() != "]":
            yield self.value()
            self._separator("]")
        self._expect("]")

    def value(self) -> Any:
        """The value that begins here."""
        self.peek()
        tried = 0
        while True:
            waiting = len(self._text) - self._at
            if self._ended or waiting >= 2 * tried:  # else a value of many chunks would be scanned with each of them
                tried = waiting
                try:
                    value, end = self._scan(self._text, self._at)
                except json.JSONDecodeError as error:
                    if self._ended:
                        raise ValueError(f"{error.msg} in the last {waiting} characters") from None
                else:
                    if end < len(self._text) or self._ended:
                        self._at = end
                        return value
            if waiting > _VALUE_CHARACTERS:
                raise ValueError(f"no complete value within {_VALUE_CHARACTERS} characters")
            self._more()

    def skip(self) -> None:
        """Skip the value that begins here; a string may have any length."""
        if self.peek() != '"':
            self.value()
            return
        self._at += 1
        while True:
            found = _STRING_PART.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._text[self._at : self._at + 1] == '"':
                self._at += 1
                return
            if self._ended:
                raise ValueError("a string does not end")
            self._more()

    def end(self) -> None:
        """Read to the end, where nothing may follow."""
        if self.peek():
            raise ValueError("something follows the payload")

    def peek(self) -> str:
        """The next character that is no space, empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def _separator(self, close: str) -> None:
        if self.peek() == ",":
            self._at += 1
            if self.peek() == close:
                raise ValueError(f"a comma before {close}")
        elif self.peek() != close:
            raise ValueError(f"neither a comma nor {close} after a value")

    def _expect(self, character: str) -> None:
        if (found := self.peek()) != character:
            raise ValueError(f"expected {character}, got {found or 'the end'}")
        self._at += 1

    def _more(self) -> None:
        chunk = next(self._chunks, None)
        self._ended = chunk is None
        text = self._decode.decode(chunk or b"", final=self._ended)
        if self._at >= _DROP_CHARACTERS or self._at == len(self._text):
            self._text, self._at = self._text[self._at :], 0
        self._text += text
