"""GET of JSON from a live Prometheus or Alertmanager, for commands."""

import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from responder import bootstrap
from responder.cli.errors import FatalError
from responder.model.redaction import redact
from responder.model.text import one_line
from responder.settings import Settings

#: Maximum size of a response, in bytes.
CAP = 64 * 1024 * 1024
#: Seconds that one request may take.
TIMEOUT_SECONDS = 30.0
_ACCESS = (
    "authentication required: write http://USER:PASSWORD@HOST, or set RESPONDER_PROMETHEUS_TOKEN,"
    " RESPONDER_ALERTMANAGER_TOKEN or the settings ..._BASIC_AUTH and ..._CLIENT_CERT, which are sent only to"
    " RESPONDER_PROMETHEUS_URL and RESPONDER_ALERTMANAGER_URL"
)


def without_credentials(url: str) -> str:
    """Return a URL that is safe to print: without user name and password."""
    try:
        parts = urlsplit(url.rstrip("/"))
    except ValueError:
        return redact(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def get_json(url: str, settings: Settings) -> Any:
    """GET ``url`` and decode the JSON response. Raises FatalError without a response with status 200 and JSON.

    ``user:password@`` in ``url`` is sent as basic authentication; a server from the settings gets its credentials.
    """
    from responder.model.clock import Deadline
    from responder.model.message import Request
    from responder.outgoing import UnreachableError

    clock = bootstrap.SystemClock()
    where, deadline = without_credentials(url.partition("?")[0]), Deadline(clock.monotonic() + TIMEOUT_SECONDS)
    try:
        with closing(bootstrap.outgoing(settings, clock)) as outgoing:
            answer = outgoing.query(Request(url, b"", method="GET"), deadline, CAP)
    except UnreachableError as error:
        raise FatalError(f"{where}: {error}") from error
    if answer.status in {401, 403}:
        raise FatalError(f"{where}: status {answer.status}: {_ACCESS}")
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        full = f" (larger than {CAP >> 20} MiB)" if len(answer.body) >= CAP else ""
        raise FatalError(f"{where}: status {answer.status}, but the response is not JSON{full}") from error
    if answer.status != 200:
        said = value.get("error", value) if isinstance(value, dict) else value
        raise FatalError(f"{where}: status {answer.status}: {one_line(str(said))[:300]}")
    return value
