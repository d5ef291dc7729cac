"""``POST /slack/interactions`` and ``POST /slack/commands``: presses, dialogs and commands from Slack, signed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from responder.converse.slack.entry import SlackEntry
from responder.converse.slack.payloads import BadPayloadError, Person, signature_problem
from responder.counters import COUNTERS
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.web.not_found import LogThrottle

_log = structlog.get_logger()

#: Largest body, in bytes. Slack's payloads have some 10 KB.
BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class SlackRoutes:
    """Dependencies of the routes. ``secrets`` are the signing secrets; any of them is enough."""

    entry: SlackEntry
    secrets: tuple[Secret, ...]
    clock: Clock


def blueprint(config: SlackRoutes) -> Blueprint:
    """Return the routes."""
    routes, refused = Blueprint("slack", __name__), LogThrottle(config.clock)

    def refuse(status: int, why: str) -> Response:
        COUNTERS.add("responder_actions", "refused")
        if count := refused.count(request.remote_addr or ""):
            _log.warning("slack.refused", remote=request.remote_addr, status=status, reason=why, requests=count)
        return Response(f"{why}\n", status, content_type="text/plain; charset=utf-8")

    def unsigned() -> Response | None:
        """Check the signature over the raw body, before any form is read."""
        request.max_content_length = BODY_BYTES
        try:
            body = request.get_data(cache=True)
        except RequestEntityTooLarge:
            return refuse(413, f"the body is larger than {BODY_BYTES} bytes")
        why = signature_problem(config.secrets, dict(request.headers), body, config.clock.now())
        return refuse(401, why) if why else None

    @routes.post("/slack/interactions")
    def interact() -> Response:
        if wrong := unsigned():
            return wrong
        try:
            return _answer(config.entry.interact(request.form.get("payload", "").encode()))
        except BadPayloadError as error:
            return refuse(400, str(error))

    @routes.post("/slack/commands")
    def command() -> Response:
        if wrong := unsigned():
            return wrong
        form = request.form
        name = form.get("user_name", "") or form.get("user_id", "")
        person = Person(id=form.get("user_id", ""), name=sanitize_line(name, 80), team=form.get("team_id", ""))
        return _answer(config.entry.command(form.get("text", ""), person))

    return routes


def _answer(body: Mapping[str, Any] | None) -> Response:
    if body is None:
        return Response(b"", 200)
    return Response(json.dumps(body), 200, content_type="application/json")
