"""How long we wait before we believe what contradicts something we were told: all of it follows from one setting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """What follows from ``group_interval``, the longest one of Alertmanager's routes that lead here.

    Each peer of a pair tells its own view of a group once in that time, so nothing is known sooner. What concerns
    people, and not Alertmanager, has a least length of its own, however short the interval is.
    """

    group_interval: timedelta = timedelta(minutes=5)

    @property
    def peer(self) -> timedelta:
        """How long one Alertmanager may contradict another, or leave out what fires, until it is believed.

        The lagging one tells its own view within one ``group_interval``.
        """
        return self.group_interval + _MARGIN

    @property
    def late(self) -> timedelta:
        """How long after the end of an alert a notification that says otherwise is most likely an old one.

        A flush is tried for one ``group_interval`` at most, and a peer waits 15 seconds a position.
        """
        return 3 * self.group_interval

    @property
    def same(self) -> timedelta:
        """What fires again this soon after its end is the same incident."""
        return max(timedelta(minutes=30), 6 * self.group_interval)

    @property
    def steady(self) -> timedelta:
        """What has fired for so long without a pause does not flap any more."""
        return max(timedelta(hours=2), 24 * self.group_interval)

    @property
    def quiet(self) -> timedelta:
        """How long nothing may fire before the second end is told; doubled with every time it fires again."""
        return max(timedelta(minutes=10), 2 * self.group_interval)

    @property
    def quiet_at_most(self) -> timedelta:
        """The longest such quiet."""
        return max(timedelta(hours=1), 6 * self.quiet)


USUAL = Timing()
"""That of Alertmanager's own default, five minutes."""
