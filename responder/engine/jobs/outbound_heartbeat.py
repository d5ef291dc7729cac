"""The outbound heartbeat: pings an external dead man's switch every minute while on-call can be paged."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from responder.counters import COUNTERS
from responder.engine.effects.context import DecisionContext
from responder.model.clock import Clock, Deadline
from responder.model.heartbeat import HeartbeatState
from responder.model.message import Request
from responder.model.rule import ExpectedHeartbeat
from responder.model.secret import Secret, scrub
from responder.outgoing import Outgoing, UnreachableError
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.incidents import detectors
from responder.store.outbox import backlog, outbox
from responder.store.outbox.backlog import Backlog
from responder.store.outbox.outbox import ChannelState

_log = structlog.get_logger()

EVERY: Final = timedelta(minutes=1)
#: How long overdue a message or a notification must be to count as a failure of the page path.
LATE: Final = timedelta(minutes=2)
#: Seconds that the receiver of the heartbeat may take.
_PING_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """The state of the page path, as read from the database."""

    oldest_notification: datetime | None
    backlogs: Mapping[str, Backlog]
    states_by_channel: Mapping[str, ChannelState]
    heartbeat_states: Mapping[str, HeartbeatState]
    expected: tuple[ExpectedHeartbeat, ...]
    channels: tuple[str, ...]


def doubts(facts: HealthFacts, now: datetime) -> tuple[str, ...]:
    """Return why on-call might not be paged now, one sentence per reason; empty if nothing is wrong. Pure."""
    found = []
    if facts.oldest_notification is not None and now - facts.oldest_notification > LATE:
        found.append("notifications are waiting for triage")
    for channel in facts.channels:
        standing = facts.states_by_channel.get(channel, ChannelState())
        urgent = facts.backlogs.get(channel, Backlog()).urgent
        if urgent is not None and now - urgent > LATE:
            found.append(f"messages to {channel} are overdue")
        elif (standing.failed_at or 0.0) > (standing.accepted_at or 0.0):
            found.append(f"{channel} did not accept the last message")
    for heartbeat in facts.expected:
        heartbeat_state = facts.heartbeat_states.get(heartbeat.cluster)
        if (
            heartbeat_state is None
            or heartbeat_state.seen_at is None
            or now - heartbeat_state.seen_at > timedelta(seconds=heartbeat.max_gap)
        ):
            found.append(f"no Watchdog from {heartbeat.cluster}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class OutboundHeartbeat:
    """Pings ``url`` while everything is healthy, and otherwise ``fail_url``, if there is one.

    ``alive`` returns True if every loop of this process runs. The process that claimed the job sends the ping: it has
    just written to the database.
    """

    database: Database
    context: Callable[[], DecisionContext]
    outgoing: Outgoing
    clock: Clock
    _: KW_ONLY
    url: Secret
    fail_url: Secret
    alive: Callable[[], bool]

    def run(self) -> None:
        """Send one ping, or none. Raises StoreError: then no ping is sent, and the receiver raises its alarm."""
        found = doubts(self._facts(), self.clock.now())
        if not self.alive():
            found = (*found, "an engine thread has stopped")
        if found:
            _log.warning("outbound_heartbeat.withheld", reasons=list(found))
            COUNTERS.add("responder_outbound_heartbeats", "withheld")
            if self.fail_url.reveal():
                self._ping(self.fail_url)
            return
        refusal = self._ping(self.url)
        COUNTERS.add("responder_outbound_heartbeats", "failed" if refusal else "accepted")
        if refusal:
            _log.warning("outbound_heartbeat.refused", reason=refusal)
            return
        name = "responder_outbound_heartbeat_last_success_timestamp_seconds"
        COUNTERS.add(name, value=self.clock.now().timestamp())

    def _facts(self) -> HealthFacts:
        context = self.context()
        with self.database.read() as connection:
            return HealthFacts(
                oldest_notification=inbox.oldest_new(connection),
                backlogs=backlog.backlogs(connection, self.clock.now()),
                states_by_channel=outbox.states_by_channel(connection),
                heartbeat_states=detectors.heartbeat_states(connection),
                expected=context.book.heartbeats,
                channels=tuple(context.channels),
            )

    def _ping(self, url: Secret) -> str:
        """Return why the ping was not accepted, without the URL; empty if it was."""
        deadline = Deadline(self.clock.monotonic() + _PING_SECONDS)
        try:
            response = self.outgoing.send(Request(url.reveal(), b"", method="GET"), deadline)
        except UnreachableError as error:
            return scrub(str(error), (url,))
        return "" if 200 <= response.status < 300 else f"HTTP {response.status}"
