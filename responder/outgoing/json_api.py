"""Requests to JSON APIs of monitoring servers; every wait and every response is bounded."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.text import sanitize_line
from responder.outgoing.client import Outgoing

#: Characters that are kept of what a server says about a refused request.
_SAID_LIMIT = 200

_Shape = TypeVar("_Shape")


class NoAnswerError(Exception):
    """The response is not a valid answer of the API. ``status`` is its HTTP status, ``said`` the text of its body."""

    def __init__(self, reason: str, status: int = 200, said: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.said = said


def fetch(
    outgoing: Outgoing,
    url: str,
    shape: msgspec.json.Decoder[_Shape],
    deadline: Deadline,
    cap: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> _Shape:
    """Return the response at ``url``, with the token of its server. A response of ``cap`` bytes is rejected as a whole.

    The request is a GET, or a POST of the JSON in ``body``.

    Raises UnreachableError without a response, NoAnswerError for a status other than 200 and for an unknown shape.
    """
    method = "POST" if body else "GET"
    return decoded(ask(outgoing, method, url, deadline, cap, headers, body), url, shape)


def ask(
    outgoing: Outgoing,
    method: str,
    url: str,
    deadline: Deadline,
    cap: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Return the response to a request with the token of its server: its status is 200, its size below ``cap``.

    Raises UnreachableError without a response, NoAnswerError for a status other than 200 and for a longer body.
    """
    form = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {}), **(headers or {})}
    response = outgoing.query(Request(url=url, body=body, headers=form, method=method), deadline, cap)
    if response.status != 200:
        said = sanitize_line(response.body[: 4 * _SAID_LIMIT].decode("utf-8", "replace"), _SAID_LIMIT)
        raise NoAnswerError(f"HTTP {response.status} for {_path(url)}", response.status, said)
    if len(response.body) >= cap:
        raise NoAnswerError(f"more than {cap // 1024 // 1024} MB for {_path(url)}")
    return response


def decoded(response: Response, url: str, shape: msgspec.json.Decoder[_Shape]) -> _Shape:
    """Return the body of a response to ``url``. Raises NoAnswerError for an unknown shape."""
    try:
        return shape.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = sanitize_line(str(error), 200)
        raise NoAnswerError(f"not a valid response for {_path(url)}: {reason}") from error


def _path(url: str) -> str:
    return sanitize_line("/" + url.partition("://")[2].partition("?")[0].partition("/")[2], 100)
