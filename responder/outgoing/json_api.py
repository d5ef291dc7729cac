"""Requests to JSON APIs of monitoring servers; every wait and every response is bounded."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from responder.model.clock import Deadline
from responder.model.message import Request
from responder.model.text import sanitize_line
from responder.outgoing.client import Outgoing

_Shape = TypeVar("_Shape")


class NoAnswerError(Exception):
    """The response is not a valid answer of the API."""


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
    form = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {}), **(headers or {})}
    request = Request(url=url, body=body, headers=form, method="POST" if body else "GET")
    path = sanitize_line("/" + url.partition("://")[2].partition("?")[0].partition("/")[2], 100)
    response = outgoing.query(request, deadline, cap)
    if response.status != 200:
        raise NoAnswerError(f"HTTP {response.status} for {path}")
    if len(response.body) >= cap:
        raise NoAnswerError(f"more than {cap // 1024 // 1024} MB for {path}")
    try:
        return shape.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoAnswerError(f"not a valid response for {path}: {sanitize_line(str(error), 200)}") from error
