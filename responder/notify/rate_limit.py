"""Rate limit of a vendor: a token bucket, kept in the database for all replicas. Pure."""

from dataclasses import dataclass

#: Float tolerance in seconds.
_HAIR = 1e-6
#: Seconds by which the clocks of replicas may differ. More than that, and a clock was set back.
SKEW = 10.0


@dataclass(frozen=True, slots=True)
class Available:
    """Messages that may be sent now: ``urgent`` in all, of which ``other`` may be of any severity but the worst."""

    urgent: int
    other: int

    def within(self, most: int) -> "Available":
        """Return the number of messages, ``most`` at most."""
        return Available(min(self.urgent, most), min(self.other, most))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``burst`` messages at once, then one every ``interval`` seconds. The last ``reserve`` are for the worst severity.

    What was sent is remembered as one number, the time at which the bucket is full again (the generic cell rate
    algorithm, ITU-T I.371): two processes that update it in turns share one bucket.
    """

    interval: float
    burst: int
    reserve: int

    def available(self, full_at: float, now: float) -> Available:
        """Return the messages that may be sent at ``now``. Both are seconds since the epoch."""
        used = self._used(full_at, now)
        left = max(0, int((self.burst * self.interval - used + _HAIR) / self.interval))
        return Available(urgent=left, other=max(0, left - self.reserve))

    def full_after(self, full_at: float, now: float, count: int) -> float:
        """Return the time at which the bucket is full again after ``count`` more messages."""
        return now + self._used(full_at, now) + count * self.interval

    def emptied(self, full_at: float, now: float, at: float) -> float:
        """Return that time if the vendor accepts nothing before ``at``: then one of the worst severity may try."""
        return max(now + self._used(full_at, now), at + (self.burst - 1) * self.interval)

    def wait(self, full_at: float, now: float) -> float:
        """Return the seconds until a message of another severity than the worst may be sent; 0 if it may be now."""
        return max(0.0, self._used(full_at, now) - (self.burst - self.reserve - 1) * self.interval)

    def _used(self, full_at: float, now: float) -> float:
        """Return the seconds until the bucket is full; 0 if a clock that was set back since has written ``full_at``."""
        most = self.burst * self.interval
        used = max(0.0, full_at - now)
        return min(used, most) if used <= most + SKEW else 0.0


@dataclass(frozen=True, slots=True)
class MethodLimit:
    """A rate limit that a vendor counts for one of its methods, across channels.

    ``counted_by`` are the values by which it counts, which are never stored; ``steps`` use the method. ``pauses_all``
    is True if the vendor has no other limit of the method, so that its 429 concerns all channels.
    """

    method: str
    counted_by: tuple[str, ...]
    rate_limit: RateLimit
    steps: frozenset[str]
    pauses_all: bool


def per_minute(limit: int, burst: int) -> RateLimit:
    """At most ``limit`` messages in any minute, ``burst`` of them at once, half of the burst for the worst severity."""
    burst = max(1, min(burst, limit // 2))
    return RateLimit(interval=60.0 / max(1, limit - burst), burst=burst, reserve=burst // 2)
