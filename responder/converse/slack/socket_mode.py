"""Socket Mode: Slack sends over a connection that responder opens, so that no public address is needed.

https://docs.slack.dev/apis/events-api/using-socket-mode. ``step`` is the step of a loop, which receives; threads of
``SocketMode`` handle what was received by the same entry as HTTP, and acknowledge it after the commit.
"""

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import structlog

from responder.converse.slack.api import SlackApi
from responder.converse.slack.entry import NotAnsweredError, SlackEntry
from responder.converse.slack.payloads import BODY_BYTES, BadPayloadError, read_command
from responder.counters import COUNTERS
from responder.model.clock import Clock, Deadline
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.websocket import PING_SECONDS, ClientConnection, ConnectionClosed, open_websocket

_log = structlog.get_logger()

#: Seconds for the TCP, TLS and WebSocket handshakes together, and then for ``hello``.
OPEN_SECONDS = 10.0
#: Seconds between attempts to become the one worker of this instance that is connected.
_HOLD_SECONDS = 2.0
#: Seconds that one step waits for a message.
_RECEIVE_SECONDS = 0.5
#: Pause after the first failed attempt, doubled with each further one, and the longest pause, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: Seconds that an announced end may take: Slack closes the connection about 10 s after its warning.
_LEAVE_SECONDS = 20.0
#: Payloads that are handled at once. Each takes some milliseconds, or a second where it opens a dialog.
_AT_ONCE = 4
#: Bytes of a frame: a payload with its envelope. A larger frame ends the connection.
_FRAME_BYTES = 1024 * 1024
#: Reasons of ``disconnect`` after which Slack does not accept the next connection at once.
_UNWELCOME = frozenset({"link_disabled", "too_many_websockets"})


class _Envelope(msgspec.Struct):
    type: str = ""
    reason: str = ""
    envelope_id: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"")
    accepts_response_payload: bool = False


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_FIELDS = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class _Session:
    """A connection. ``until`` ends it on the monotonic clock: without a ``hello``, or after it was announced to end."""

    connection: ClientConnection
    until: float
    hello: bool = False
    leaving: bool = False


class SocketMode:
    """The connection of this instance to Slack.

    ``hold`` returns True if this process is the one of its instance that is connected. ``open_seconds`` is the
    time for the handshake, and again for ``hello``; ``ping_seconds`` that between pings, and for each answer.
    """

    def __init__(
        self,
        entry: SlackEntry,
        api: SlackApi,
        outgoing: Outgoing,
        clock: Clock,
        app_token: Secret,
        hold: Callable[[], bool],
        *,
        open_seconds: float = OPEN_SECONDS,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._entry = entry
        self._api = api
        self._outgoing = outgoing
        self._clock = clock
        self._app_token = app_token
        self._hold = hold
        self._open_seconds = open_seconds
        self._ping_seconds = ping_seconds
        self._sessions: list[_Session] = []
        self._next_attempt = float("-inf")
        self._failures = 0
        self._handlers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="slack")
        self._handled: set[Future[None]] = set()
        self._guard = threading.Lock()

    def step(self) -> float:
        """Connect if need be, and receive what Slack has sent. Returns the seconds to rest."""
        self._report()
        if not self._sessions and not self._hold():
            return _HOLD_SECONDS
        if all(each.leaving for each in self._sessions):
            left = self._next_attempt - self._clock.monotonic()
            if left <= 0:
                self._connect()
            elif not self._sessions:
                return min(left, _HOLD_SECONDS)
        newest = len(self._sessions) - 1
        for number, session in enumerate(list(self._sessions)):
            self._receive(session, _RECEIVE_SECONDS if number == newest else 0.0)
        return 0.0

    def close(self, seconds: float) -> None:
        """Finish within ``seconds`` what was received, and close the connections. Call it after the last step."""
        wait_for(self._handled, timeout=seconds)
        self._handlers.shutdown(wait=False, cancel_futures=True)
        for session in self._sessions:
            session.connection.close()
        self._outgoing.close()

    def _connect(self) -> None:
        self._api.workspace()  # known before the first press, which has no second to spare
        address = self._api.socket_address(self._app_token)
        if not address.url:
            self._failed(address.problem, address.retry_after)
            return
        deadline = Deadline(self._clock.monotonic() + self._open_seconds)
        try:
            opened = open_websocket(self._outgoing, address.url, deadline, _FRAME_BYTES, self._ping_seconds)
        except UnreachableError as error:
            self._failed(str(error))
            return
        self._sessions.append(_Session(opened, self._clock.monotonic() + self._open_seconds))

    def _failed(self, why: str, retry_after: float = 0.0) -> None:
        """Plan the next attempt. The log gets the first failure, and then one in ten."""
        pause = max(retry_after, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures, 10)))
        self._next_attempt = self._clock.monotonic() + pause
        COUNTERS.add("responder_slack_connections", "failed")
        if self._failures % 10 == 0:
            _log.error("slack.not_connected", reason=why, retry_seconds=round(pause, 1), failures=self._failures + 1)
        self._failures += 1

    def _receive(self, session: _Session, seconds: float) -> None:
        try:
            text = session.connection.recv(seconds)
        except TimeoutError:
            if self._overdue(session):
                self._end(session, "no hello" if not session.hello else "an announced end")
            return
        except ConnectionClosed as error:
            self._end(session, str(error))
            return
        self._take(session, text.encode() if isinstance(text, str) else text)

    def _overdue(self, session: _Session) -> bool:
        return (session.leaving or not session.hello) and self._clock.monotonic() > session.until

    def _end(self, session: _Session, why: str) -> None:
        """Forget a connection, and close it if it is open."""
        self._sessions.remove(session)
        self._handlers.submit(session.connection.close)  # it may wait for the other side
        if session.leaving:
            return
        COUNTERS.add("responder_slack_connections", "lost")
        if session.hello:
            _log.warning("slack.connection_lost", reason=sanitize_line(why, 200))
        else:
            self._failed(f"the connection ended before its hello: {sanitize_line(why, 200)}")

    def _take(self, session: _Session, text: bytes) -> None:
        try:
            envelope = _ENVELOPE.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refused(f"a frame is no envelope: {str(error)[:200]}")
            return
        match envelope.type:
            case "hello":
                session.hello, self._failures = True, 0
                COUNTERS.add("responder_slack_connections", "opened")
                _log.info("slack.connected")
            case "disconnect":
                self._leave(session, sanitize_line(envelope.reason, 60))
            case _ if envelope.envelope_id:
                work = self._handlers.submit(partial(self._handle, session.connection, envelope))
                with self._guard:
                    self._handled.add(work)

    def _leave(self, session: _Session, why: str) -> None:
        """Connect anew now, and keep this connection until Slack closes it: it may still bring payloads."""
        session.leaving, session.until = True, self._clock.monotonic() + _LEAVE_SECONDS
        if why in _UNWELCOME:
            self._failed(f"Slack ends the connection: {why}", _LONGEST_PAUSE)
        else:
            _log.info("slack.connection_ends", reason=why)

    def _handle(self, connection: ClientConnection, envelope: _Envelope) -> None:
        """Handle a payload and acknowledge it. Without an acknowledgement Slack shows the person a warning."""
        payload = bytes(envelope.payload)
        if len(payload) > BODY_BYTES:
            self._refused(f"the payload is larger than {BODY_BYTES} bytes")
            return
        try:
            body = self._answer(envelope.type, payload)
        except (BadPayloadError, msgspec.DecodeError) as error:
            self._refused(sanitize_line(str(error), 200))
            return
        except NotAnsweredError as error:
            _log.error("slack.not_acknowledged", reason=str(error))
            return
        answer: dict[str, Any] = {"envelope_id": envelope.envelope_id}
        if body is not None and envelope.accepts_response_payload:
            answer["payload"] = body
        try:
            connection.send(json.dumps(answer))
        except ConnectionClosed as error:
            _log.warning("slack.not_acknowledged", reason=f"the connection ended: {sanitize_line(str(error), 200)}")

    def _answer(self, kind: str, payload: bytes) -> Mapping[str, Any] | None:
        if kind == "interactive":
            return self._entry.interact(payload)
        if kind == "slash_commands":
            fields = {name: str(value) for name, value in _FIELDS.decode(payload).items()}
            return self._entry.command(*read_command(fields))
        return None  # events that the app does not need

    def _report(self) -> None:
        """Log unexpected errors of handlers: a payload that hits one is not acknowledged."""
        with self._guard:
            done = {each for each in self._handled if each.done()}
            self._handled -= done
        for error in filter(None, (each.exception() for each in done)):
            _log.error("slack.failed", exc_info=error)

    def _refused(self, why: str) -> None:
        COUNTERS.add("responder_actions", "refused")
        _log.warning("slack.refused", reason=why)
