"""Rate limits that a vendor counts for one method across channels, in all replicas: Slack's, for each token."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from responder.model.message import OutboxRow
from responder.notify.contract import Channel, MethodLimit
from responder.notify.delivery.route import Channels
from responder.store.outbox import outbox
from responder.store.outbox.claims import StepRoom


@dataclass(frozen=True, slots=True)
class StoredLimit:
    """A limit, and the row of its token bucket: that of the first channel with the same limit, and the method."""

    row: str
    limit: MethodLimit

    def lock(self, connection: Connection) -> float:
        """Return when the bucket is full again, and lock it for other claims until this transaction ends."""
        return outbox.lock_state(connection, self.row).full_at

    def room(self, connection: Connection, now: float) -> StepRoom:
        """Return how many messages may use the method at ``now``, and lock the bucket."""
        found = self.limit.rate_limit.available(self.lock(connection), now)
        return StepRoom(self.limit.steps, found.urgent, found.other)

    def spend(self, connection: Connection, claimed: Sequence[OutboxRow], now: float) -> None:
        """Count the claimed messages that use the method."""
        if count := sum(row.message.step in self.limit.steps for row in claimed):
            full_at = self.limit.rate_limit.full_after(self.lock(connection), now, count)
            outbox.save_full_at(connection, self.row, full_at)

    def empty(self, connection: Connection, now: float, until: float) -> None:
        """Use the method no more before ``until``, as the vendor asked."""
        full_at = self.limit.rate_limit.emptied(self.lock(connection), now, until)
        outbox.save_full_at(connection, self.row, full_at)


def stored_limits(channel: Channel, configured: Channels) -> tuple[StoredLimit, ...]:
    """Return the limits of a channel, in the order in which all processes lock them."""
    found = []
    for limit in channel.method_limits:
        first = next(name for name, other in configured.items() if limit in other.method_limits)
        found.append(StoredLimit(f"{first}:{limit.method}", limit))
    return tuple(sorted(found, key=lambda each: each.row))
