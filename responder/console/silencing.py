"""Silences: the exact matchers and the number of alerts first, then the action, as in Slack and on the command line."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from responder.console.access import needs
from responder.console.actions import KINDS, existing, once_of, outcome, store
from responder.console.app import Console, person
from responder.converse.silencing import CannotSilenceError, end_of, groups_of, next_morning
from responder.converse.slack.silence_form import CONFIRM, BadChoiceError, choices, chosen_end, matched
from responder.model.action import ActionKind
from responder.model.silence import SilenceReach
from responder.outgoing.alertmanager_api import matcher_text
from responder.outgoing.silences import AlertmanagerDownError, AlertmanagerRefusalError, Silences
from responder.settings.access import Role
from responder.store.incidents import incidents

#: Seconds that the page waits for Alertmanager.
REACH_SECONDS = 2.0
#: Actions of the API that have an end.
LASTING = {"silence": ActionKind.SILENCE, "snooze": ActionKind.SNOOZE}
API_KINDS = KINDS | LASTING


def lasting_of(duration: str, confirm: int, now: datetime) -> dict[str, Any]:
    """Return the fields of a silence or snooze of the API; the request ends with 400 if it cannot last so long."""
    try:
        return {"until": end_of(duration, now), "target": str(confirm)}
    except ValueError as error:
        abort(400, f"duration: {error}")


def blueprint(console: Console, silences: Silences) -> Blueprint:
    """Return the routes. ``silences`` counts the alerts that a silence would match."""
    routes = Blueprint("silencing", __name__)

    @routes.get("/incidents/<number>/silence")
    @needs(Role.ACT)
    def silence(number: str) -> str:
        g.pop("etag")  # the number of matching alerts is that of this moment
        return _asked(existing(console, number), {})

    @routes.post("/incidents/<number>/silence")
    @needs(Role.ACT)
    def silenced(number: str) -> Response | str:
        incident, now = existing(console, number), console.clock.now()
        try:
            until = chosen_end(request.form, morning(now), now)
        except BadChoiceError as error:
            return _asked(incident, request.form, str(error))
        stored = store(
            *(console, incident, ActionKind.SILENCE, person().name, once_of("duration", "other", "text")),
            request.form.get("text", "").strip(),
            until=until,
            target=request.form.get(CONFIRM, "0")[:9],
        )
        outcome(console, stored)
        return redirect(url_for("pages.incident", number=incident, action=stored), 303)

    def morning(now: datetime) -> datetime:
        book = console.book()
        return next_morning(book, now) if book else now + timedelta(days=1)

    def _asked(number: str, given: Mapping[str, str], problem: str = "") -> str:
        """Return the page that shows the matchers and the number of alerts that they match, before it is confirmed."""
        with console.database.read() as connection:
            found = incidents.find(connection, number)
            content = incidents.content_of(connection, number)
        if found is None or not found.open:
            abort(409, f"NOT silenced: {number} is resolved.")
        reach: SilenceReach | str
        try:
            groups = groups_of(found, content)
            reach = silences.reach(found.cluster, groups, found.alerts, REACH_SECONDS)
        except (CannotSilenceError, AlertmanagerRefusalError) as error:
            abort(409, f"NOT silenced: {error}.")
        except AlertmanagerDownError as error:
            reach = str(error)
        return render_template(
            "silence.html",
            incident=found,
            matchers=[matcher_text(each) for each in groups],
            matched=matched(reach),
            others=reach.others if isinstance(reach, SilenceReach) else 0,
            choices=choices(morning(console.clock.now()), console.clock.now()),
            given=given,
            problem=problem,
        )

    return routes
