"""Updates of open pages: each is rendered once for all tabs that show the same address to the same role."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from flask import abort

from responder.settings.access import Role

#: Seconds that an update is good for. It must be less than the interval of the tabs, 5 seconds: then no tab that has
#: just acted goes back to a state before its action.
GOOD_SECONDS = 2.0
#: Updates that are kept; one has up to 200 KB.
MOST_KEPT = 64
#: Seconds that a tab waits for the updates of others.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Update:
    """The part of a page that changes, its tag, and what the database had when it was rendered."""

    body: str
    tag: str
    state: str
    looked_at: float


class Updates:
    """The last update of each page. ``monotonic`` is a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: dict[tuple[str, Role], Update] = {}
        self._lock = threading.Lock()

    def newest(self, address: str, role: Role, state: Callable[[], str], render: Callable[[], str]) -> Update:
        """Return the update of a page, rendered anew if the one before is not good any more and ``state`` differs."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            abort(503, "The console is busy with other updates.")
        try:
            kept, now = self._kept.pop((address, role), None), self._monotonic()
            if kept is None or now - kept.looked_at >= GOOD_SECONDS:
                current = state()
                if kept is None or kept.state != current:
                    body = render()
                    kept = Update(body, sha256(body.encode()).hexdigest()[:20], current, now)
                kept = replace(kept, looked_at=now)
            self._kept[address, role] = kept  # the last one is the newest
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return kept
        finally:
            self._lock.release()
