"""Webhook subscriptions of PagerDuty (V3): signed, in order for each incident, retried, disabled after drops.

https://developer.pagerduty.com/docs/webhooks-overview: an event is retried for 48 hours after a time-out, a 5xx or a
429; any other 4xx drops it, and three drops in a row disable the subscription for a day.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.outgoing import UnreachableError
from responder.standins import loopback

#: Seconds that PagerDuty waits for an answer.
ANSWER_SECONDS = 5.0
#: Events dropped in a row that disable a subscription.
MOST_DROPS = 3
_DAY_SECONDS = 86_400.0


@dataclass(slots=True)
class Subscription:
    """A subscription of ``url``. Several ``secrets`` sign each body, as while one is replaced.

    ``day`` is how long a day lasts, in seconds: retries and the time that it is disabled are compressed by it. ``sent``
    holds each attempt: the id of the event and the status, 0 for no answer.
    """

    url: str
    secrets: tuple[str, ...]
    day: float = 20.0
    id: str = "PSUBSCR"
    sent: list[tuple[str, int]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    active: bool = True

    def signature(self, body: bytes) -> str:
        """Return the header that signs a body with each secret."""
        digests = (hmac.new(each.encode(), body, hashlib.sha256).hexdigest() for each in self.secrets)
        return ",".join(f"v1={each}" for each in digests)


class WebhookSender:
    """Sends the events of one account to its subscriptions, in a thread for each incident that has some."""

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []
        self._queues: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
        self._drops: dict[int, int] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()

    def subscribe(self, url: str, *secrets: str, day: float = 20.0) -> Subscription:
        """Add a subscription."""
        with self._guard:
            self.subscriptions.append(Subscription(url, secrets, day, f"PSUB{len(self.subscriptions) + 1:03}"))
            return self.subscriptions[-1]

    def send(self, incident: str, event: Mapping[str, Any]) -> None:
        """Send an event to all active subscriptions, after the earlier ones of its incident."""
        for number, each in enumerate(self.subscriptions):
            if not each.active:
                continue
            with self._guard:
                queue = self._queues.setdefault((number, incident), [])
                queue.append(event)
                if len(queue) > 1:
                    continue
            threading.Thread(target=self._run, args=(number, incident), daemon=True).start()

    def ping(self, subscription: Subscription) -> int:
        """Send the test event; return the status of the answer, 0 for none."""
        event = {"id": "01PING", "event_type": "pagey.ping", "resource_type": "pagey", "agent": None, "client": None}
        data = {"message": "Hello from your friend Pagey!", "type": "ping"}
        return self.post(subscription, {**event, "occurred_at": "2026-02-28T02:41:30.000Z", "data": data})

    def post(self, subscription: Subscription, event: Mapping[str, Any]) -> int:
        """Send an event once, whatever the state of the subscription; return the status, 0 for no answer."""
        body = json.dumps({"event": event}).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "PagerDuty-Webhook/V3.0",
            "X-PagerDuty-Signature": subscription.signature(body),
            "X-Webhook-Id": str(event["id"]),
            "X-Webhook-Subscription": subscription.id,
        }
        try:
            status = loopback.post(subscription.url, body, headers, ANSWER_SECONDS).status
        except UnreachableError:
            status = 0
        with self._guard:
            subscription.sent.append((str(event["id"]), status))
        return status

    def enable(self, subscription: Subscription) -> None:
        """Enable a subscription again."""
        with self._guard:
            subscription.active = True
            self._drops[self.subscriptions.index(subscription)] = 0

    def close(self) -> None:
        """Stop sending."""
        self._stopping.set()

    @property
    def idle(self) -> bool:
        """True if no event waits."""
        with self._guard:
            return not any(self._queues.values())

    def _run(self, number: int, incident: str) -> None:
        queue = self._queues[number, incident]
        while queue and not self._stopping.is_set():
            self._deliver(number, queue[0])
            with self._guard:
                queue.pop(0)
                if not queue:
                    return

    def _deliver(self, number: int, event: Mapping[str, Any]) -> None:
        """Send an event until it is accepted, dropped, or 48 hours have passed."""
        subscription = self.subscriptions[number]
        scale = subscription.day / _DAY_SECONDS
        left, wait = 2 * subscription.day, 60.0 * scale
        while subscription.active and not self._stopping.is_set():
            status = self.post(subscription, event)
            if 200 <= status < 300:
                self._drops[number] = 0
                return
            if 400 <= status < 500 and status != 429:
                self._drop(number, event)
                return
            if left <= 0:
                return
            self._stopping.wait(max(0.02, wait))
            left, wait = left - max(0.02, wait), wait * 2

    def _drop(self, number: int, event: Mapping[str, Any]) -> None:
        subscription = self.subscriptions[number]
        with self._guard:
            subscription.dropped.append(str(event["id"]))
            self._drops[number] = self._drops.get(number, 0) + 1
            if self._drops[number] < MOST_DROPS:
                return
            subscription.active = False
        again = threading.Timer(subscription.day, self.enable, (subscription,))
        again.daemon = True
        again.start()
