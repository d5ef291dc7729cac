"""The pages about incidents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from responder.console.access import needs
from responder.console.app import Console
from responder.console.markdown import html_of
from responder.converse import postmortem
from responder.converse.timeline import timeline
from responder.model.content import MessageFacts
from responder.model.incident import Incident
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind, Report
from responder.model.text import one_line, seconds_of
from responder.notify.report import sections
from responder.notify.report.compose import compose, title
from responder.settings.access import Role
from responder.store.incidents import actions, records
from responder.store.incidents.records import Cursor, Filter, IncidentRecords

#: Incidents on a page.
PAGE_ROWS = 50
#: Open incidents on the first page.
MOST_OPEN = 500
_TEXT_LIMIT = 200
#: Sections of a message that the page of an incident shows elsewhere.
_ELSEWHERE = frozenset({"Incident", "Acknowledged", "Alerts", "Rule", "Severity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters of a list of incidents, as they stand in the address. ``state`` is open, resolved or empty."""

    state: str = ""
    severity: str = ""
    service: str = ""
    team: str = ""
    rule: str = ""
    since: str = ""
    text: str = ""

    def filter(self, now: datetime) -> Filter:
        """Return the filter for the database. Raises ValueError for a duration that cannot be read."""
        return Filter(
            is_open={"open": True, "resolved": False}.get(self.state),
            severity=self.severity,
            service=self.service,
            team=self.team,
            rule=self.rule,
            text=self.text,
            since=now - timedelta(seconds=seconds_of(self.since)) if self.since else None,
        )


def query_of(given: Mapping[str, str]) -> Query:
    """Return the filters of an address."""
    return Query(**{name: one_line(given.get(name, ""))[:_TEXT_LIMIT] for name in Query.__dataclass_fields__})


def cursor_of(text: str) -> Cursor | None:
    """Return the place in a list that ``after`` names; None for the beginning, or for what is no place."""
    seconds, _, incident = text.partition("_")
    try:
        return Cursor(float(seconds), incident) if incident else None
    except ValueError:
        return None


def cursor_text(cursor: Cursor | None) -> str:
    """Return a place in a list for an address; empty at the end."""
    return f"{cursor.opened_at!r}_{cursor.id}" if cursor else ""


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
        with console.database.read() as connection:
            page = records.page(connection, Filter(is_open=True), MOST_OPEN)
            last = records.page(connection, Filter(is_open=False), 5)
        rows = sorted(page.rows, key=lambda each: (each.state == "acknowledged", _ORDER.get(each.level, 9)))
        return render_template("open.html", rows=rows, more=page.next is not None, last=last.rows)

    @routes.get("/incidents")
    @needs(Role.READ)
    def listed() -> str:
        query, problem = query_of(request.args), ""
        try:
            wanted = query.filter(console.clock.now())
        except ValueError as error:
            query, problem = replace(query, since=""), f"since: {error}"
            wanted = query.filter(console.clock.now())
        with console.database.read() as connection:
            page = records.page(connection, wanted, PAGE_ROWS, cursor_of(request.args.get("after", "")))
        given = {name: value for name in Query.__dataclass_fields__ if (value := getattr(query, name))}
        following = url_for(".listed", **given, after=cursor_text(page.next)) if page.next else ""
        return render_template(
            "incidents.html",
            rows=page.rows,
            query=query,
            filtered=bool(given),
            problem=problem,
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


_ORDER = {"critical": 0, "error": 1, "warning": 2, "info": 3}


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
