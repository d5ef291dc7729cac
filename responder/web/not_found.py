"""What a request hears that no route takes: one line that says what to use, since a mistyped address loses alerts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import structlog
from flask import Blueprint, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from responder.model.clock import Clock
from responder.model.text import tidy_line
from responder.store.database import StoreError
from responder.store.inbox.inbox import Inbox

_log = structlog.get_logger()
_SECONDS = 60.0
_MOST_PATHS = 100
"""Anybody can ask for any path: neither the memory nor the log may grow with them."""
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class LogThrottle:
    """Says a thing once a minute, and at most so many things."""

    clock: Clock
    said: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_say(self, what: str) -> bool:
        """Whether it is to be said now; it counts as said then."""
        now = self.clock.monotonic()
        with self.lock:
            for each in [each for each, at in self.said.items() if now - at >= _SECONDS]:
                del self.said[each]
            if what in self.said or len(self.said) >= _MOST_PATHS:
                return False
            self.said[what] = now
            return True


@dataclass(frozen=True, slots=True)
class OutsideRecorder:
    """Stores that a request had no valid credentials or a wrong path, at most once a minute and without its body."""

    inbox: Inbox
    clock: Clock
    throttle: LogThrottle

    def record(self, status: int, reason: str) -> None:
        """Record the current request. Without a database the log has to suffice."""
        if self.throttle.may_say(str(status)):
            remote, size = request.remote_addr or "", request.content_length or 0
            try:
                self.inbox.set_aside(b"", size, remote, status, reason, self.clock.now())
            except StoreError as error:
                _log.error("webhook.cannot_store", reason=str(error))


def blueprint(clock: Clock, *, takes_webhooks: bool, outside: OutsideRecorder | None = None) -> Blueprint:
    """No routes. ``takes_webhooks`` is whether this process has the webhook's."""
    found = Blueprint("astray", __name__)
    sparingly = LogThrottle(clock)
    use = "use POST /webhook/alertmanager" if takes_webhooks else "RESPONDER_ROLE=engine takes no webhooks"

    @found.app_errorhandler(404)
    @found.app_errorhandler(405)
    def lead_back(error: HTTPException) -> Response:
        why = "the method is not allowed here" if error.code == 405 else "there is nothing here"
        path = tidy_line(request.path, _LONGEST)
        if request.method == "POST" and sparingly.may_say(path):
            _log.warning(
                "webhook.astray", path=path, status=error.code, remote=request.remote_addr, reason=f"{why}: {use}"
            )
        if outside is not None and request.method == "POST" and request.is_json:
            outside.record(error.code or 404, f"{why} ({path}): {use}")
        answer = error.get_response()
        answer.set_data(f"{why}: {use}\n")
        answer.content_type = "text/plain; charset=utf-8"
        return answer

    return found
