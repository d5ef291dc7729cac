"""HTTP requests over httpx: one attempt each, with a total deadline, a byte cap and named reasons for failure."""

import logging
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from responder import __version__
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.text import one_line
from responder.outgoing.library import httpcore, httpx
from responder.outgoing.network import (
    FORBIDDEN,
    IDLE_SECONDS,
    DeadlineBackend,
    Dialer,
    Exchange,
    Proxies,
    UnreachableError,
    is_forbidden,
    limited,
    reason,
)

#: Bytes that an answer may take beside its body: heads (also of 1xx responses), and what chunks are wrapped in.
_OVERHEAD_BYTES: Final = 1024 * 1024
_HEADERS: Final = {
    "User-Agent": f"responder/{__version__}",
    "Accept": "*/*",
    # The cap counts bytes, and a small compressed body can become a huge one.
    "Accept-Encoding": "identity",
}
_READ_ONLY: Final = frozenset({"GET", "HEAD"})
#: What RFC 3986 does not allow in a path or query.
_ILLEGAL: Final = re.compile(r"""%(?![0-9A-Fa-f]{2})|[^!-~]|["<>\\^`{|}]""")
#: h11 hints at this status (RFC 6585) if a head exceeds the 100 KB that httpcore allows.
_HEAD_TOO_LARGE: Final = 431

#: Only a proxy answers this (RFC 9110, 15.5.8); for http:// addresses its answer takes the place of the vendor's.
_PROXY_LOGIN: Final = 407

_Origin = tuple[bytes, bytes, int | None]

# Both log whole URLs, and some URLs are secrets.
for _name in (httpx.__name__, httpcore.__name__):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Session:
    """An httpx client for all origins. Safe to share between threads; follows no redirect and keeps no cookie."""

    def __init__(self, dialer: Dialer, tls: Callable[[], ssl.SSLContext], proxies: Proxies) -> None:
        """``tls`` makes the context for HTTPS. httpcore sets its ALPN protocols, so nothing else may use it."""
        self._clock = dialer.clock
        self._connections = _Connections(dialer, tls, proxies)
        self._client = httpx.Client(
            transport=self._connections,
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            trust_env=False,
            follow_redirects=False,
        )

    def send(self, request: Request, deadline: Deadline, cap: int) -> Response:
        """Return the response with at most ``cap`` bytes of its body. Raises UnreachableError.

        A read-only request that failed on a kept-alive connection is repeated once, on a new one.
        """
        seconds = deadline.left(self._clock.monotonic())
        built = self._built(request)
        exchange = Exchange(deadline, cap + _OVERHEAD_BYTES)
        try:
            return self._exchange(built, exchange, cap)
        except _BROKEN as error:
            if exchange.dialled or isinstance(error, TimeoutError) or request.method not in _READ_ONLY:
                raise _named(error, exchange, seconds) from error
        built.extensions["fresh"] = True
        exchange = Exchange(deadline, cap + _OVERHEAD_BYTES)
        try:
            return self._exchange(built, exchange, cap)
        except _BROKEN as error:
            raise _named(error, exchange, seconds) from error

    def close(self) -> None:
        """Close idle connections; requests under way finish."""
        self._connections.retire()

    def _built(self, request: Request) -> httpx.Request:
        parts = _parts(request.url)
        try:
            return self._client.build_request(
                request.method,
                request.url,
                content=request.body or None,
                headers=dict(request.headers),
                extensions={"target": _target(parts)},
            )
        except httpx.InvalidURL:
            raise UnreachableError("unusable URL") from None
        except UnicodeEncodeError:
            raise UnreachableError("the request cannot be sent as HTTP") from None

    def _exchange(self, built: httpx.Request, exchange: Exchange, cap: int) -> Response:
        with limited(exchange):
            response = self._client.send(built, stream=True)
            try:
                if response.status_code < 200:  # 101: a switch of protocols that was not requested
                    raise httpcore.RemoteProtocolError("not a final response")
                if response.status_code == _PROXY_LOGIN:
                    raise httpcore.ProxyError(f"{response.status_code} {response.reason_phrase}")
                body = b"".join(_capped(response.iter_raw(), cap))
            finally:
                response.close()
        return Response(response.status_code, body, _readable(response.headers))


class _Connections(httpx.BaseTransport):
    """Connections that are kept alive for each origin, the last used one first.

    Each is an httpcore pool of one. A larger pool may close a connection that it has just assigned (httpcore issue
    1110), and twice in each request it asks all idle connections for input while it holds its lock. The number of
    connections is bounded by the number of threads.
    """

    def __init__(self, dialer: Dialer, tls: Callable[[], ssl.SSLContext], proxies: Proxies) -> None:
        self._dialer = dialer
        self._proxies = proxies
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: dict[_Origin, deque[tuple[float, httpcore.ConnectionPool]]] = {}
        self._retired = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; ``fresh`` in its extensions asks for a new connection. Raises what httpcore raises."""
        url = request.url
        origin: _Origin = url.raw_scheme, url.raw_host, url.port
        if "fresh" in request.extensions:
            self._drop(origin)
        pool = self._taken(origin) or self._made(origin)
        answer = pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=origin[0], host=origin[1], port=origin[2], target=request.extensions["target"]),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        stream = _Stream(answer, lambda: self._keep(origin, pool))
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)

    def retire(self) -> None:
        """Close idle connections now, and the others when their requests are finished."""
        self._retired = True
        for origin in tuple(self._idle):
            self._drop(origin)

    def _drop(self, origin: _Origin) -> None:
        with self._lock:
            idle = self._idle.pop(origin, ())
        for _, pool in idle:
            pool.close()

    def _taken(self, origin: _Origin) -> httpcore.ConnectionPool | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop()[1] if idle else None

    def _keep(self, origin: _Origin, pool: httpcore.ConnectionPool) -> None:
        """Keep a connection for the next request, and close the one that is idle for longest if that is too long."""
        now = self._dialer.clock.monotonic()
        with self._lock:
            idle = self._idle.setdefault(origin, deque())
            idle.append((now, pool))
            over = idle.popleft()[1] if now - idle[0][0] >= IDLE_SECONDS else None
        if over is not None:
            over.close()
        if self._retired:
            self._drop(origin)

    def _made(self, origin: _Origin) -> httpcore.ConnectionPool:
        scheme, host, port = origin[0].decode(), origin[1].decode(), origin[2]
        if scheme == "https" and self._tls is None:
            self._tls = self._make_tls()
        port = port or (443 if scheme == "https" else 80)
        proxy = self._proxies.proxy_for(scheme, host, port)
        if proxy is None:
            backend = DeadlineBackend(self._dialer)
            return httpcore.ConnectionPool(ssl_context=self._tls, max_connections=None, network_backend=backend)
        if is_forbidden(host):  # a name is resolved by the proxy, where it cannot be checked
            raise UnreachableError(FORBIDDEN)
        user, _, password = proxy.login.reveal().partition(":")
        return httpcore.ConnectionPool(
            ssl_context=self._tls,
            proxy=httpcore.Proxy(proxy.url, auth=(user.encode(), password.encode()) if user else None),
            max_connections=None,
            network_backend=DeadlineBackend(self._dialer, proxy.name),
        )


class _Stream(httpx.SyncByteStream):
    """Body of a response, as httpx wants it."""

    def __init__(self, answer: httpcore.Response, after: Callable[[], None]) -> None:
        self._answer = answer
        self._after = after

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
        self._after()


_BROKEN: Final[tuple[type[Exception], ...]] = (
    OSError,
    httpcore.RemoteProtocolError,
    httpcore.LocalProtocolError,
    httpcore.ProxyError,
    httpx.RemoteProtocolError,
)


def _named(error: Exception, exchange: Exchange, seconds: float) -> UnreachableError:
    """Return what an error in _BROKEN means, in a few words without anything of the address."""
    if isinstance(error, OSError):
        return reason(error, seconds)
    if isinstance(error, httpcore.LocalProtocolError):
        return UnreachableError("the request cannot be sent as HTTP")
    if isinstance(error, httpcore.ProxyError):
        return UnreachableError(f"the proxy answers {one_line(str(error))[:100]}")
    if isinstance(error, httpx.RemoteProtocolError):  # httpx reads Location though it follows no redirect
        return UnreachableError("the response redirects to an unusable URL")
    if getattr(error.__context__, "error_status_hint", None) == _HEAD_TOO_LARGE:
        return UnreachableError("the response head is larger than 100 KB")
    if exchange.ended:
        return UnreachableError("connection closed before the response was complete")
    return UnreachableError("the response is not HTTP")


def _parts(url: str) -> SplitResult:
    """Return the parts of an address that can be called. Raises UnreachableError."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        raise UnreachableError("unusable URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UnreachableError("unusable URL: not http(s)")
    if not parts.hostname.isascii():
        raise UnreachableError("unusable URL: write its host name in ASCII (xn--...)")
    return parts


def _target(parts: SplitResult) -> bytes:
    """Return path and query as they are written, with what is not allowed in them escaped."""
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return _ILLEGAL.sub(lambda found: quote(found[0], safe=""), target).encode("ascii")


def _capped(chunks: Iterator[bytes], cap: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:cap]
        cap -= len(chunk)
        if cap <= 0:
            return


def _readable(headers: httpx.Headers) -> dict[str, str]:
    """Return headers with lower-case names and normalized white space; repeated ones are joined by a comma."""
    found: dict[str, str] = {}
    encoding = headers.encoding  # it is looked for anew each time, in all of them
    for raw_name, raw_value in headers.raw:
        name, value = raw_name.decode(encoding).lower(), " ".join(raw_value.decode(encoding).split())
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
