"""Notifications between processes that share a PostgreSQL. A lost one costs one poll."""

import contextlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, select

NEW_NOTIFICATIONS = "notifications"
MESSAGES = "messages"
NEW_DIAGNOSES = "diagnoses"
NEW_ACTIONS = "actions"
TOPICS = frozenset({NEW_NOTIFICATIONS, MESSAGES, NEW_DIAGNOSES, NEW_ACTIONS})

CHANNEL = "responder"
#: Seconds of one wait for a notification, after which the listener looks if it has to stop.
_LISTEN_SECONDS = 0.5
#: Notifications within this time are handled as one, so that a storm of webhooks does not cause a storm of polls.
_GATHER_SECONDS = 0.02


def notify(connection: Connection, topic: str) -> None:
    """Wake every listener when this transaction is committed. On SQLite other processes poll."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, topic)))


class Listener:
    """Receives notifications. ``on_news`` gets a topic; after a lost connection every topic, since some were missed."""

    def __init__(
        self,
        connect: Callable[[], Any],
        on_news: Callable[[str], None],
        named: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        """``connect`` returns a driver connection, and ``named`` turns its errors into StoreError."""
        self._connect = connect
        self._on_news = on_news
        self._named = named
        self._connection: Any = None

    def step(self) -> float:
        """Listen for half a second, on a new connection if the last one broke. Returns the seconds to rest."""
        try:
            with self._named():
                received = self._listen() if self._connection else self._begin()
        except BaseException:
            self.close()
            raise
        for topic in sorted(received & TOPICS):
            self._on_news(topic)
        return _GATHER_SECONDS if received else 0.0

    def _begin(self) -> frozenset[str]:
        self._connection = self._connect()
        self._connection.execute(f"LISTEN {CHANNEL}")
        return TOPICS

    def _listen(self) -> frozenset[str]:
        received = frozenset(news.payload for news in self._connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1))
        if not received:
            self._connection.execute("SELECT 1")  # detects a dead connection
        return received

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
