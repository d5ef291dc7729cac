"""The console over a database with one incident of every kind of record."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from responder.console import actions, api, pages, runbooks, silencing, tools
from responder.console.access import Access
from responder.console.app import Console, create_app
from responder.model.report import IncidentContent
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.settings.access import users
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from responder.store.outbox import outbox
from tests.conftest import HandClock
from tests.support.builders import NOW, a_book, a_conclusion, a_content, a_draft, an_incident, some_findings

INCIDENT = "INC-1"
PASSWORD = "correct horse"
_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
USERS = " ".join(f"{role}:{role}:{_HASH}" for role in ("read", "act", "operate"))
ORIGIN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    """The header of a login."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def fill(database: Database, content: IncidentContent, **changes: Any) -> None:
    """Store an incident with its content, a message, and a rejected payload."""
    name = changes.setdefault("id", INCIDENT)
    with database.write() as connection:
        incidents.save(connection, [replace(an_incident(), **changes)], [])
        incidents.save_contents(connection, [replace(content, incident=name)], [name], NOW)
        outbox.write(connection, [a_draft(incident=name, ordering_key=name)], NOW)


def whole_content() -> IncidentContent:
    """Content with findings and a conclusion."""
    return replace(a_content(), findings=some_findings(), conclusion=a_conclusion())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one runbook."""
    path = tmp_path / "runbooks"
    path.mkdir()
    (path / "common-issues.md").write_text(
        '# Common issues\n\n## Service down\n\n```sh {"tag":"readonly"}\nkubectl -n {{ namespace }} get pods\n```\n'
    )
    return path


@pytest.fixture
def build(database: Database, clock: HandClock, folder: Path) -> Callable[..., Flask]:
    """Build the application; fields of the console can be replaced by name."""
    no_silences = Silences(Outgoing(clock), clock, {})

    def make(silences: Silences = no_silences, **changes: Any) -> Flask:
        usual = Console(
            database=database,
            clock=clock,
            access=Access(local="ann"),
            book=a_book,
            runbooks=folder,
            explain=lambda incident: f"ALERT {incident}",
            settings=(("RESPONDER_LISTEN", "127.0.0.1:8080", "address"),),
            wait=clock.move,
        )
        console = replace(usual, **changes)
        parts = [each.blueprint(console) for each in (pages, actions, tools, runbooks, api)]
        return create_app(console, *parts, silencing.blueprint(console, silences))

    return make


@pytest.fixture
def filled(database: Database) -> None:
    """Store the usual incident and a rejected payload."""
    fill(database, whole_content())
    Inbox(database).set_aside(b"{}", 2, "10.0.0.1", 400, "no alerts", NOW)


@pytest.fixture
def client(build: Callable[..., Flask], filled: None) -> FlaskClient:
    """A browser of the only user."""
    del filled
    return build().test_client()


@pytest.fixture
def guarded(build: Callable[..., Flask], filled: None) -> FlaskClient:
    """A browser at a console whose users are named by their role."""
    del filled
    return build(access=Access(users=users(USERS))).test_client()
