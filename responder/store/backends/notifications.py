"""What one process tells the others that share a PostgreSQL: there is something to do. Those who miss it look later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, select

DELIVERIES = "deliveries"
MESSAGES = "messages"
STUDIES = "studies"
TOPICS = frozenset({DELIVERIES, MESSAGES, STUDIES})

CHANNEL = "responder"
_LISTEN_SECONDS = 0.5
_GATHER_SECONDS = 0.02
"""What is told within this time is heard as one: a storm of webhooks does not become a storm of looks."""


def tell(connection: Connection, topic: str) -> None:
    """Wake every listener when this transaction is committed. On SQLite the others look by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, topic)))


class Listener:
    """Hears what others tell. ``on_news`` gets a topic; after a lost connection it gets all, since some were missed."""

    def __init__(
        self,
        connect: Callable[[], Any],
        on_news: Callable[[str], None],
        named: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        """``connect`` gives a connection of the driver's own, and ``named`` turns its errors into StoreError."""
        self._connect = connect
        self._on_news = on_news
        self._named = named
        self._connection: Any = None

    def step(self) -> float:
        """Listen for half a second, on a new connection where the last one broke. Returns the seconds to rest."""
        try:
            with self._named():
                heard = self._listen() if self._connection else self._begin()
        except BaseException:
            self.close()
            raise
        for topic in sorted(heard & TOPICS):
            self._on_news(topic)
        return _GATHER_SECONDS if heard else 0.0

    def _begin(self) -> frozenset[str]:
        self._connection = self._connect()
        self._connection.execute(f"LISTEN {CHANNEL}")
        return TOPICS

    def _listen(self) -> frozenset[str]:
        heard = frozenset(news.payload for news in self._connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1))
        if not heard:
            self._connection.execute("SELECT 1")  # a way that has died is silent too
        return heard

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
