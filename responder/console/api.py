"""The read API under ``/api/v1/``, and actions on incidents. Its OpenAPI document is made from the types below."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from flask import Blueprint, Response, abort, request

import responder
from responder.console import queries
from responder.console.access import NAME_LIMIT, needs
from responder.console.actions import outcome, store
from responder.console.app import Console, as_json, person
from responder.console.pages import known
from responder.console.silencing import API_KINDS, LASTING, lasting_of
from responder.console.tools import USE_DAYS, caught_by
from responder.converse.timeline import timeline
from responder.model.action import ActionKind
from responder.model.finding import worst_first
from responder.model.text import one_line, sanitize_line
from responder.notify.report.sections import result
from responder.settings.access import Role
from responder.store.incidents import records
from responder.store.incidents.records import IncidentRecords, ListedIncident
from responder.store.maintenance import overview
from responder.store.outbox import dead_letters


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSummary:
    """An incident in a list. ``state`` is open, acknowledged or resolved."""

    id: str
    severity: str
    state: str
    title: str
    service: str
    cluster: str
    teams: tuple[str, ...]
    rule: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentList:
    """A page of incidents, the newest first. ``next`` is the value of ``after`` for the next page, empty at the end."""

    incidents: tuple[IncidentSummary, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """An event of an incident."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFinding:
    """The answer of a probe. ``result`` is ok, info, warning, critical, unknown or skipped."""

    probe: str
    kind: str
    target: str
    result: str
    headline: str
    query: str
    detail: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDetail:
    """An incident with its conclusion, findings and timeline; texts are empty where nothing is known."""

    incident: IncidentSummary
    reason: str
    likely_cause: str
    first_step: str
    impact: str
    labels: Mapping[str, str]
    findings: tuple[ProbeFinding, ...]
    timeline: tuple[TimelineEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the outbox. ``state`` is waiting, sent, dead, merged or withdrawn."""

    id: int
    incident: str
    channel: str
    kind: str
    state: str
    attempts: int
    error: str
    written_at: datetime
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageList:
    """A page of messages, the newest first. ``next`` is the value of ``before`` for the next page, empty at the end."""

    messages: tuple[Message, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSummary:
    """A rule, with the incidents that it decided in the last 30 days. ``severity`` is empty if alerts give it."""

    id: str
    severity: str
    matchers: tuple[str, ...]
    runbook: str
    shadow: bool
    incidents: int
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleList:
    """The rules in force, in the order they are tried."""

    revision: str
    rules: tuple[RuleSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UncoveredAlert:
    """An alert name that only the catch-all matched in the last 30 days."""

    alertname: str
    incidents: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The alerts that no rule of their own decided, the most frequent first."""

    alerts: tuple[UncoveredAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """An action. ``text`` is the note, resolution or reason, ``actor`` the name of the person who acts.

    One with the same ``key`` is stored once. ``duration`` is of a silence or snooze, ``confirm`` the alerts of others.
    """

    text: str = ""
    actor: str = ""
    key: str = ""
    duration: str = "1h"
    confirm: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """A stored action. ``state`` is new until ``serve`` applied it, then applied, unchanged or refused."""

    action: int
    state: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The reason why a request failed."""

    error: str


_ACTION = msgspec.json.Decoder(NewAction)
_LIMIT = {"limit": f"rows of the page, at most {queries.MOST_ROWS}"}
_FILTERS = {"state": "open or resolved", "since": "a duration, such as 12h", "text": "a part of the id or title"}
#: Method, path, purpose, query parameters and type of the response of each route.
OPERATIONS: tuple[tuple[str, str, str, Mapping[str, str], Any], ...] = (
    (
        "get",
        "/incidents",
        "List incidents.",
        {name: _FILTERS.get(name, f"the {name}") for name in queries.FILTERS}
        | {"after": "next of the page before"}
        | _LIMIT,
        IncidentList,
    ),
    ("get", "/incidents/{number}", "Show an incident.", {}, IncidentDetail),
    ("post", "/incidents/{number}/{action}", f"Act on an incident: {', '.join(API_KINDS)}.", {}, ActionResult),
    (
        "get",
        "/messages",
        "List messages.",
        {"state": "a state", "channel": "a channel", "before": "next of the page before"} | _LIMIT,
        MessageList,
    ),
    ("get", "/rules", "List the rules in force.", {}, RuleList),
    ("get", "/coverage", "List alerts without a rule of their own.", {}, Coverage),
    ("get", "/openapi.json", "Return this document.", {}, None),
)


def blueprint(console: Console) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("api", __name__, url_prefix="/api/v1")

    @routes.get("/incidents")
    @needs(Role.READ)
    def listed() -> Response:
        _, wanted, problems = queries.incident_filter(request.args, console.clock.now(), "after", "limit")
        if problems:
            abort(400, "; ".join(problems))
        with console.database.read() as connection:
            page = records.page(connection, wanted, queries.limit(request.args), queries.place(request.args))
        return as_json(IncidentList(incidents=tuple(map(_summary, page.rows)), next=queries.place_text(page.next)))

    @routes.get("/incidents/<number>")
    @needs(Role.READ)
    def incident(number: str) -> Response:
        return as_json(_detail(known(console, number)))

    @routes.post("/incidents/<number>/<action>")
    @needs(Role.ACT)
    def act(number: str, action: str) -> Response:
        kind = API_KINDS.get(action)
        if kind is None:
            abort(404, f"no such action: use {', '.join(API_KINDS)}")
        try:
            given = _ACTION.decode(request.get_data() or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            abort(400, f"the body is not an action: {error}")
        if kind is ActionKind.NOTE and not one_line(given.text):
            abort(400, "the note is empty")
        actor = person().name or sanitize_line(given.actor, NAME_LIMIT)
        if not actor:
            abort(400, "actor is missing: the name of the person who acts")
        more = lasting_of(given.duration, given.confirm, console.clock.now()) if action in LASTING else {}
        stored = store(console, known(console, number).incident.id, kind, actor, given.key, given.text, **more)
        row = outcome(console, stored)
        state = row.state if row else "new"
        status = {"new": 202, "refused": 409}.get(state, 200)
        return as_json(ActionResult(action=stored, state=state, outcome=row.outcome if row else ""), status)

    @routes.get("/messages")
    @needs(Role.READ)
    def messages() -> Response:
        limit, before, state = (
            queries.limit(request.args),
            queries.number(request.args, "before"),
            request.args.get("state", ""),
        )
        problems = queries.unknown(request.args, ("state", "channel", "before", "limit"))
        problems += filter(None, [queries.choice(state, "state", ("", *dead_letters.STATES))])
        if problems:
            abort(400, "; ".join(problems))
        with console.database.read() as connection:
            rows = dead_letters.newest(
                connection, limit + 1, state or None, request.args.get("channel") or None, before
            )
        following = str(rows[limit - 1].id) if len(rows) > limit else ""
        return as_json(MessageList(messages=tuple(map(_message, rows[:limit])), next=following))

    @routes.get("/rules")
    @needs(Role.READ)
    def rules() -> Response:
        book = console.book()
        with console.database.read() as connection:
            used = overview.use_of_rules(connection, console.clock.now() - timedelta(days=USE_DAYS))
        found = tuple(
            RuleSummary(
                id=rule.id,
                severity=rule.severity if isinstance(rule.severity, str) else "",
                matchers=tuple(map(str, rule.matchers)),
                runbook=str(rule.runbook or ""),
                shadow=rule.shadow,
                incidents=used[rule.id].count if rule.id in used else 0,
                last=used[rule.id].last if rule.id in used else None,
            )
            for rule in (book.rules if book else ())
        )
        return as_json(RuleList(revision=book.revision if book else "", rules=found))

    @routes.get("/coverage")
    @needs(Role.READ)
    def coverage() -> Response:
        since = console.clock.now() - timedelta(days=USE_DAYS)
        with console.database.read() as connection:
            names = overview.names_of(connection, caught_by(console.book()), since)
        found = (UncoveredAlert(alertname=name, incidents=each.count, last=each.last) for name, each in names.items())
        return as_json(Coverage(alerts=tuple(found)))

    @routes.get("/openapi.json")
    @needs(Role.READ)
    def openapi() -> Response:
        return as_json(document())

    return routes


def _summary(row: ListedIncident) -> IncidentSummary:
    found = row.incident
    return IncidentSummary(
        id=found.id,
        severity=found.severity,
        state=row.state,
        title=found.title,
        service=found.service,
        cluster=found.cluster,
        teams=row.teams,
        rule=found.rule,
        opened_at=found.opened_at,
        resolved_at=found.resolved_at,
        acknowledged_by=row.acknowledged_by,
    )


def _detail(found: IncidentRecords) -> IncidentDetail:
    content = found.content
    by = content.handling.acknowledged_by if content else ""
    row = ListedIncident(found.incident, content.decision.teams if content else (), by)
    return IncidentDetail(
        incident=_summary(row),
        reason=found.incident.reason,
        likely_cause=content.conclusion.likely if content else "",
        first_step=(content.conclusion.first_step or content.decision.first_step) if content else "",
        impact=content.decision.impact if content else "",
        labels=content.alerts.labels if content else {},
        findings=tuple(
            ProbeFinding(
                probe=each.probe,
                kind=each.kind,
                target=each.target,
                result=result(each),
                headline=each.headline,
                query=each.query,
                detail=each.detail,
                link=each.link,
            )
            for each in worst_first(content.findings if content else ())
        ),
        timeline=tuple(TimelineEntry(at=each.at, kind=each.kind.value, text=each.text) for each in timeline(found)),
    )


def _message(row: dead_letters.MessageRow) -> Message:
    names = ("id", "incident", "channel", "kind", "state", "error", "written_at", "due_at", "ended_at")
    return Message(**{name: getattr(row, name) for name in names}, attempts=row.attempt)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of the routes."""
    kinds = [kind for *_, kind in OPERATIONS if kind] + [NewAction, Problem]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Any] = {}
    for method, path, purpose, query, kind in OPERATIONS:
        parts = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        operation: dict[str, Any] = {
            "summary": purpose,
            "parameters": [
                *({"name": each, "in": "path", "required": True, "schema": {"type": "string"}} for each in parts),
                *(
                    {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
                    for name, text in query.items()
                ),
            ],
            "responses": {
                "200": _content("Success", schema_of.get(kind, {"type": "object"})),
                "default": _content("Failure", schema_of[Problem]),
            },
        }
        if method == "post":
            operation["requestBody"] = _content("Action", schema_of[NewAction])
            operation["responses"]["202"] = _content("Stored, not applied yet", schema_of[kind])
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "responder", "version": responder.__version__},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _content(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
