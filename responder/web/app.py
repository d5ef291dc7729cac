"""The Flask application: its parts, unexpected errors, and the authentication of requests."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Blueprint, Flask, Response, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import InternalServerError

from responder.counters import COUNTERS
from responder.model.secret import Secret
from responder.store.database import StoreError, first_line

_log = structlog.get_logger()


class PrefixedApp(Flask):
    """Flask with a prefix of its paths, which a reverse proxy may keep or remove; links have it."""

    prefix = ""

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a path with doubled slashes as the path it means, and one below the prefix as the rest of it.

        Werkzeug would redirect to the former, by an address made of the request's Host header.
        """
        path = re.sub("/{2,}", "/", environ["PATH_INFO"])
        if self.prefix:
            environ["SCRIPT_NAME"] = self.prefix
            path = path.removeprefix(self.prefix) if path.startswith(f"{self.prefix}/") else path
        environ["PATH_INFO"] = path
        return super().wsgi_app(environ, start_response)


def _failed(error: Exception) -> Response:
    """Return a one-line response to an unexpected error: 503 if it is the database's. Flask has logged every other."""
    status, reason = 503, str(error)
    if isinstance(error, DBAPIError):
        reason = f"database: {first_line(error.orig)}"
        _log.error("http.database_error", reason=reason, exc_info=error)
    elif isinstance(error, InternalServerError):
        status, reason = 500, "internal error: see the log"
    return line(status, reason)


def line(status: int, text: str) -> Response:
    """Return a response of one line, since clients write it to their logs."""
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")


def _counted(response: Response) -> Response:
    COUNTERS.add("responder_http_requests", request.endpoint or "none", str(response.status_code))
    return response


def create_app(*parts: Blueprint, prefix: str = "") -> Flask:
    """An application with these routes and nothing else: no sessions, no templates, no static files, no redirects.

    Each route also answers below ``prefix``, for a proxy that does not remove it.
    """
    app = PrefixedApp("responder", static_folder=None)
    app.prefix = prefix.rstrip("/")
    app.url_map.merge_slashes = False
    app.after_request(_counted)
    for kind in (StoreError, DBAPIError, InternalServerError):
        app.register_error_handler(kind, _failed)
    for part in parts:
        app.register_blueprint(part)
    return app


@dataclass(frozen=True, slots=True)
class Guard:
    """The credentials that are valid now. Without any, ``open`` says so and everybody may post."""

    tokens: tuple[bytes, ...]
    logins: tuple[bytes, ...]

    @property
    def open(self) -> bool:
        """True if no authentication is configured."""
        return not self.tokens and not self.logins

    def admits(self, authorization: str) -> bool:
        """Return True if an Authorization header has a valid credential. Compares in constant time."""
        if self.open:
            return True
        scheme, _, given = authorization.strip().partition(" ")
        if scheme.lower() == "bearer":
            return _any_equal(given.strip().encode(), self.tokens)
        if scheme.lower() == "basic":
            try:
                return _any_equal(base64.b64decode(given.strip(), validate=True), self.logins)
            except (binascii.Error, ValueError):
                return False
        return False


def guard(token: Secret, basic_auth: Secret) -> Guard:
    """The guard for two settings, each with any number of credentials separated by white space."""
    return Guard(_parts(token), _parts(basic_auth))


def _parts(secret: Secret) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in secret.reveal().split())


def _any_equal(given: bytes, valid: Iterable[bytes]) -> bool:
    found = [hmac.compare_digest(given, each) for each in valid]
    return any(found)
