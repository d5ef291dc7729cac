"""A question to somebody's HTTP API, answered in JSON, for commands that look at a live Prometheus or Alertmanager."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from responder import bootstrap
from responder.cli.errors import FatalError
from responder.model.redaction import redact
from responder.model.text import one_line
from responder.settings import Settings

CAP = 64 * 1024 * 1024
"""Bytes of one answer."""
SECONDS = 30.0
_ACCESS = (
    "it wants to know who asks: write http://USER:PASSWORD@HOST, or set RESPONDER_PROMETHEUS_TOKEN or"
    " RESPONDER_ALERTMANAGER_TOKEN, which go only to the address of RESPONDER_PROMETHEUS_URL or _ALERTMANAGER_URL"
)


def plain(url: str) -> str:
    """An address as it may be shown: without the name and password that basic authentication takes from it."""
    try:
        parts = urlsplit(url.rstrip("/"))
    except ValueError:
        return redact(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def get_json(url: str, settings: Settings) -> Any:
    """The decoded answer to a GET. Raises Fatal where there is none, it is no JSON, or its status is not 200.

    ``user:password@`` before the host of ``url`` is sent as basic authentication. A server of the settings gets its
    bearer token.
    """
    from responder.model.clock import Deadline
    from responder.model.message import Request
    from responder.outgoing import UnreachableError

    clock = bootstrap.SystemClock()
    outgoing = bootstrap.outgoing(settings, clock)
    where = plain(url.partition("?")[0])
    try:
        answer = outgoing.ask(Request(url, b"", method="GET"), Deadline(clock.monotonic() + SECONDS), CAP)
    except UnreachableError as error:
        raise FatalError(f"{where}: {error}") from error
    finally:
        outgoing.close()
    if answer.status in {401, 403}:
        raise FatalError(f"{where}: status {answer.status}: {_ACCESS}")
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        full = ": it is larger than we read" if len(answer.body) >= CAP else ""
        raise FatalError(f"{where}: status {answer.status}, and no JSON{full}") from error
    if answer.status != 200:
        said = value.get("error", value) if isinstance(value, dict) else value
        raise FatalError(f"{where}: status {answer.status}: {one_line(str(said))[:300]}")
    return value
