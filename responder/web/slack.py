"""``POST /slack/interactions`` and ``POST /slack/commands``: presses, dialogs and commands from Slack, signed."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from responder.converse.slack.entry import NotAnsweredError, SlackEntry
from responder.converse.slack.payloads import BODY_BYTES, BadPayloadError, read_command, signature_problem
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.web.app import line
from responder.web.signed import SignedRequests


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
        except NotAnsweredError as error:
            return line(503, str(error))

    @routes.post("/slack/commands")
    def command() -> Response:
        body = signed.body()
        if isinstance(body, Response):
            return body
        return _answer(entry.command(*read_command(request.form)))

    return routes


def _answer(body: Mapping[str, Any] | None) -> Response:
    if body is None:
        return Response(b"", 200)
    return Response(json.dumps(body), 200, content_type="application/json")
