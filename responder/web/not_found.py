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


def blueprint(clock: Clock, *, takes_webhooks: bool) -> Blueprint:
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
        answer = error.get_response()
        answer.set_data(f"{why}: {use}\n")
        answer.content_type = "text/plain; charset=utf-8"
        return answer

    return found
