"""The Flask application of the console: sign-in, roles, headers, errors and caching for all of its routes."""

import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from flask import Blueprint, Flask, Response, abort, g, make_response, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import IntegerConverter
from werkzeug.wrappers import Response as AnyResponse

import responder
from responder.console import words
from responder.console.access import (
    API,
    Access,
    Forbidden,
    Person,
    SignInNeeded,
    Unauthorized,
    needs,
    refuse_cross_site,
)
from responder.console.updates import Updates
from responder.model.clock import Clock
from responder.model.rule import RuleBook
from responder.outgoing.openid import ProviderError, SignInRefused
from responder.settings.access import Role
from responder.store.database import Database, StoreError, first_line
from responder.store.maintenance.overview import change_number
from responder.web.app import PrefixedApp

_log = structlog.get_logger()
_CSRF = "responder_csrf"
#: The header by which htmx asks for the update of an open page.
_UPDATE = "HX-Request"
_STATIC = Path(__file__).parent / "static"
_YEAR = 31_536_000
#: Largest form or JSON body in bytes; notes are short.
_MAX_BODY = 64 * 1024
_REASONS = {
    400: "The request cannot be read.",
    404: "There is no such page.",
    405: "This address is no form and no page.",
    413: "The form is too large: at most 64 KB are accepted.",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Dependencies of the console.

    ``book`` returns the rules in force, None if the database has none. ``explain`` returns why an incident was decided
    as it was; it raises LookupError with the reason if that is not known. ``runbook_base_url`` is the beginning of the
    links to files of ``runbooks``. ``settings`` are the rows of the settings,
    secrets masked. ``url`` is the public address, empty if it is not known.
    """

    database: Database
    clock: Clock
    access: Access
    book: Callable[[], RuleBook | None]
    runbooks: Path
    runbook_base_url: str = ""
    explain: Callable[[str], str] = field(default=lambda _incident: "")
    settings: tuple[tuple[str, str, str], ...] = ()
    url: str = ""
    wait: Callable[[float], None] = field(default=lambda _seconds: None)


class _Number(IntegerConverter):
    """A number in the path that a database can hold."""

    regex = r"\d{1,18}"


def create_app(console: Console, *parts: Blueprint) -> Flask:
    """Return the application with these routes. Each view declares its role by ``needs``; others are refused."""
    app = PrefixedApp("responder.console", static_folder=None)
    app.prefix = urlsplit(console.url).path.rstrip("/")
    app.config.update(MAX_CONTENT_LENGTH=_MAX_BODY, MAX_FORM_MEMORY_SIZE=_MAX_BODY)
    app.url_map.merge_slashes = False
    app.url_map.converters["int"] = _Number
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.finalize = words.without_control_characters
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(words.FILTERS)
    files = {path.name: path.read_bytes() for path in _STATIC.iterdir()}
    versions = {name: sha256(content).hexdigest()[:12] for name, content in files.items()}
    updates = Updates(console.clock.monotonic)

    @app.get("/static/<name>")
    @needs(Role.PUBLIC)
    def static(name: str) -> Response:
        if name not in files:
            abort(404, "There is no such file.")
        kind = mimetypes.guess_type(name)[0]
        answer = Response(files[name], content_type=kind if kind and "svg" in kind else f"{kind}; charset=utf-8")
        answer.cache_control.max_age = _YEAR if request.args.get("v") == versions[name] else 0
        return answer

    @app.before_request
    def admit() -> Response | None:
        return _admit(app, console, updates)

    @app.after_request
    def protect(response: Response) -> Response:
        return _protected(response)

    @app.context_processor
    def shell() -> dict[str, Any]:
        role = g.person.role if g.get("person") else Role.PUBLIC
        shared = {"now": console.clock.now(), "may": lambda name: role >= Role.of(name)}
        if g.get("update"):  # it goes to all tabs of the role: nothing in it is of one person
            return {**shared, "update": True}
        return {
            **shared,
            "update": False,
            "asset": lambda name: url_for("static", name=name, v=versions[name]),
            "person": g.get("person"),
            "csrf": g.get("csrf", ""),
            "once": secrets.token_hex(8),
            "version": responder.__version__,
            "here": request.full_path.rstrip("?"),
            "root": request.root_path,
            "passwords": bool(console.access.users),
            "signs_out": "sign_in.logout" in app.view_functions and g.get("person") is not None,
        }

    kinds = (Unauthorized, Forbidden, SignInRefused, ProviderError, HTTPException, StoreError, DBAPIError)
    for kind in kinds:
        app.register_error_handler(kind, _failed)
    for part in parts:
        app.register_blueprint(part)
    return app


def person() -> Person:
    """Return the sender of the current request."""
    found: Person = g.person
    return found


def as_json(value: object, status: int = 200) -> Response:
    """Return a value as a JSON response."""
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def _admit(app: Flask, console: Console, updates: Updates) -> Response | None:
    """Check role and form, and answer a page that did not change with 304. Runs before every view."""
    g.csrf = request.cookies.get(_CSRF) or secrets.token_hex(16)
    if request.endpoint is None:
        console.access.person(request)  # paths are not revealed without credentials
        return None
    view: Any = app.view_functions[request.endpoint]
    role: Role | None = getattr(view, "role", None)
    if role is None:
        raise Forbidden("this view declares no role")
    if role is Role.PUBLIC:
        return None
    g.person = console.access.person(request)
    if g.person.role < role:
        raise Forbidden(f"this needs the role {role.name.lower()}; yours is {g.person.role.name.lower()}")
    if request.method not in {"GET", "HEAD"}:
        if g.person.entry != "api":
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(console.url)) if console.url else ""
            refuse_cross_site(request, origin, _CSRF)
        return None

    def state() -> str:
        with console.database.read() as connection:  # durations on pages are in minutes
            return f"{change_number(connection)} {console.clock.now():%d%H%M}"

    body: str | None = None
    if view.live and _UPDATE in request.headers:
        g.update, given = True, request.view_args or {}
        update = updates.newest(request.full_path, g.person.role, state, lambda: view(**given))
        g.etag, body = update.tag, update.body
    else:
        parts = (responder.__version__, state(), g.person, request.cookies.get(_CSRF, ""), request.full_path)
        g.etag = sha256(repr(parts).encode()).hexdigest()[:20]
    if request.if_none_match.contains(g.etag):
        return make_response("", 304)
    return None if body is None else make_response(body)


def _protected(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        # no-cache, not no-store: a page that did not change is answered with 304 and without a body.
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Vary"] = f"Cookie, Authorization, {_UPDATE}"
        if "etag" in g and response.status_code in {200, 304}:
            response.set_etag(g.etag)
    if response.mimetype == "text/html" and request.cookies.get(_CSRF) != g.get("csrf"):
        secure = request.is_secure or request.headers.get("Origin", "").startswith("https:")
        path = f"{request.root_path}/"
        # Lax, not Strict: a link in Slack would get a page with another token, which ends the forms of all open tabs.
        response.set_cookie(_CSRF, g.csrf, httponly=True, samesite="Lax", secure=secure, path=path)
    return response


def _failed(error: Exception) -> AnyResponse:
    """Answer an error with one sentence: a page for people, JSON for the API."""
    status, reason, headers = 503, str(error), {}
    if isinstance(error, SignInNeeded) and _opens_a_page():
        return redirect(url_for("sign_in.login", next=request.full_path.rstrip("?")), 303)
    if isinstance(error, Unauthorized):
        status = 401
        if error.basic and not request.path.startswith(API):
            headers["WWW-Authenticate"] = 'Basic realm="responder", charset="UTF-8"'
    elif isinstance(error, Forbidden | SignInRefused):
        status = 403
    elif isinstance(error, ProviderError):
        status = 502
        _log.warning("console.sign_in_failed", reason=reason)
    elif isinstance(error, DBAPIError):
        reason = f"database: {first_line(error.orig)}"
        _log.error("console.database_error", reason=reason, exc_info=error)
    elif isinstance(error, InternalServerError):
        status, reason = 500, "internal error: see the log of the console"
    elif isinstance(error, HTTPException):
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()
        status, reason = error.code, error.description or ""
        if reason == type(error).description:  # werkzeug's text for programmers
            reason = _REASONS.get(status, reason)
    if request.path.startswith(API):
        return as_json({"error": reason}, status)
    if status == 503 and request.method == "POST":
        reason += ". Go back and send the form again: what was stored is not repeated."
    again = isinstance(error, SignInNeeded | SignInRefused | ProviderError)
    g.update = False
    body = render_template("error.html", status=status, reason=reason, again=again)
    return make_response(body, status, headers)


def _opens_a_page() -> bool:
    """Return True for a page that a person opens: not for the API, a form, or the update of an open page."""
    return request.method == "GET" and not request.path.startswith(API) and _UPDATE not in request.headers
