"""Responses for unknown URLs (404/405): one line with the URL to use, since a mistyped address loses alerts."""

import threading
from dataclasses import dataclass, field

import structlog
from flask import Blueprint, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from responder.model.clock import Clock
from responder.model.text import sanitize_line
from responder.store.database import StoreError
from responder.store.inbox.inbox import Inbox

_log = structlog.get_logger()
#: Seconds between two logs of the same event.
_THROTTLE_SECONDS = 60.0
#: Anybody can ask for any path: neither the memory nor the log may grow with them.
_MOST_PATHS = 100
#: Characters of a path in the log.
_LONGEST = 100
_OTHERS = ""


@dataclass(frozen=True, slots=True)
class LogThrottle:
    """Lets each thing be logged once a minute. Beyond 99 things all others count as one."""

    clock: Clock
    said: dict[str, tuple[float, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> int:
        """Return the count since it was last logged, this time included; 0 if it is not to be logged now."""
        now = self.clock.monotonic()
        with self.lock:
            if what not in self.said and len(self.said) >= _MOST_PATHS - 1:
                for each in [each for each, (at, _) in self.said.items() if now - at >= _THROTTLE_SECONDS]:
                    del self.said[each]
                what = what if len(self.said) < _MOST_PATHS - 1 else _OTHERS
            at, held_back = self.said.get(what, (float("-inf"), 0))
            due = now - at >= _THROTTLE_SECONDS
            self.said[what] = (now, 0) if due else (at, held_back + 1)
            return held_back + 1 if due else 0

    def may_log(self, what: str) -> bool:
        """Return True if it should be logged now."""
        return self.count(what) > 0


@dataclass(frozen=True, slots=True)
class OutsideRecorder:
    """Stores that a request had no valid credentials or a wrong path, at most once a minute and without its body."""

    inbox: Inbox
    clock: Clock
    throttle: LogThrottle

    def record(self, status: int, reason: str) -> None:
        """Record the current request; without a database it is only logged."""
        if self.throttle.may_log(str(status)):
            remote, size = request.remote_addr or "", request.content_length or 0
            try:
                self.inbox.set_aside(b"", size, remote, status, reason, self.clock.now())
            except StoreError as error:
                _log.error("webhook.store_failed", reason=str(error))


def blueprint(clock: Clock, *, takes_webhooks: bool, outside: OutsideRecorder | None = None) -> Blueprint:
    """Return the error handlers. ``takes_webhooks`` is True if this process serves the webhook."""
    found = Blueprint("astray", __name__)
    sparingly = LogThrottle(clock)
    use = "use POST /webhook/alertmanager" if takes_webhooks else "RESPONDER_ROLE=engine takes no webhooks"

    @found.app_errorhandler(404)
    @found.app_errorhandler(405)
    def unknown_url(error: HTTPException) -> Response:
        why = "method not allowed" if error.code == 405 else "unknown path"
        path = sanitize_line(request.path, _LONGEST)
        if request.method == "POST" and sparingly.may_log(path):
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
