"""Check of PagerDuty's REST API and of the webhook subscription that reports what people do there."""

import json
from typing import Any

from responder.cli.doctor.context import DoctorContext
from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.text import number_of, sanitize_line
from responder.notify.channels.pagerduty_notes import OPEN
from responder.outgoing import UnreachableError

ABOUT = "pagerduty_api"
#: End of the URL of a subscription.
PATH = "/pagerduty/webhooks"
_REACH = "see RESPONDER_PAGERDUTY_API_URL; https://api.eu.pagerduty.com in the EU"


def api(context: DoctorContext) -> tuple[Result, ...]:
    """Check that the token is accepted, and that a subscription posts to responder and is enabled."""
    given = context.settings.of_channels
    token, author = given["pagerduty_api_token"].reveal(), given["pagerduty_api_from"]
    takes = bool(given["pagerduty_webhook_secret"].reveal())
    if not token:
        what = "no REST API token: no link to PagerDuty's incident, no notes, the webhook subscription is not checked"
        return (skipped(ABOUT, what, "set RESPONDER_PAGERDUTY_API_TOKEN"),)
    try:
        status, _body = _get(context, f"incidents?{OPEN[0][0]}={OPEN[0][1]}&limit=1")
        if status != 200:
            return (bad(ABOUT, f"refuses the token: HTTP {status}", "see RESPONDER_PAGERDUTY_API_TOKEN"),)
        notes = f"notes are written as {author}" if author else "no notes (RESPONDER_PAGERDUTY_API_FROM is not set)"
        return (ok(ABOUT, f"the token is accepted; {notes}"), _subscription(context, takes=takes))
    except UnreachableError as error:
        return (bad(ABOUT, str(error), _REACH),)


def _subscription(context: DoctorContext, *, takes: bool) -> Result:
    status, body = _get(context, "webhook_subscriptions?limit=100")
    if status != 200:
        what = f"cannot list webhook subscriptions (HTTP {status}): not checked"
        return skipped(ABOUT, what, "give the token the scope webhook_subscriptions.read")
    listed = body.get("webhook_subscriptions")
    found = [each for each in listed if _url(each).endswith(PATH)] if isinstance(listed, list) else []
    if not takes:
        if found:
            return warn(
                ABOUT, "a webhook subscription exists, its secret is not set", "set RESPONDER_PAGERDUTY_WEBHOOK_SECRET"
            )
        return skipped(ABOUT, "no webhook: actions in PagerDuty reach no other channel", "see docs/conversation.md")
    if not found:
        change = f"add a Generic Webhook (V3) with https://HOST{PATH}"
        return bad(ABOUT, "no webhook subscription posts to responder", change)
    if disabled := [str(each.get("id")) for each in found if not _enabled(each)]:
        names = sanitize_line(", ".join(disabled), 100)
        change = "PagerDuty disables it after refused events: check its secret, then enable it in PagerDuty"
        return bad(ABOUT, f"webhook subscription {names} is disabled", change)
    return ok(ABOUT, f"{number_of(len(found), 'webhook subscription')} enabled")


def _get(context: DoctorContext, path: str) -> tuple[int, dict[str, Any]]:
    given = context.settings.of_channels
    headers = {
        "Authorization": f"Token token={given['pagerduty_api_token'].reveal()}",
        "Accept": "application/vnd.pagerduty+json;version=2",
    }
    response = context.get(f"{given['pagerduty_api_url'].rstrip('/')}/{path}", headers)
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        body = {}
    return response.status, body if isinstance(body, dict) else {}


def _method(subscription: object) -> dict[str, Any]:
    found = subscription.get("delivery_method") if isinstance(subscription, dict) else None
    return found if isinstance(found, dict) else {}


def _url(subscription: object) -> str:
    return str(_method(subscription).get("url", "")).rstrip("/")


def _enabled(subscription: dict[str, Any]) -> bool:
    return subscription.get("active") is not False and _method(subscription).get("temporarily_disabled") is not True
