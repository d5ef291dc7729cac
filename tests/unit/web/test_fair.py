"""Connections are shared out: who has fewer takes the next one first."""

from __future__ import annotations

from responder.web.fair import LONGEST, patience


def test_a_worker_without_connections_waits_for_nobody() -> None:
    """A notification that comes alone is taken at once."""
    assert patience(0) == 0


def test_who_has_more_connections_lets_the_others_go_first() -> None:
    """Of two workers the one with fewer connections takes the next, and none waits for long."""
    waits = [patience(connections) for connections in range(8)]
    assert waits == sorted(set(waits))
    assert max(patience(connections) for connections in range(1000)) == LONGEST
