"""``POST /pagerduty/webhooks``: V3 webhooks of PagerDuty, signed."""

import structlog
from flask import Blueprint, Response, request

from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.pagerduty.events import BadEventError, read, signature_problem
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.outgoing import UnreachableError
from responder.store.database import StoreError
from responder.web.app import line
from responder.web.signed import SignedRequests

_log = structlog.get_logger()

#: Largest body, in bytes. PagerDuty sends at most 55 KB, and in rare cases 256 KB.
BODY_BYTES = 512 * 1024


def blueprint(entry: PagerDutyEntry, secrets: tuple[Secret, ...], clock: Clock) -> Blueprint:
    """Return the route. ``secrets`` are those of the webhook subscriptions; any of them is enough.

    PagerDuty drops an event after a 4xx, and disables the subscription after three in a row: only a wrong signature and
    a body that is too large get one. A signed body of an unknown shape is counted as refused and answered 202. After a
    5xx PagerDuty repeats the event for 48 hours.
    """
    routes = Blueprint("pagerduty", __name__)

    def problem(body: bytes) -> str:
        return signature_problem(secrets, request.headers.get("X-PagerDuty-Signature", ""), body)

    signed = SignedRequests("pagerduty", BODY_BYTES, problem, clock)

    @routes.post("/pagerduty/webhooks")
    def webhook() -> Response:
        body = signed.body()
        if isinstance(body, Response):
            return body
        try:
            stored = entry.take(read(body))
        except BadEventError as error:
            return signed.refuse(202, str(error))
        except (StoreError, UnreachableError) as error:
            _log.error("pagerduty.not_stored", reason=str(error))
            return line(503, f"not stored, retry: {error}")
        return line(202, f"{stored} stored")

    return routes
