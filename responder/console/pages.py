"""The pages about incidents."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from sqlalchemy import Connection

from responder.console import queries
from responder.console.access import needs
from responder.console.app import Console
from responder.console.markdown import html_of
from responder.converse import postmortem
from responder.converse.timeline import timeline
from responder.model.incident import Incident
from responder.model.message import OutboxMessage
from responder.model.report import MessageFacts, MessageKind, Report
from responder.model.text import one_line
from responder.notify.report import sections
from responder.notify.report.compose import compose, title
from responder.settings.access import Role
from responder.store.incidents import actions, records
from responder.store.incidents.records import Filter, IncidentRecords, ListedIncident
from responder.store.outbox import backlog

#: Incidents on a page.
PAGE_ROWS = 50
#: Open incidents on the first page: few enough to read, and each costs a tenth of a millisecond of every update.
MOST_OPEN = 200
#: Sections of a message that the page of an incident shows elsewhere.
_ELSEWHERE = frozenset({"Incident", "Acknowledged", "Alerts", "Rule", "Severity"})


def report_of(found: IncidentRecords, now: datetime) -> Report | None:
    """Return what a message about an incident would say now; None if its content is not stored."""
    incident, content = found.incident, found.content
    if content is None:
        return None
    kind = MessageKind.START if incident.open else MessageKind.RESOLUTION
    firing = sum(each.ends_at is None for each in incident.alerts.values())
    facts = MessageFacts(
        firing=firing,
        resolved=len(incident.alerts) - firing,
        ended_at=incident.resolved_at,
        resolution=incident.resolve_reason,
    )
    message = OutboxMessage(
        incident=incident.id,
        ordering_key=incident.dedup_key,
        channel="console",
        step="show",
        kind=kind,
        priority=1,
        due_at=now,
        facts=facts,
    )
    return replace(compose(content, message, now), pending=())


def known(console: Console, number: str) -> IncidentRecords:
    """Return the records of an incident; the request ends with 404 without it."""
    with console.database.read() as connection:
        found = records.of_incident(connection, number.upper())
    if found is None:
        abort(404, f"There is no incident {one_line(number)[:40]}; it may have been deleted after its retention.")
    return found


def blueprint(console: Console) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    @needs(Role.READ, live=True)
    def opened() -> str:
        book = console.book()
        with console.database.read() as connection:
            rows, left_out = _worst_open(connection, tuple(book.severities) if book else ())
            last = records.resolved_lately(connection, 5)
        rows.sort(key=lambda each: each.state == "acknowledged")
        return render_template("open.html", rows=rows, left_out=left_out, last=last)

    @routes.get("/incidents")
    @needs(Role.READ)
    def listed() -> str:
        query, wanted, problems = queries.incident_filter(request.args, console.clock.now(), "after")
        with console.database.read() as connection:
            page = records.page(connection, wanted, PAGE_ROWS, queries.place(request.args))
        given = {name: value for name in queries.FILTERS if (value := getattr(query, name))}
        following = url_for(".listed", **given, after=queries.place_text(page.next)) if page.next else ""
        return render_template(
            "incidents.html",
            rows=page.rows,
            query=query,
            filtered=bool(given),
            problems=problems,
            following=following,
            scanned=records.SCANNED if len(page.rows) < PAGE_ROWS and page.next else 0,
        )

    @routes.get("/incidents/<number>")
    @needs(Role.READ, live=True)
    def incident(number: str) -> str:
        found, now = known(console, number), console.clock.now()
        report = report_of(found, now)
        with console.database.read() as connection:
            around = records.related(connection, found.incident, report.conclusion.signature if report else "")
            done = request.args.get("action", "")
            row = actions.find(connection, int(done)) if done.isascii() and done.isdigit() and len(done) < 18 else None
        return render_template(
            "incident.html",
            **_shown(found, report),
            **_runbook(console, report, found.incident),
            around=around,
            done=_mine(row, found.incident),
        )

    @routes.get("/incidents/<number>/postmortem")
    @needs(Role.READ)
    def draft(number: str) -> str | Response:
        found = known(console, number)
        text = postmortem.postmortem(found, console.clock.now())
        if request.args.get("format") == "markdown":
            name = {"Content-Disposition": f'attachment; filename="{found.incident.id}.md"'}
            return Response(text, headers=name, content_type="text/plain; charset=utf-8")
        return render_template(
            "postmortem.html", incident=found.incident, html=html_of(text, {}, {}), due=postmortem.due_at(found)
        )

    @routes.get("/incidents/<number>/why")
    @needs(Role.READ)
    def why(number: str) -> str:
        found = known(console, number)
        try:
            text, problem = console.explain(found.incident.id), ""
        except LookupError as error:
            text, problem = "", str(error)
        return render_template("why.html", incident=found.incident, text=text, problem=problem)

    return routes


def _worst_open(connection: Connection, severities: tuple[str, ...]) -> tuple[list[ListedIncident], dict[str, int]]:
    """Return the open incidents, worst severity first, then the newest, and how many of each severity do not fit.

    ``severities`` are ordered worst first; one that they lack, since the rules changed, comes before them.
    """
    counted, ranks = backlog.open_by_severity(connection), {name: rank for rank, name in enumerate(severities)}
    rows: list[ListedIncident] = []
    left_out: dict[str, int] = {}
    for name in sorted(counted, key=lambda each: (ranks.get(each, -1), each)):
        room = MOST_OPEN - len(rows)
        found = records.listed(connection, Filter(is_open=True, severity=name), room) if room else []
        rows += found
        if len(found) == room and counted[name] > room:
            left_out[name] = counted[name] - room
    return rows, left_out


def _runbook(console: Console, report: Report | None, incident: Incident) -> dict[str, str]:
    """Return the address of the page of a runbook that is a file of the folder, else an empty one, and its section."""
    base, href = f"{console.runbook_base_url.rstrip('/')}/", report.runbook.href if report and report.runbook else ""
    local = href.removeprefix(base) if len(base) > 1 and href.startswith(base) else incident.runbook
    name, _, anchor = local.partition("#")
    known = name.endswith(".md") and ".." not in name.split("/") and (console.runbooks / name).is_file()
    page = url_for("runbooks.runbook", name=name, incident=incident.id, _anchor=anchor or None) if known else ""
    return {"runbook": page, "section": (anchor or name.removesuffix(".md")).replace("-", " ")}


def _mine(row: actions.ActionRow | None, incident: Incident) -> actions.ActionRow | None:
    return row if row is not None and row.action.incident == incident.id else None


def _shown(found: IncidentRecords, report: Report | None) -> dict[str, Any]:
    """Return what the page of an incident shows."""
    handling = found.content.handling if found.content else None
    state = records.state_of(found.incident, handling.acknowledged_by if handling else "")
    facts = [] if report is None else [each for each in sections.page(report) if not each.empty]
    rest = [] if report is None else [each for each in sections.metadata(report) if not each.empty]
    return {
        "incident": found.incident,
        "content": found.content,
        "title": title(found.content.decision) if found.content else found.incident.title,
        "state": state,
        "report": report,
        "silence": handling.silence if handling and found.incident.open else None,
        "lead": {each.name: each for each in facts},
        "facts": [each for each in rest if each.name not in _ELSEWHERE],
        "findings": sections.findings(report) if report else (),
        "timeline": timeline(found),
        "messages": found.messages,
        "steps": found.steps,
        "postmortem_due": postmortem.due_at(found),
    }
