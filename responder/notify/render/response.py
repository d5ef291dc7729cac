"""Shared by the channels: JSON encoding, and the outcome that an HTTP status stands for."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from responder.model.message import ClaimedMessage, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.secret import Secret, scrub
from responder.model.text import sanitize_line, whole_words

#: Characters of the reason of an outcome.
REASON_LIMIT = 300
# 408 and 425 are the client's to repeat (RFC 9110, RFC 8470), 429 says so itself (RFC 6585).
TOO_MANY = 429
AGAIN = frozenset({408, 425, TOO_MANY})

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def encoded(value: object) -> bytes:
    """JSON in UTF-8 without spaces. A lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def decoded(response: Response) -> Mapping[str, Any]:
    """The body where it is a JSON object, and an empty mapping for everything else."""
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def outcome_of(
    message: ClaimedMessage, response: Response, said: str, secrets: tuple[Secret, ...] = (), *, of: str = "HTTP"
) -> Outcome:
    """Return the outcome by status alone: 2xx delivered, 4xx refused except 408, 425 and 429, all others retried.

    A redirect is retried: redirects are never followed, and a proxy's may be temporary.
    """
    if 200 <= response.status < 300:
        return Delivered()
    reason = error_text(f"{of} {response.status}", said, secrets)
    if 400 <= response.status < 500 and response.status not in AGAIN:
        return Refused(reason)
    return TryLater(reason, retry_after(message, response), limited=response.status == TOO_MANY)


def error_text(what: str, said: str, secrets: tuple[Secret, ...]) -> str:
    """Return a reason of at most 300 characters, without secrets that a response may echo."""
    return sanitize_line(scrub(f"{what}: {said}" if said else what, secrets), REASON_LIMIT)


def retry_after(message: ClaimedMessage, response: Response) -> float | None:
    """Return the seconds of Retry-After, None if it is absent or invalid (RFC 9110, 10.2.3).

    A date is measured against the answer's own Date, so that the two clocks need not agree; without one against the
    time the message was due.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = date(text)
    if until is None:
        return None
    return max(0.0, (until - (date(headers.get("date", "")) or message.due_at)).total_seconds())


def date(text: str) -> datetime | None:
    """The moment of an HTTP date, None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def text_of(value: object) -> str:
    """An answer's member as text: lists joined, anything but text and numbers left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(text_of, value[:10])))
    return str(value) if isinstance(value, int | float) else ""


_SPELLED = str.maketrans(
    {"—": "-", "–": "-", "…": "...", "→": "->", "·": "-", "›": ">", "’": "'", "“": '"', "”": '"', "×": "x"}
)


def first_lines(lines: Sequence[str], limit: int, mark: str) -> str:
    """Return the first lines that fit into ``limit`` characters; one more, after ``mark``, counts those left out."""
    kept = list(lines)
    while len(text := "\n".join(kept)) > limit:
        kept.pop()
    left = len(lines) - len(kept)
    return f"{text}\n{mark} {left} more lines left out" if left else text


def ascii_only(text: str) -> str:
    """``text`` for the minimal form: known signs spelled out, any other character outside ASCII a question mark."""
    return text.translate(_SPELLED).encode("ascii", "replace").decode("ascii")


def within(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8, ending in ``…`` where it was cut. No word is cut in two."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode("utf-8")
    head = data[: max(0, limit - 3)].decode("utf-8", "ignore")
    return head[: whole_words(text, len(head))].rstrip(" …") + "…"
