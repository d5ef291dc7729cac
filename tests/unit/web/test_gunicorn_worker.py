"""Connections are shared out: who has fewer takes the next one first."""

from __future__ import annotations

from responder.web.gunicorn_worker import LONGEST_SECONDS, accept_delay


def test_a_worker_without_connections_waits_for_nobody() -> None:
    """A notification that comes alone is taken at once."""
    assert accept_delay(0, 2) == 0


def test_who_has_more_connections_lets_the_others_go_first() -> None:
    """Of two workers the one with fewer connections takes the next, and none waits for long."""
    waits = [accept_delay(connections, 2) for connections in range(8)]
    assert waits == sorted(set(waits))
    assert max(accept_delay(connections, 2) for connections in range(1000)) == LONGEST_SECONDS


def test_a_worker_that_is_alone_waits_for_nobody() -> None:
    """With one worker a connection is taken at once, however many there are."""
    assert accept_delay(100, 1) == 0
