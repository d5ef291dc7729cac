"""A flood: more new incidents of one severity than can be handled individually."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodCounter:
    """Counters of one severity's new incidents. Times are epoch seconds, 0 for never.

    ``arrivals`` counts them by the second within the last minute, ``alone`` those of them that had a page of their own
    although a flood was on. ``digest`` is the flood's id, empty while there is none; the rest is about that flood:
    ``in_digest`` incidents are in its digest only, ``notified_in_digest`` of them were announced. ``kinds`` counts
    "alertname of subject", ``names`` alert names, ``services`` those of the catalog and ``labels`` "name=value" that
    all alerts of an incident share, the biggest of each. ``channels`` are those it concerns, ``notified`` those that
    were notified, last at ``notified_at`` and ``updates`` times since its page.
    """

    severity: str
    arrivals: Mapping[int, int] = field(default_factory=dict)
    alone: Mapping[int, int] = field(default_factory=dict)
    digest: str = ""
    began_at: float = 0.0
    counted: int = 0
    in_digest: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()
    notified_at: float = 0.0
    notified_in_digest: int = 0
    updates: int = 0


@dataclass(frozen=True, slots=True)
class FloodState:
    """The floods by severity, as they stand at ``now``."""

    now: datetime
    floods: Mapping[str, FloodCounter]
