"""Actions of people: forms that store a row, which ``serve`` applies, and show what came of it."""

from hashlib import sha256
from typing import Any

import structlog
from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from responder.console.access import needs
from responder.console.app import Console, person
from responder.model.action import Action, ActionKind
from responder.model.clock import Deadline
from responder.model.text import one_line
from responder.settings.access import Role
from responder.store.incidents import actions, incidents
from responder.store.incidents.actions import ActionRow
from responder.store.outbox.dead_letters import resend

_log = structlog.get_logger()
#: Seconds that a request waits for ``serve`` to apply its actions.
APPLY_SECONDS = 3.0
#: Incidents that one form acknowledges.
MOST_AT_ONCE = 500
#: Characters of the key of a form.
_KEY_LIMIT = 64
#: Actions that need at most a text.
KINDS = {
    "acknowledge": ActionKind.ACKNOWLEDGE,
    "note": ActionKind.NOTE,
    "resolve": ActionKind.RESOLVE,
    "expire-silence": ActionKind.UNSILENCE,
}


def store(console: Console, incident: str, kind: ActionKind, actor: str, once: str, text: str = "", **more: Any) -> int:
    """Store an action and return its number. The same ``once`` of a person is stored once.

    ``more`` are further fields of the action.
    """
    now, entry = console.clock.now(), person().entry
    key = f"{kind.value}/{incident}/{actor}/{one_line(once)[:_KEY_LIMIT] or now.isoformat()}"
    action = Action(incident=incident, kind=kind, entry=entry, key=key, actor=actor, text=text, at=now, **more)
    return actions.keep(console.database, action, now)


def once_of(*fields: str) -> str:
    """Return the key of the form that was sent. After the browser's back button the same form may have other texts."""
    once, given = request.form.get("once", ""), [request.form.get(each, "") for each in fields]
    return once and f"{once[:32]}-{sha256(repr(given).encode()).hexdigest()[:16]}"


def outcome(console: Console, number: int) -> ActionRow | None:
    """Return an action once ``serve`` has applied it, or as it is after APPLY_SECONDS."""
    deadline = Deadline(console.clock.monotonic() + APPLY_SECONDS)
    return actions.applied(console.database, number, deadline, console.clock, console.wait)


def existing(console: Console, number: str) -> str:
    """Return the id of an incident; the request ends with 404 without it."""
    with console.database.read() as connection:
        found = incidents.find(connection, number.upper())
    if found is None:
        abort(404, f"There is no incident {one_line(number)[:40]}.")
    return found.id


def blueprint(console: Console) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("actions", __name__)

    @routes.post("/incidents/<number>/<action>")
    @needs(Role.ACT)
    def act(number: str, action: str) -> Response:
        kind, text = KINDS.get(action), request.form.get("text", "").strip()
        if kind is None:
            abort(404, "There is no such action.")
        if kind is ActionKind.NOTE and not one_line(text):
            abort(400, "The note is empty.")
        incident = existing(console, number)
        stored = store(console, incident, kind, person().name, once_of("text"), text)
        outcome(console, stored)
        return redirect(url_for("pages.incident", number=incident, action=stored), 303)

    @routes.post("/acknowledge")
    @needs(Role.ACT)
    def acknowledge_ticked() -> Response:
        chosen = [existing(console, each) for each in dict.fromkeys(request.form.getlist("incident")[:MOST_AT_ONCE])]
        if not chosen:
            abort(400, "No incident is ticked.")
        once = request.form.get("once", "")
        numbers = [store(console, each, ActionKind.ACKNOWLEDGE, person().name, once) for each in chosen]
        outcome(console, numbers[-1])
        return redirect(url_for("pages.opened"), 303)

    @routes.post("/messages/<int:number>/resend")
    @needs(Role.OPERATE)
    def send_again(number: int) -> Response:
        even = request.form.get("even_if_resolved") == "yes"
        with console.database.transaction() as connection:
            (answer,) = resend(connection, [number], console.clock.now(), even_if_resolved=even)
        if answer.refused:
            abort(409, f"Message {number} is not resent: {answer.refused}.")
        _log.info("console.message_resent", message=number, person=person().name)
        return redirect(url_for("tools.message", number=number), 303)

    return routes
