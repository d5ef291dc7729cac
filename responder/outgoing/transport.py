"""HTTP/1.1 by http.client, over lines that know their deadline: no wait outlives it, whatever the other side drips."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from base64 import b64encode
from typing import cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

from responder import __version__
from responder.model.message import Request, Response
from responder.outgoing.dial import CouldNotReach, reason
from responder.outgoing.line import Line

_ALWAYS = {
    "User-Agent": f"responder/{__version__}",
    "Accept": "*/*",
    # The cap counts bytes, and a small compressed body can become a huge one.
    "Accept-Encoding": "identity",
}
_ILLEGAL = re.compile(r"""%(?![0-9A-Fa-f]{2})|[^!-~]|["<>\\^`{|}]""")
"""What RFC 3986 does not allow in a path or query."""
_HEAD_BYTES = 1024 * 1024
"""How much may come beside the body: its head, and what chunks are wrapped in."""


class HungUp(Exception):
    """The other side ended the connection in the middle of its answer."""


class NotHttp(Exception):
    """What came is no answer."""


BROKEN: tuple[type[Exception], ...] = (OSError, HungUp, NotHttp)


class _Exchange(http.client.HTTPConnection):
    auto_open = 0  # it would dial by itself, past the addresses that are out of bounds


def exchange(line: Line, request: Request, cap: int) -> tuple[Response, bool]:
    """The answer on this line with at most ``cap`` bytes of its body, and whether the line can be used again.

    Raises what is in BROKEN, and CouldNotReach for a request that is none. No redirects, no proxies, no cookies. A name
    and password in the address are sent as basic authentication.
    """
    line.expect(cap + _HEAD_BYTES)
    way = _Exchange("")
    way.sock = cast("socket.socket", line)
    _ask(way, request)
    try:
        with way.getresponse() as answer:
            # http.client takes a head that was cut short for a whole one, and 103 for the last word.
            if line.ended:
                raise HungUp
            if answer.status < 200:
                raise NotHttp
            body = answer.read(cap)
            if answer.length and len(body) < cap:
                raise HungUp
            again = answer.isclosed() and not answer.will_close
            return Response(answer.status, body, _readable(answer.headers)), again
    except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
        raise HungUp from error
    except (http.client.HTTPException, ValueError) as error:  # it reads numbers with int()
        raise NotHttp from error


def _ask(way: http.client.HTTPConnection, request: Request) -> None:
    parts = urlsplit(request.url)
    told = {"Host": parts.netloc.rpartition("@")[2], **_ALWAYS, **_basic(parts), **request.headers}
    try:
        # A server may answer and hang up before it took the whole body: then its answer is read all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            way.request(request.method, _target(parts), request.body or None, told)
    except (http.client.HTTPException, ValueError):
        raise CouldNotReach("the request cannot be sent as HTTP") from None


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return _ILLEGAL.sub(lambda found: quote(found[0], safe=""), f"{path}?{parts.query}" if parts.query else path)


def _basic(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(who.encode()).decode()}"}


def _readable(headers: http.client.HTTPMessage) -> dict[str, str]:
    """Names in lower case; what came twice is joined, and what was folded is one line."""
    found: dict[str, str] = {}
    for raw, value in headers.items():
        name, text = raw.lower(), " ".join(value.split())
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def named(error: Exception, seconds: float) -> CouldNotReach:
    """What an error in BROKEN means, in a few words that hold nothing of the address."""
    if isinstance(error, OSError):
        return reason(error, seconds)
    if isinstance(error, HungUp):
        return CouldNotReach("hung up before the answer was complete")
    return CouldNotReach("the answer is not HTTP")
