"""The action worker: applies stored actions of people to their incidents, in the order they arrived."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from responder.converse import postmortem
from responder.counters import COUNTERS
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.on_action import NO_DRAFT, Draft, on_action
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import Action, ActionKind
from responder.model.clock import Clock, time_of_day
from responder.model.delivery import Effects, IncidentChanges
from responder.model.incident import Incident
from responder.store.database import Database
from responder.store.incidents import actions, incidents, records

_log = structlog.get_logger()

#: Characters of a draft that a message carries.
DRAFT_LIMIT = 16_000
#: Actions applied in one transaction.
BATCH = 32
#: Seconds between polls for actions that another process stored; the entry points wake this process.
POLL = 1.0


@dataclass(frozen=True, slots=True)
class ActionWorker:
    """Applies actions under the triage lock, so that no decision is based on a state about to change."""

    database: Database
    writer: IncidentWriter
    context: Callable[[], DecisionContext]
    clock: Clock

    def step(self) -> float:
        """Apply waiting actions. Returns the seconds to rest."""
        if not self.database.has_row(actions.ANY_NEW):
            return POLL
        done = self.writer.record(self._decide).effects
        for each in done:
            incident = each.incident.id if each.incident else ""
            state = each.action[1] if each.action else ""
            _log.info("action.applied", incident=incident, state=state, outcome=each.outcome)
            COUNTERS.add("responder_actions", state)
        return 0.0 if len(done) == BATCH else POLL

    def _decide(self, connection: Connection) -> IncidentChanges:
        """Decide waiting actions in order: each sees what those before it did."""
        context, now = self.context(), self.clock.now()
        waiting = actions.new(connection, BATCH)
        known: dict[str, Incident | None] = {}
        contents = incidents.contents_of(connection, {each.incident for each in waiting})
        effects: list[Effects] = []
        for action in waiting:
            if action.incident not in known:
                known[action.incident] = incidents.find(connection, action.incident)
            draft = _draft(connection, action, now)
            each = on_action(action, known[action.incident], contents.get(action.incident), context, now, draft=draft)
            known[action.incident] = each.incident or known[action.incident]
            if each.content is not None:
                contents[action.incident] = each.content
            effects.append(each)
        changed = {each.incident.id: each.incident for each in effects if each.incident is not None}
        return replace(IncidentChanges.of(effects), changed=list(changed.values()))


def _draft(connection: Connection, action: Action, now: datetime) -> Draft:
    """Return the draft of the post-mortem that an action asks for; an empty one for other actions."""
    found = records.of_incident(connection, action.incident) if action.kind is ActionKind.POSTMORTEM else None
    if found is None:
        return NO_DRAFT
    due, text = postmortem.due_at(found), postmortem.postmortem(found, now)
    again = f"to write it into a file: responder incidents postmortem {found.incident.id} --output FILE"
    about = f"Draft, due {time_of_day(due)}; {again}" if due else f"Draft; {again}"
    return Draft(text if len(text) <= DRAFT_LIMIT else f"{text[:DRAFT_LIMIT]}\n…", about)
