"""The result of one or more decisions, as one transaction writes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.model.delivery import Effects
from responder.model.flood import Flood
from responder.model.heartbeat import Pulse
from responder.model.incident import Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The result of some decisions; ``added`` and ``changed`` contain each incident once, in its last state.

    ``pulses`` are the new states of the expected heartbeats and ``floods`` the new flood state of each severity.
    """

    effects: Sequence[Effects]
    added: Sequence[Incident] = ()
    changed: Sequence[Incident] = ()
    pulses: Sequence[Pulse] = ()
    floods: Sequence[Flood] = ()

    @classmethod
    def of(cls, effects: Sequence[Effects]) -> Decided:
        """The result of effects on incidents that exist already."""
        return cls(effects=effects, changed=[each.incident for each in effects if each.incident is not None])


def to_tell(effects: Iterable[Effects], now: datetime) -> frozenset[str]:
    """The channels with a message that is due now. A courier finds later messages itself, in time."""
    return frozenset(draft.channel for each in effects for draft in each.drafts if draft.due_at <= now)
