"""An end that the pager refused for good: it stays open there, so people are told to close it by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.desk import Desk
from responder.engine.effects.decided import Decided
from responder.engine.ledger import Ledger
from responder.engine.messages import messages
from responder.model.clock import Clock, Deadline
from responder.model.delivery import Effects
from responder.model.incident import Incident
from responder.model.report import Moment
from responder.notify.fallback import NAMES
from responder.notify.route import LOG, PAGERS
from responder.store import incidents, stuck
from responder.store.database import Database
from responder.store.stuck import Unclosed

_log = structlog.get_logger()

EVERY = timedelta(seconds=5)
READ = ("slack", "slack_webhook", "smtp", LOG)
"""Where people read of it who were told of the incident by the pager alone: the first of these that there is."""
_TURN_SECONDS = 10.0


def tell(refused: Sequence[Unclosed], known: Mapping[str, Incident], desk: Desk, now: datetime) -> Decided:
    """The messages that say so, to all who know of the incident and are no pager. Pure."""
    return Decided(effects=[_told(each, known.get(each.incident), desk, now) for each in refused])


def _told(each: Unclosed, incident: Incident | None, desk: Desk, now: datetime) -> Effects:
    report = replace(each.report, moment=Moment.UNCLOSED, update=_to_do(each), written_at=now)
    heard = [name for name in (incident.channels if incident else ()) if name in desk.channels and name not in PAGERS]
    to = heard or [name for name in READ if name in desk.channels][:1]
    drafts = messages(report, (desk.channels[name] for name in to), rank=each.rank, due_at=now)
    return Effects(
        outcome=report.update,
        incident=incident,
        drafts=tuple(replace(draft, origin=None if place else each.id) for place, draft in enumerate(drafts)),
        due_at=now,
    )


def _to_do(each: Unclosed) -> str:
    name = NAMES.get(each.channel, each.channel)
    return (
        f"{name} refused the end of this incident for good ({each.error}) and still calls people: close it there by "
        f"hand. Once the cause is mended, `responder messages resend {each.id}` closes it too"
    )


@dataclass(frozen=True, slots=True)
class Unclosing:
    """A job for the timers: looks for ends that a pager refused."""

    database: Database
    ledger: Ledger
    desk: Callable[[], Desk]
    clock: Clock

    def run(self) -> None:
        """One look. The turn of triage is taken only where there is something to tell. Raises CannotStore."""
        with self.database.read() as connection:
            if not stuck.unclosed(connection, PAGERS):
                return
        done = self.ledger.record(self._decide, Deadline(self.clock.monotonic() + _TURN_SECONDS))
        for each in done.effects:
            incident = each.drafts[0].incident if each.drafts else ""
            _log.error("incident.unclosed", incident=incident, told=[d.channel for d in each.drafts], why=each.outcome)

    def _decide(self, connection: Connection) -> Decided:
        refused = stuck.unclosed(connection, PAGERS)
        known = {each.incident: incidents.find(connection, each.incident) for each in refused}
        found = {name: incident for name, incident in known.items() if incident is not None}
        return tell(refused, found, self.desk(), self.clock.now())
