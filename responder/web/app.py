"""The Flask application, put together from its parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Blueprint, Flask


class _App(Flask):
    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a path with doubled slashes as the path it means.

        Werkzeug would redirect to it, by an address made of the request's Host header.
        """
        environ["PATH_INFO"] = re.sub("/{2,}", "/", environ["PATH_INFO"])
        return super().wsgi_app(environ, start_response)


def create_app(*parts: Blueprint) -> Flask:
    """An application with these routes and nothing else: no sessions, no templates, no static files, no redirects."""
    app = _App("responder", static_folder=None)
    app.url_map.merge_slashes = False
    for part in parts:
        app.register_blueprint(part)
    return app
