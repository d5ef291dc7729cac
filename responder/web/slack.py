"""``POST /slack/interactions`` and ``POST /slack/commands``: presses, dialogs and commands from Slack, signed."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from responder.converse.slack.entry import SlackEntry
from responder.converse.slack.payloads import BadPayloadError, Person, signature_problem
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.web.signed import SignedRequests

#: Largest body, in bytes. Slack's payloads have some 10 KB.
BODY_BYTES = 256 * 1024


def blueprint(entry: SlackEntry, secrets: tuple[Secret, ...], clock: Clock) -> Blueprint:
    """Return the routes. ``secrets`` are the signing secrets; any of them is enough."""
    routes = Blueprint("slack", __name__)

    def problem(body: bytes) -> str:
        return signature_problem(secrets, dict(request.headers), body, clock.now())

    signed = SignedRequests("slack", BODY_BYTES, problem, clock)

    @routes.post("/slack/interactions")
    def interact() -> Response:
        body = signed.body()
        if isinstance(body, Response):
            return body
        try:
            return _answer(entry.interact(request.form.get("payload", "").encode()))
        except BadPayloadError as error:
            return signed.refuse(400, str(error))

    @routes.post("/slack/commands")
    def command() -> Response:
        body = signed.body()
        if isinstance(body, Response):
            return body
        form = request.form
        name = form.get("user_name", "") or form.get("user_id", "")
        person = Person(id=form.get("user_id", ""), name=sanitize_line(name, 80), team=form.get("team_id", ""))
        return _answer(entry.command(form.get("text", ""), person))

    return routes


def _answer(body: Mapping[str, Any] | None) -> Response:
    if body is None:
        return Response(b"", 200)
    return Response(json.dumps(body), 200, content_type="application/json")
