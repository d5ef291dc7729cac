"""A question to somebody's HTTP API, answered in JSON, for commands that look at a live Prometheus or Alertmanager."""

from __future__ import annotations

import json
from typing import Any

from responder import bootstrap
from responder.cli.fail import Fatal
from responder.model.text import one_line
from responder.settings import Settings

CAP = 64 * 1024 * 1024
"""Bytes of one answer."""
SECONDS = 30.0


def get_json(url: str, settings: Settings) -> Any:
    """The decoded answer to a GET. Raises Fatal where there is none, it is no JSON, or its status is not 200."""
    from responder.model.clock import Deadline
    from responder.model.message import Request
    from responder.outgoing import CouldNotReach

    clock = bootstrap.SystemClock()
    outgoing = bootstrap.outgoing(settings, clock)
    where = url.partition("?")[0]
    try:
        answer = outgoing.send(Request(url, b"", method="GET"), Deadline(clock.monotonic() + SECONDS), CAP)
    except CouldNotReach as error:
        raise Fatal(f"{where}: {error}") from error
    finally:
        outgoing.close()
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        full = ": it is larger than we read" if len(answer.body) >= CAP else ""
        raise Fatal(f"{where}: status {answer.status}, and no JSON{full}") from error
    if answer.status != 200:
        said = value.get("error", value) if isinstance(value, dict) else value
        raise Fatal(f"{where}: status {answer.status}: {one_line(str(said))[:300]}")
    return value
