"""Detects that the client of a request has closed its connection."""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping
from typing import Any


def hangup_of(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """A function that is true once the client of a request has closed the connection, or its writing half.

    The descriptor is polled, which also works under TLS and behind unread data. A client that has given up believes
    its notification undelivered: Alertmanager repeats what still fires, but never sends the end of what it believes
    undelivered. Without gunicorn's socket the function is never true.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return lambda: False

    def gone() -> bool:
        try:
            descriptor = connection.fileno()
        except OSError:
            return True
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, _CLOSED)
        return any(events & _CLOSED for _, events in poll.poll(0))

    return gone


#: POLLRDHUP exists on Linux only. Elsewhere a half-closed connection is not noticed.
_CLOSED = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
