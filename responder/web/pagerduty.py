"""``POST /pagerduty/webhooks``: V3 webhooks of PagerDuty, signed."""

from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.pagerduty.events import BadEventError, read, signature_problem
from responder.counters import COUNTERS
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.outgoing import UnreachableError
from responder.store.database import StoreError
from responder.web.not_found import LogThrottle

_log = structlog.get_logger()

#: Largest body, in bytes. PagerDuty sends at most 55 KB, and in rare cases 256 KB.
BODY_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class PagerDutyRoutes:
    """Dependencies of the route. ``secrets`` are those of the webhook subscriptions; any of them is enough."""

    entry: PagerDutyEntry
    secrets: tuple[Secret, ...]
    clock: Clock


def blueprint(config: PagerDutyRoutes) -> Blueprint:
    """Return the route.

    PagerDuty drops an event after a 4xx, and disables the subscription after three in a row: only a wrong signature and
    a body that is none of its own get one. It repeats an event after a 5xx for 48 hours.
    """
    routes, refused = Blueprint("pagerduty", __name__), LogThrottle(config.clock)

    def refuse(status: int, why: str) -> Response:
        COUNTERS.add("responder_actions", "refused")
        if count := refused.count(request.remote_addr or ""):
            _log.warning("pagerduty.refused", remote=request.remote_addr, status=status, reason=why, requests=count)
        return _said(status, why)

    @routes.post("/pagerduty/webhooks")
    def webhook() -> Response:
        request.max_content_length = BODY_BYTES
        try:
            body = request.get_data()
        except RequestEntityTooLarge:
            return refuse(413, f"the body is larger than {BODY_BYTES} bytes")
        if why := signature_problem(config.secrets, request.headers.get("X-PagerDuty-Signature", ""), body):
            return refuse(401, why)
        try:
            stored = config.entry.take(read(body))
        except BadEventError as error:
            return refuse(400, str(error))
        except (StoreError, UnreachableError) as error:
            _log.error("pagerduty.not_stored", reason=str(error))
            return _said(503, f"not stored, retry: {error}")
        return _said(202, f"{stored} stored")

    return routes


def _said(status: int, text: str) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
