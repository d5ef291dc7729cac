"""WebSocket connections to a server: the dialer, proxies and certificates of all that leaves, and deadlines."""

import contextlib
import socket
from typing import Final
from urllib.parse import quote, urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from responder import __version__
from responder.model.clock import Deadline
from responder.model.text import one_line
from responder.outgoing.client import Outgoing
from responder.outgoing.network import UnreachableError, reason

__all__ = ["ClientConnection", "ConnectionClosed", "open_websocket"]

#: Seconds between pings, and those that the other side has for each answer: a dead connection ends within 40 s.
PING_SECONDS: Final = 20.0
#: Milliseconds for which sent bytes may stay unacknowledged, so that no thread waits for a dead peer.
_UNACKNOWLEDGED: Final = 20_000
#: Seconds that the server may take to close the connection.
_CLOSE_SECONDS: Final = 1.0


def open_websocket(
    outgoing: Outgoing, url: str, deadline: Deadline, most_bytes: int, ping_seconds: float = PING_SECONDS
) -> ClientConnection:
    """Return an open connection to a ws or wss URL. Raises UnreachableError, by the deadline.

    A message of more than ``most_bytes`` closes it. It closes itself if a ping is not answered.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    proxy = outgoing.proxy_for("https" if secure else "http", host, port)
    left = outgoing.left(deadline)
    dialled: socket.socket | None = None
    if proxy is None:
        dialled = outgoing.connect(host, port, deadline)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED)
        dialled.settimeout(None)
    try:
        return connect(
            url,
            sock=dialled,
            ssl=outgoing.tls if secure else None,
            compression=None,  # a small compressed frame can become a huge one
            user_agent_header=f"responder/{__version__}",
            proxy=_with_login(proxy.url, proxy.login.reveal()) if proxy else None,
            open_timeout=max(0.001, outgoing.left(deadline)),
            ping_interval=ping_seconds,
            ping_timeout=ping_seconds,
            close_timeout=_CLOSE_SECONDS,
            max_size=most_bytes,
            legacy=True,
        )
    except OSError as error:
        _close(dialled)
        raise reason(error, left) from error
    except (WebSocketException, EOFError) as error:
        _close(dialled)
        raise UnreachableError(f"no WebSocket: {one_line(str(error))[:200]}") from error


def _with_login(proxy: str, login: str) -> str:
    if not login:
        return proxy
    parts = urlsplit(proxy)
    user, _, password = login.partition(":")
    return f"{parts.scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.close()
