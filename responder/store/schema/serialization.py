"""Serialization of values for columns that hold whole values."""

import threading
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

_Noun = TypeVar("_Noun")

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
#: Serializes the creation of decoders: msgspec 0.22 crashes if two threads first use a dataclass at once.
_MAKING = threading.Lock()


def to_bytes(noun: object) -> bytes:
    """Return the value as JSON."""
    return msgspec.json.encode(noun)


def from_bytes(kind: type[_Noun], data: bytes) -> _Noun:
    """Return the value that ``to_bytes`` wrote; fields added since then have their defaults."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        with _MAKING:
            decoder = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    noun: _Noun = decoder.decode(data)
    return noun


def to_seconds(when: datetime) -> float:
    """Return seconds since the epoch."""
    return when.timestamp()


def to_time(seconds: float) -> datetime:
    """Return the time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
