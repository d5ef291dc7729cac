"""Waiting times before contradicting reports are accepted; all derive from one setting."""

from dataclasses import dataclass
from datetime import timedelta

_MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """Times derived from ``group_interval``, the longest one of Alertmanager's routes that lead here.

    Each peer of a pair sends its own view of a group once in that time, so nothing is known sooner. Times that concern
    on-call, and not Alertmanager, have a minimum, however short the interval is.
    """

    group_interval: timedelta = timedelta(minutes=5)

    @property
    def peer(self) -> timedelta:
        """Time for which one Alertmanager may contradict another, or omit a firing alert, until it is accepted.

        The lagging one sends its own view within one ``group_interval``.
        """
        return self.group_interval + _MARGIN

    @property
    def late(self) -> timedelta:
        """Time after an alert resolved in which a notification that reports it as firing is probably late.

        A flush is tried for one ``group_interval`` at most, and a peer waits 15 seconds a position.
        """
        return 3 * self.group_interval

    @property
    def same(self) -> timedelta:
        """Time after the resolution in which a re-fire belongs to the same incident."""
        return max(timedelta(minutes=30), 6 * self.group_interval)

    @property
    def steady(self) -> timedelta:
        """Time of firing without a pause after which flapping has ended."""
        return max(timedelta(hours=2), 24 * self.group_interval)

    @property
    def quiet(self) -> timedelta:
        """Time without firing before a second resolve is announced; doubled with every re-fire."""
        return max(timedelta(minutes=10), 2 * self.group_interval)

    @property
    def quiet_at_most(self) -> timedelta:
        """Upper bound of ``quiet``."""
        return max(timedelta(hours=1), 6 * self.quiet)


#: That of Alertmanager's own default, five minutes.
USUAL = Timing()
