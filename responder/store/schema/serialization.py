"""Nouns to bytes and back, for the columns that hold whole values."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

_Noun = TypeVar("_Noun")

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_MAKING = threading.Lock()
"""msgspec 0.22 ends the process where two threads meet a dataclass for the first time at once."""


def to_bytes(noun: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(noun)


def to_noun(kind: type[_Noun], data: bytes) -> _Noun:
    """The noun that ``to_bytes`` wrote; fields added since then take their defaults."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        with _MAKING:
            decoder = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    noun: _Noun = decoder.decode(data)
    return noun


def to_seconds(when: datetime) -> float:
    """Seconds since the epoch."""
    return when.timestamp()


def to_time(seconds: float) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(seconds, UTC)
