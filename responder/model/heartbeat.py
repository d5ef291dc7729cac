"""Heartbeats: the Watchdog of each cluster, and what is known of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: The label that names the cluster of a Watchdog.
LABEL: Final = "cluster"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A Watchdog that fired: the cluster it came from, and when its webhook arrived."""

    cluster: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatState:
    """State of one expected cluster.

    ``seen_at`` is when its Watchdog last arrived, None for never. ``since`` is the time since which a process has been
    watching without a break, and ``watched_at`` the last time one did.
    """

    cluster: str
    seen_at: datetime | None
    since: datetime
    watched_at: datetime

    @property
    def last(self) -> datetime:
        """From when on its silence counts."""
        return max(self.seen_at, self.since) if self.seen_at else self.since
