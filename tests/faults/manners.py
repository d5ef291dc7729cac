"""Temporary faults of PagerDuty, Slack and the Alertmanager of the silences."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from random import Random

from responder.standins.server import Call, Fault, StandIn, hang, healthy, reset, status, swallow
from tests.faults.strikes import Strike
from tests.faults.world import World

#: Takes the end of the fault on the monotonic clock; returns the treatment of each request.
Manner = Callable[[float], Callable[[Call], Fault]]


def misbehave(name: str, manner: Manner, *, away: bool = False, lasting: float = 0.0) -> Strike:
    """A server behaves like this for a while: PagerDuty, Slack or Alertmanager.

    ``away`` is True if it takes no event meanwhile, nor ``lasting`` seconds after it, since none is sent to it.
    """

    def strike(world: World, seconds: float, _dice: Random) -> None:
        server: StandIn = {"PagerDuty": world.pagerduty, "Slack": world.slack, "Alertmanager": world.silences}[name]
        what = f"{name} {manner.__name__.replace('_', ' ')}"
        world.timeline.note(what)
        with world.timeline.unreachable(what, lasting) if away else contextlib.nullcontext():
            server.manner = manner(time.monotonic() + seconds)
            time.sleep(seconds)
            server.manner = healthy
        world.timeline.note(f"{name} is well again")

    return strike


def answers_500(_until: float) -> Callable[[Call], Fault]:
    """Every request is answered with 500."""
    return lambda _call: status(500, b'{"status": "error", "message": "Internal Server Error"}')


def answers_html(_until: float) -> Callable[[Call], Fault]:
    """Every request is answered with 200 and a page of a proxy, which means nothing."""
    return lambda _call: status(200, b"<html><body>Sign in to the proxy</body></html>")


def answers_429(_until: float) -> Callable[[Call], Fault]:
    """Every request is answered with 429 and a wish for a pause."""
    return lambda _call: status(429, b'{"status": "throttle exceeded", "message": "wait"}', Retry_After="1")


def refuses_all_but_the_plainest(_until: float) -> Callable[[Call], Fault]:
    """A page with details is rejected permanently; the plain one and a resolve are accepted."""
    body = b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["a fault of the suite"]}'
    return lambda call: status(400, body) if b'"01 ' in call.body else Fault()


def refuses_everything(_until: float) -> Callable[[Call], Fault]:
    """Every event is rejected permanently, as with a revoked key."""
    return lambda _call: status(400, b'{"status": "invalid event", "message": "invalid routing key", "errors": []}')


def hangs(until: float) -> Callable[[Call], Fault]:
    """Nothing is said until it ends; then the requests that still wait are treated."""
    return lambda _call: hang(max(0.0, until - time.monotonic()))


def resets(_until: float) -> Callable[[Call], Fault]:
    """Every connection is reset."""
    return lambda _call: reset()


def accepts_and_dies(_until: float) -> Callable[[Call], Fault]:
    """Every request is taken, and the connection reset in place of the answer."""
    return lambda _call: swallow()


def cannot(_until: float) -> Callable[[Call], Fault]:
    """Slack's own way to say 500."""
    return lambda _call: status(200, b'{"ok": false, "error": "fatal_error"}')
