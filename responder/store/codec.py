"""Nouns to bytes and back, for the columns that hold whole values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

_Noun = TypeVar("_Noun")


def to_bytes(noun: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(noun)


def to_noun(kind: type[_Noun], data: bytes) -> _Noun:
    """The noun that ``to_bytes`` wrote; fields added since then take their defaults."""
    return msgspec.json.decode(data, type=kind)


def to_seconds(when: datetime) -> float:
    """Seconds since the epoch."""
    return when.timestamp()


def to_time(seconds: float) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(seconds, UTC)
