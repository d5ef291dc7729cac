"""Failures of the loops of one instance, in memory that its workers share: how long a loop rests before it restarts."""

import mmap
from dataclasses import dataclass, field

import msgspec

from responder.model.clock import Clock

#: So many failures in a row are repeated failure: the instance is unready, and a page is sent.
MANY = 5
#: Failures before a loop has to wait. A single error ends its worker, and the next one starts at once.
_FREE = 3
_FIRST_SECONDS, _MOST_SECONDS = 0.5, 60.0
#: Failures closer than this are one: the same error in several workers.
_SAME_SECONDS = 0.2
#: A loop that has not failed for so long starts to count anew.
_FORGET_SECONDS = 300.0
_LEAST_QUIET_SECONDS = 30.0
_BYTES = 65536


@dataclass(slots=True)
class LoopRecord:
    """Failures of one loop in a row, and when the last one was, on the monotonic clock of the machine."""

    count: int
    at: float


@dataclass(slots=True)
class SentPage:
    """The page about failing loops: the channel that accepted it (empty: none did), what it returned, and when."""

    channel: str
    ref: dict[str, str]
    at: float


@dataclass(slots=True)
class _Board:
    loops: dict[str, LoopRecord] = field(default_factory=dict)
    page: SentPage | None = None


_DECODER = msgspec.msgpack.Decoder(_Board)
_ENCODER = msgspec.msgpack.Encoder()


class LoopFailures:
    """Make it before the fork. Two workers that write at once may lose one of the two changes, which is harmless."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._memory = mmap.mmap(-1, _BYTES)

    def add(self, name: str) -> None:
        """Count a failure of a loop."""
        board, now = self._read(), self._clock.monotonic()
        known = board.loops.get(name)
        if known is None or now - known.at > _FORGET_SECONDS:
            known = LoopRecord(0, now)
        if known.count == 0 or now - known.at > _SAME_SECONDS:
            known.count += 1
            known.at = now  # of the first of several at once: fast failures must not hide behind each other
        board.loops[name] = known
        self._write(board)

    def rest(self, name: str) -> float:
        """Return the seconds for which a loop must not start yet."""
        known = self._read().loops.get(name)
        return 0.0 if known is None else max(0.0, known.at + _backoff(known.count) - self._clock.monotonic())

    def repeated(self) -> dict[str, int]:
        """Return the loops that fail again and again, with their failures in a row."""
        now = self._clock.monotonic()
        return {
            name: each.count
            for name, each in sorted(self._read().loops.items())
            if each.count >= MANY and now - each.at < max(_LEAST_QUIET_SECONDS, 2 * _backoff(each.count))
        }

    def reason(self) -> str:
        """Return a sentence about the loops that fail again and again, empty if none does."""
        named = ", ".join(f"{name} ({count} times in a row)" for name, count in self.repeated().items())
        return f"engine loops fail repeatedly: {named}; the log has the cause (engine.failed)" if named else ""

    @property
    def page(self) -> SentPage | None:
        """The page about these failures."""
        return self._read().page

    @page.setter
    def page(self, page: SentPage | None) -> None:
        board = self._read()
        board.page = page
        self._write(board)

    def _read(self) -> _Board:
        length = int.from_bytes(self._memory[:4])
        try:
            return _DECODER.decode(self._memory[4 : 4 + length])
        except msgspec.DecodeError:  # nothing was written yet, or another worker is writing
            return _Board()

    def _write(self, board: _Board) -> None:
        data = _ENCODER.encode(board)
        if len(data) <= _BYTES - 4:
            self._memory[: 4 + len(data)] = len(data).to_bytes(4) + data


def _backoff(count: int) -> float:
    return 0.0 if count <= _FREE else min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** (count - _FREE - 1))
