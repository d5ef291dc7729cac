"""The silence worker: has Alertmanager carry out the actions of people about silences, then applies them.

The order makes it safe to be killed at any point: the action is committed, Alertmanager has the silence, the action is
marked. Each attempt first looks for what an earlier one has left in Alertmanager.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.converse import silencing
from responder.counters import COUNTERS
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.on_action import on_action
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import Action, ActionKind
from responder.model.clock import Clock, short_duration
from responder.model.delivery import IncidentChanges
from responder.model.incident import Incident
from responder.model.report import IncidentContent
from responder.model.silence import SilenceResult, marker
from responder.outgoing.silences import AlertmanagerDownError, Silences
from responder.store.database import Database
from responder.store.incidents import actions, incidents, vendor_incidents
from responder.store.maintenance import schedule

_log = structlog.get_logger()

#: Actions that are looked at in one step.
BATCH = 32
#: Seconds between polls for actions that another process stored; the entry points wake this process.
POLL = 1.0
#: Seconds between looks at the schedule of attempts that failed.
LOOK = 0.5
#: Longest time, in seconds, in which Alertmanager is asked again. Then people are notified that nothing is silenced.
GIVE_UP_SECONDS = 60.0
#: Bounds of the time to the next attempt, in seconds. It is claimed before an attempt, which takes 5 s at most; in
#: between it doubles, since it is as long as the action has waited.
LEAST_SECONDS, MOST_SECONDS = 7.0, 30.0


@dataclass(frozen=True, slots=True)
class SilenceWorker:
    """Creates and expires silences, each action in one process at a time."""

    database: Database
    writer: IncidentWriter
    context: Callable[[], DecisionContext]
    clock: Clock
    silences: Silences

    def step(self) -> float:
        """Attempt what is due. Returns the seconds to rest."""
        if not self.database.has_row(actions.ANY_SILENCING):
            return POLL
        with self.database.read() as connection:
            waiting = actions.new(connection, BATCH, silencing=True)
        # The actions on one incident are carried out in their order.
        first = {action.incident: action for action in reversed(waiting)}
        for action in first.values():
            if self._claim(action):
                self._attempt(action)
        return LOOK

    def _claim(self, action: Action) -> bool:
        """Claim this attempt, and schedule the next for any process: this one may be killed."""
        now = self.clock.now()
        pause = min(max((now - action.at).total_seconds(), LEAST_SECONDS), MOST_SECONDS)
        with self.database.transaction() as connection:
            return schedule.claim(connection, _timer(action), now, timedelta(seconds=pause))

    def _attempt(self, action: Action) -> None:
        with self.database.read() as connection:
            row = actions.find(connection, action.id)
            incident = incidents.find(connection, action.incident)
            content = incidents.content_of(connection, action.incident)
            link = vendor_incidents.link_of(connection, action.incident)
        if row is None or row.state != "new":  # another process has applied it since it was read
            self._forget(action)
            return
        try:
            result = self._asked(action, incident, content, link)
        except AlertmanagerDownError as error:
            waited = self.clock.now() - action.at
            _log.warning("silence.not_answered", incident=action.incident, kind=action.kind.value, reason=str(error))
            if waited < timedelta(seconds=GIVE_UP_SECONDS):
                return
            tried = short_duration(waited.total_seconds())
            found_by = "if one arrived, responder silences list shows it"
            result = SilenceResult(problem=f"no answer of Alertmanager for {tried}: {error}; {found_by}")
        done = self.writer.record(lambda connection: self._decide(connection, action, result))
        for each in done.effects:
            state = each.action[1] if each.action else ""
            _log.info("action.applied", incident=action.incident, state=state, outcome=each.outcome)
            COUNTERS.add("responder_actions", state)
        self._forget(action)

    def _forget(self, action: Action) -> None:
        with self.database.transaction() as connection:
            schedule.forget(connection, _timer(action))

    def _asked(
        self, action: Action, incident: Incident | None, content: IncidentContent | None, link: str
    ) -> SilenceResult | None:
        """Return Alertmanager's answer; None if the action applies no longer. Raises AlertmanagerDownError."""
        if incident is None:
            return None
        if action.kind is ActionKind.UNSILENCE:
            return self.silences.expire(incident.cluster, marker(incident.id))
        if not incident.open or action.at < (incident.reopened_at or incident.opened_at):
            return None
        try:
            if problem := _time_problem(action, self.clock.now()):
                return SilenceResult(problem=problem)
            return self.silences.create(silencing.order(action, incident, content, link))
        except silencing.CannotSilenceError as error:
            return SilenceResult(problem=str(error))

    def _decide(self, connection: Connection, action: Action, result: SilenceResult | None) -> IncidentChanges:
        """Apply an action to the incident as it is now, unless another process has done so."""
        row = actions.find(connection, action.id)
        if row is None or row.state != "new":
            return IncidentChanges(effects=())
        incident = incidents.find(connection, action.incident)
        content = incidents.content_of(connection, action.incident)
        now = self.clock.now()
        return IncidentChanges.of([on_action(action, incident, content, self.context(), now, silence=result)])


def _time_problem(action: Action, now: datetime) -> str:
    """Return why the silence cannot end then: it may have ended while the action waited."""
    return "" if action.until and action.until > now else "its end is in the past"


def _timer(action: Action) -> str:
    return f"silence {action.id}"
