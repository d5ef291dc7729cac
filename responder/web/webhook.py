"""``POST /webhook/alertmanager``: store the payload, then acknowledge. All other work happens after the request."""

import contextlib
import itertools
import re
import select
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import structlog
from flask import Blueprint, Request, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from responder.counters import COUNTERS
from responder.model.clock import Clock
from responder.model.text import sanitize_line
from responder.receive.alertmanager import InvalidPayload, check
from responder.receive.oversized import excerpt
from responder.store.database import StoreError
from responder.store.inbox.inbox import ClientGoneError, Inbox
from responder.web.app import Guard, line
from responder.web.not_found import LogThrottle, OutsideRecorder

_log = structlog.get_logger()
_UNAUTHORIZED = "unauthorized: send a token of RESPONDER_WEBHOOK_TOKEN or a login of RESPONDER_WEBHOOK_BASIC_AUTH"
_CLUSTER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_NO_CLUSTER = (
    'the address names no cluster: at most 100 letters, digits, "_", "-" and ".", as in /webhook/alertmanager/prod-eu'
)
#: How much of a too large body is read and dropped, so that the sender receives the answer and not a reset.
_DRAIN_BYTES = 64 * 1024 * 1024
#: Bounds of a body above RESPONDER_MAX_BODY_BYTES, which is read to its end and kept in part.
LARGE_BYTES = 256 * 1024 * 1024
LARGE_SECONDS = 60.0
_JSON = {"application/json", "text/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Dependencies of the webhook. ``on_kept`` is called after each commit.

    ``alive`` is true while every loop of this process runs: without its engine a worker must not acknowledge.
    ``large`` is held while a payload above ``max_body_bytes`` is read.
    """

    inbox: Inbox
    guard: Guard
    clock: Clock
    max_body_bytes: int
    on_kept: Callable[[], None]
    alive: Callable[[], bool] = field(default=lambda: True)
    outside: OutsideRecorder | None = None
    large: Lock = field(default_factory=Lock)


class _BusyError(Exception):
    """Another payload above the limit is being read."""


class _TooLargeError(Exception):
    """A body that exceeds LARGE_BYTES or LARGE_SECONDS."""


class _Refusal(Exception):
    """A body that is answered with a 4xx and kept for the operator. Alertmanager repeats it each ``group_interval``."""

    def __init__(self, status: int, reason: str, body: bytes, size: int) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.body = body
        self.size = size


def blueprint(config: WebhookConfig) -> Blueprint:
    """The routes. The optional last segment names the cluster the alerts come from; a slash may follow it."""
    routes, refused = Blueprint("webhook", __name__), LogThrottle(config.clock)

    @routes.post("/webhook/alertmanager", strict_slashes=False)
    @routes.post("/webhook/alertmanager/<cluster>", strict_slashes=False)
    def receive(cluster: str = "") -> Response:
        if not config.guard.admits(request.headers.get("Authorization", "")):
            if count := refused.count(request.remote_addr or ""):
                _log.warning("webhook.unauthorized", remote=request.remote_addr, requests=count)
            if config.outside is not None:
                config.outside.record(401, "no valid credentials")
            answer = line(401, _UNAUTHORIZED)
            answer.headers["WWW-Authenticate"] = 'Bearer realm="responder", Basic realm="responder"'
            return answer
        if not config.alive():
            return line(503, "not stored, retry: the engine of this process has stopped")
        try:
            body = _read(request, config)
            _require_name(cluster, body)
            number = config.inbox.keep(body, cluster, config.clock.now(), hangup_of(request.environ))
        except _Refusal as refusal:
            return _refuse(config, refusal)
        except CutOffError as error:
            COUNTERS.add("responder_aborted_webhooks", "cut_off")
            _log.warning("webhook.cut_off", remote=request.remote_addr, reason=str(error))
            return line(400, "the payload is incomplete")
        except ClientGoneError:
            COUNTERS.add("responder_aborted_webhooks", "hung_up")
            _log.warning("webhook.hung_up", remote=request.remote_addr)
            return line(503, "not stored, retry: the connection was closed before the commit")
        except _BusyError:
            return line(503, "not stored, retry: another large payload is being read")
        except StoreError as error:
            _log.error("webhook.store_failed", reason=str(error))
            return line(503, f"not stored, retry: {error}")
        config.on_kept()
        return Response(b'{"id": %d}\n' % number, 202, content_type="application/json")

    return routes


def _read(incoming: Request, config: WebhookConfig) -> bytes:
    """The uncompressed payload, or what fits of it. Raises _Refusal, CutOffError and _BusyError."""
    limit, parts, size = config.max_body_bytes, list[bytes](), 0
    stream = chunks(incoming)
    try:
        for chunk in stream:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                return _read_large(incoming, parts, stream, config)
    except EncodingError as error:
        raise _Refusal(error.status, sanitize_line(str(error), 300), b"".join(parts), size) from None
    body = b"".join(parts)
    kind = incoming.mimetype
    if kind not in _JSON and not kind.endswith("+json"):
        raise _Refusal(
            415, f"expected application/json, got {sanitize_line(kind, 60) or 'no content type'}", body, size
        )
    try:
        check(body)
    except InvalidPayload as error:
        raise _Refusal(400, sanitize_line(str(error), 300), body, size) from None
    return body


def _read_large(incoming: Request, first: list[bytes], rest: Iterator[bytes], config: WebhookConfig) -> bytes:
    """The part of a payload above the limit that is kept. One is read at a time, so that memory stays bounded."""
    if not config.large.acquire(blocking=False):
        raise _BusyError
    try:
        incoming.environ.get("responder.allow_seconds", lambda _seconds: None)(LARGE_SECONDS)
        stream = _Limited(first, rest, config.clock)
        try:
            found = excerpt(stream, config.max_body_bytes)
            check(found.body)
        except (InvalidPayload, EncodingError, _TooLargeError) as error:
            stream.drain()
            reason = (
                f"the body is larger than {config.max_body_bytes} bytes (RESPONDER_MAX_BODY_BYTES) and cannot be read"
            )
            raise _Refusal(
                413, sanitize_line(f"{reason} in part: {error}", 300), b"".join(first), stream.size
            ) from None
    finally:
        config.large.release()
    _log.error("webhook.truncated", bytes=stream.size, kept=found.kept, left_out=found.left_out)
    return found.body


class _Limited:
    """The chunks of a large body, until it is too large or takes too long. Raises _TooLargeError then."""

    def __init__(self, first: list[bytes], rest: Iterator[bytes], clock: Clock) -> None:
        self.size = 0
        self._chunks = itertools.chain(first, rest)
        self._clock = clock
        self._until = clock.monotonic() + LARGE_SECONDS

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > LARGE_BYTES:
                raise _TooLargeError(f"it has more than {LARGE_BYTES} bytes")
            if self._clock.monotonic() > self._until:
                raise _TooLargeError(f"it was not sent within {LARGE_SECONDS:.0f} s")
            yield chunk

    def drain(self) -> None:
        """Drop the rest, so that the sender receives the answer and not a reset."""
        before = self.size
        with contextlib.suppress(CutOffError, EncodingError):
            for chunk in self._chunks:
                self.size += len(chunk)
                if self.size > before + _DRAIN_BYTES or self._clock.monotonic() > self._until:
                    break


def _require_name(cluster: str, body: bytes) -> None:
    """Raise _Refusal for a cluster that is no name: it goes into keys, pages and the log."""
    if cluster and not _CLUSTER.fullmatch(cluster):
        raise _Refusal(400, _NO_CLUSTER, body, len(body))


def _refuse(config: WebhookConfig, refusal: _Refusal) -> Response:
    remote = request.remote_addr or ""
    try:
        body, size, now = refusal.body, refusal.size, config.clock.now()
        number = config.inbox.set_aside(body, size, remote, refusal.status, refusal.reason, now)
    except StoreError as error:
        return line(503, f"not stored, retry: {error}")
    COUNTERS.add("responder_rejected_payloads", str(refusal.status))
    _log.error("webhook.rejected", status=refusal.status, reason=refusal.reason, rejected=number, remote=remote)
    return line(refusal.status, f"{refusal.reason} (stored as rejected payload {number})")


#: Bytes of one read of a body.
_CHUNK_BYTES = 256 * 1024
#: zlib's window sizes: 15 bits, and 32 more for gzip and zlib by their header.
_ANY_HEADER, _RAW = 15 + 32, -15


class CutOffError(Exception):
    """The connection ended before the body did: the sender repeats the request."""


class EncodingError(Exception):
    """A body whose Content-Encoding is not supported (status 415), or that is not what it says (400).

    Malformed chunks are of the second kind.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def chunks(incoming: Request) -> Iterator[bytes]:
    """The body in chunks of at most 256 KiB, uncompressed. Raises CutOffError and EncodingError."""
    encoding = incoming.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        yield from _received(incoming)
    elif encoding in {"gzip", "x-gzip", "deflate"}:
        yield from _inflated(_received(incoming))
    else:
        raise EncodingError(415, "unsupported Content-Encoding: use gzip, deflate or identity")


def _received(incoming: Request) -> Iterator[bytes]:
    length, received = incoming.content_length, 0
    while True:
        try:
            chunk = incoming.stream.read(_CHUNK_BYTES)
        except (ClientDisconnected, OSError) as error:
            raise CutOffError(str(error)) from None
        except ParseException as error:
            if hangup_of(incoming.environ)():
                raise CutOffError(str(error)) from None
            raise EncodingError(400, f"the chunked body is malformed: {error}") from None
        if not chunk:
            break
        received += len(chunk)
        yield chunk
    if length is not None and received < length:
        raise CutOffError(f"{received} of {length} bytes arrived")


def _inflated(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """The uncompressed bytes of gzip (of one or several members), zlib or raw deflate; never many of them at once."""
    decoder, fresh, started = zlib.decompressobj(_ANY_HEADER), True, False
    for chunk in compressed:
        data = chunk
        while data:
            if decoder.eof:
                decoder, fresh = zlib.decompressobj(_ANY_HEADER), True
            try:
                out = decoder.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                if started or not fresh:
                    raise EncodingError(400, f"the body cannot be decompressed: {error}") from None
                started, decoder = True, zlib.decompressobj(_RAW)
                continue
            started, fresh = True, False
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if out:
                yield out
    while not decoder.eof:
        out = decoder.decompress(decoder.unconsumed_tail, _CHUNK_BYTES)
        if not out:
            raise EncodingError(400, "the compressed body ends early")
        yield out


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
