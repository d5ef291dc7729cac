"""The pages about messages, rejected payloads, rules, coverage, and the state of responder itself."""

from collections.abc import Sized
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug.wrappers import Response

from responder.console import queries
from responder.console.access import needs
from responder.console.app import Console
from responder.model.rule import RuleBook
from responder.notify.report import sections
from responder.settings.access import Role
from responder.store.inbox.inbox import Inbox
from responder.store.maintenance import overview
from responder.store.outbox import backlog, dead_letters
from responder.store.outbox.outbox import states_by_channel
from responder.store.schema.serialization import to_time
from responder.store.schema.tables import HEAD

#: Rows on a page.
PAGE_ROWS = 50
#: Rules of a page.
RULE_ROWS = 200
#: How far back the use of rules is counted.
USE_DAYS = 30


def caught_by(book: RuleBook | None) -> tuple[str, ...]:
    """Return the rules without matchers: what they decide, no other rule knows."""
    return tuple(rule.id for rule in book.rules if not rule.matchers) if book else ()


def blueprint(console: Console) -> Blueprint:
    """Return the routes."""
    routes, inbox = Blueprint("tools", __name__), Inbox(console.database)

    @routes.get("/messages")
    @needs(Role.READ)
    def messages() -> str:
        state, channel = request.args.get("state", ""), request.args.get("channel", "")
        before = queries.number(request.args, "before")
        problem = queries.choice(state, "state", ("", *dead_letters.STATES))
        state = "" if problem else state
        with console.database.read() as connection:
            rows = dead_letters.newest(connection, PAGE_ROWS + 1, state or None, channel or None, before)
            waits = backlog.backlogs(connection, console.clock.now())
        following = url_for(".messages", **_given("state", "channel"), before=rows[-2].id) if _more(rows) else ""
        return render_template(
            "messages.html",
            rows=rows[:PAGE_ROWS],
            backlogs=waits,
            states=dead_letters.STATES,
            state=state,
            channel=channel,
            problem=problem,
            following=following,
        )

    @routes.get("/messages/<int:number>")
    @needs(Role.READ)
    def message(number: int) -> str:
        with console.database.read() as connection:
            row = dead_letters.find(connection, number)
        if row is None:
            abort(404, f"There is no message {number}; it may have been deleted after its retention.")
        parts = (*sections.page(row.report), *sections.metadata(row.report)) if row.report else ()
        return render_template("message.html", row=row, parts=[each for each in parts if not each.empty])

    @routes.get("/rejects")
    @needs(Role.READ)
    def rejects() -> str:
        rows = inbox.rejected(PAGE_ROWS + 1, queries.number(request.args, "before"))
        following = url_for(".rejects", before=rows[-2].id) if _more(rows) else ""
        return render_template("rejects.html", rows=rows[:PAGE_ROWS], following=following)

    @routes.get("/rejects/<int:number>/body")
    @needs(Role.OPERATE)
    def body(number: int) -> Response:
        """Send a rejected payload as it came. It is a download of plain text, so that no browser interprets it."""
        found = inbox.reject(number)
        if found is None:
            abort(404, f"There is no rejected payload {number}.")
        name = {"Content-Disposition": f'attachment; filename="rejected-{number}.txt"'}
        return Response(found.body, headers=name, content_type="text/plain; charset=utf-8")

    @routes.get("/rules")
    @needs(Role.READ)
    def rules() -> str:
        book, start = console.book(), queries.number(request.args, "from") or 0
        since = console.clock.now() - timedelta(days=USE_DAYS)
        with console.database.read() as connection:
            used = overview.use_of_rules(connection, since)
        every = book.rules if book else ()
        return render_template(
            "rules.html",
            rows=[(number, rule, used.get(rule.id)) for number, rule in enumerate(every, 1)][start : start + RULE_ROWS],
            total=len(every),
            days=USE_DAYS,
            revision=book.revision if book else "",
            following=f"{url_for('.rules')}?from={start + RULE_ROWS}" if len(every) > start + RULE_ROWS else "",
        )

    @routes.get("/coverage")
    @needs(Role.READ)
    def coverage() -> str:
        caught = caught_by(console.book())
        with console.database.read() as connection:
            names = overview.names_of(connection, caught, console.clock.now() - timedelta(days=USE_DAYS))
        return render_template("coverage.html", names=names, rules=caught, days=USE_DAYS, most=overview.MOST_NAMED)

    @routes.get("/status")
    @needs(Role.READ)
    def status() -> str:
        now, book = console.clock.now(), console.book()
        with console.database.read() as connection:
            return render_template(
                "status.html",
                undecided=backlog.undecided(connection),
                unfinished=backlog.unfinished(connection),
                opened=backlog.open_by_severity(connection),
                channels=states_by_channel(connection),
                backlogs=backlog.backlogs(connection, now),
                heartbeats=overview.seen_heartbeats(connection),
                expected={each.cluster: each for each in book.heartbeats} if book else {},
                revision=book.revision if book else "",
                database=console.database.name,
                schema=HEAD,
                settings=console.settings,
                time=to_time,
            )

    return routes


def _given(*names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := request.args.get(name, ""))}


def _more(rows: Sized) -> bool:
    return len(rows) > PAGE_ROWS
