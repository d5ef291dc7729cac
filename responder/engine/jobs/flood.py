"""The flood job: updates and ends of digests without a notification, and the pages that follow a flood."""

from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.flood import end, flood_changes, page_now
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.delivery import Effects, IncidentChanges
from responder.model.flood import FloodCounter
from responder.model.incident import Incident
from responder.store.inbox import inbox
from responder.store.incidents import detectors, pending
from responder.triage.flood import follow_up_limit, has_receded, with_follow_ups

_log = structlog.get_logger()

EVERY = timedelta(seconds=5)


class FloodJob(IncidentJob):
    """Updates and ends digests, and pages the incidents that still fire after a flood."""

    event = "incident.paged_after_flood"

    def is_due(self, connection: Connection) -> bool:
        """Return True if a flood is active or incidents of one are still to be paged."""
        return any(
            flood.digest or self._unpaged(connection, flood) for flood in detectors.flood_counters(connection).values()
        )

    def decide(self, connection: Connection) -> IncidentChanges:
        """Decide about each known flood."""
        context, now = self.context(), self.clock.now()
        still, effects, ends = [], list[Effects](), []
        for flood in detectors.flood_counters(connection).values():
            if has_receded(flood, context.book.severities.get(flood.severity), now):
                open_now = pending.open_in(connection, flood.severity, flood.digest)
                after, last = end(flood, open_now, context, now)
                _log.warning("flood.ended", flood=flood.digest, incidents=flood.counted, suppressed_by=flood.in_digest)
                ends.append(after)
                effects.append(last)
            elif flood.digest:
                still.append(flood)
            elif pages := [
                page_now(each, inbox.find(connection, each.notification), context, now)
                for each in self._unpaged(connection, flood)
            ]:
                ends.append(with_follow_ups(flood, len(pages), now))
                effects.extend(pages)
        news = flood_changes(still, context, now)
        changed = [each.incident for each in effects if each.incident]
        return replace(news, effects=[*effects, *news.effects], floods=[*ends, *news.floods], changed=changed)

    def _unpaged(self, connection: Connection, flood: FloodCounter) -> list[Incident]:
        """Return the incidents of an ended flood that may be paged now."""
        context = self.context()
        limit = follow_up_limit(flood, context.severity(flood.severity), self.clock.now())
        return pending.unpaged(connection, flood.severity, flood.digest, limit) if limit else []
