"""The Flask application, put together from its parts."""

from __future__ import annotations

from flask import Blueprint, Flask


def create_app(*parts: Blueprint) -> Flask:
    """An application with these routes and nothing else: no sessions, no templates, no static files."""
    app = Flask("responder", static_folder=None)
    for part in parts:
        app.register_blueprint(part)
    return app
