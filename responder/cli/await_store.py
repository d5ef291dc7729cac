"""A start waits for a database that is away, as after a power cut, and says so to whoever sends webhooks."""

from __future__ import annotations

import signal
import sys
import threading

import structlog

from responder import bootstrap
from responder.cli.fail import Fatal
from responder.settings import Settings
from responder.store.failures import Away
from responder.web.meanwhile import Meanwhile

WAIT_SECONDS = 300.0
"""How long a server may take to come back: a PostgreSQL that recovers from a power cut takes up to minutes."""
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 10.0

_ADVICE = (
    "see that PostgreSQL runs and accepts connections from here, and that user, password and name of the database are "
    "right in RESPONDER_DATABASE_URL (or the file of RESPONDER_DATABASE_URL_FILE)"
)

_log = structlog.get_logger()


def await_store(settings: Settings, reason: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until the database lets us in, and answer 503 meanwhile. Raises Away after ``seconds``, and Fatal."""
    try:
        meanwhile = Meanwhile(settings.listen, reason)
    except OSError as error:
        raise Fatal(f"cannot listen on {settings.listen}: {error.strerror}") from error
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        with meanwhile:
            _wait(settings, reason, seconds)
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(settings: Settings, reason: str, seconds: float) -> None:
    ticks, pause = bootstrap.SystemClock().monotonic, threading.Event()
    end, next_said = ticks() + seconds, ticks()
    while ticks() < end:
        if ticks() >= next_said:
            _log.warning("serve.waiting", reason=reason, advice=_ADVICE, gives_up_in_seconds=round(end - ticks()))
            next_said += _SAY_SECONDS
        pause.wait(_LOOK_SECONDS)
        try:
            return bootstrap.reach_store(settings)
        except Away as error:
            reason = str(error)
    raise Away(f"{reason}; it was waited for {seconds:g} s")
