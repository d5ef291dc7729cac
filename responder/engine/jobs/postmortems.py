"""Asks for the draft of the post-mortem of a resolved incident whose severity wants one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from responder.engine.effects.context import DecisionContext
from responder.model.action import Action, ActionKind
from responder.model.clock import Clock
from responder.store.database import Database
from responder.store.incidents import actions

_log = structlog.get_logger()

EVERY = timedelta(seconds=15)
#: Entry point's name in stored actions.
ENTRY = "responder"
#: Time after the resolve: what belongs to it has arrived by then, and an alert that flaps has re-fired.
SETTLE = timedelta(minutes=1)
#: Incidents that were resolved before get no draft: responder was stopped, or the rules asked for none.
OLDEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PostmortemJob:
    """Stores an action for each incident that needs a draft."""

    database: Database
    context: Callable[[], DecisionContext]
    clock: Clock

    def run(self) -> None:
        """Run once: an action is stored at most once for each resolve. Raises StoreError."""
        now, severities = self.clock.now(), self.context().book.severities.values()
        wanted = [each.name for each in severities if each.postmortem_due is not None]
        if not wanted:
            return
        with self.database.read() as connection:
            resolved = actions.without_postmortem(connection, wanted, now - OLDEST, now - SETTLE)
        for incident, resolved_at in resolved:
            key = f"postmortem/{incident}/{resolved_at.isoformat()}"
            action = Action(incident=incident, kind=ActionKind.POSTMORTEM, entry=ENTRY, key=key, at=now)
            actions.keep(self.database, action, now)
            _log.info("postmortem.requested", incident=incident)
