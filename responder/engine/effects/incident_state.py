"""What a decision makes of an incident: its next state, whether that is worse, and whom it concerns. Pure."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from responder.engine.effects.context import Desk
from responder.model.decision import Decision
from responder.model.delivery import Delivery
from responder.model.flood import Tide
from responder.model.incident import Change, ChangeKind, Incident
from responder.notify.contract import Channel
from responder.notify.delivery.route import route, with_a_reader

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing in it is mistaken for something else at 3 a.m.


UNPAGED = "nobody was paged before by the rules or settings that were in force"
"""Why a page comes now that has no other reason."""


def incident_id(dedup_key: str, delivery: int) -> str:
    """A short name for people. It depends on the delivery only, so that deciding twice opens one incident."""
    number = int.from_bytes(sha256(f"{dedup_key}/{delivery}".encode()).digest()[:8])
    return "INC-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))


def next_state(incident: Incident, decision: Decision, delivery: Delivery, desk: Desk) -> Incident:
    """The incident after a notification; a notification in which nothing fires says nothing new about how bad it is."""
    change, now = decision.change, delivery.received_at
    moved = replace(
        incident,
        delivery=delivery.id,
        alerts=change.alerts,
        gathered=decision.gathered,
        changed_at=now,
        flaps=change.flaps,
        hold=change.hold,
        held_until=change.held_until,
        review_at=change.review_at,
        reopened_at=now if change.kind is ChangeKind.AGAIN else incident.reopened_at,
    )
    if not decision.ruling.alert.firing:
        return moved
    moved = replace(moved, found=decision.found, gone_since=None)
    if incident.open and _hides(decision) and not is_worse(decision, incident, desk):
        return moved
    moved = replace(moved, severity=decision.severity.name)
    return moved if decision.joins else replace(moved, rule=decision.rule.id, reason=decision.reason)


def _hides(decision: Decision) -> bool:
    """Whether an alert is known to fire that the notification does not name: it is not milder for that.

    Where several groups are gathered none names all, and the severity is that of all of them.
    """
    named = sum(ruling.alert.firing for ruling in decision.rulings)
    return not decision.gathered and decision.change.firing > named


def is_worse(decision: Decision, incident: Incident, desk: Desk) -> bool:
    """Whether it is worse than it was."""
    if not decision.ruling.alert.firing:
        return False
    known = desk.book.severities.get(incident.severity)
    return known is None or decision.severity.rank < known.rank


def why_owed(decision: Decision, incident: Incident, desk: Desk) -> str:
    """Why people are woken only now, while it still fires; empty where they are not.

    A window was shut that is open now; or the rules, or the settings, had no pager for it when it began.
    """
    pagers = desk.pagers
    if not decision.pages or not decision.ruling.alert.firing or not incident.channels:
        return ""
    if not pagers.isdisjoint(incident.channels) or pagers.isdisjoint(whom(decision, desk)):
        return ""
    window = decision.rule.pages_in.get(decision.severity.name)
    return still_fires(window.name) if window else UNPAGED


def still_fires(window: str) -> str:
    """Why a page comes when nothing new was notified: its window has opened."""
    return f"not paged outside of {window}, which is open now: it still fires"


def whom(decision: Decision, desk: Desk) -> tuple[str, ...]:
    """Return the channels to notify; one that is read is among them if a window holds the page back."""
    wished = decision.rule.channels
    wished = with_a_reader(wished, desk.channels) if decision.held else wished
    return route(wished, decision.pages, desk.channels)


def hears(channel: Channel, change: Change) -> bool:
    """Whether a change that is no worse is told there.

    The pager hears of what fires again even while the incident is open: somebody may have resolved it there by hand.
    """
    return change.kind is ChangeKind.AGAIN if channel.pages else not change.quiet


def in_digest(incident: Incident, tide: Tide | None) -> bool:
    """Whether it is told in the digest of a flood that is on."""
    flood = tide.floods.get(incident.severity) if tide and incident.digest else None
    return flood is not None and flood.digest == incident.digest
