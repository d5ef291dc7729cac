"""Access to the console: every route needs its role, forms come from its own pages, headers from the proxy."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from responder.console.access import Access
from responder.settings.access import Role, grants, problem, role_of, tokens, users
from responder.store.database import Database
from tests.unit.console.conftest import INCIDENT, ORIGIN, basic

TEMPLATES = Path(__file__).parents[3] / "responder" / "console" / "templates"
_VALUES = {"number": "1", "action": "note", "name": "common-issues.md"}


def routes(app: Flask) -> Iterator[tuple[str, str, Role]]:
    """Method, address and role of every route."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        role = cast("Role", getattr(app.view_functions[rule.endpoint], "role", None))
        address = adapter.build(rule.endpoint, {name: _value(rule, name) for name in rule.arguments})
        yield from ((method, address, role) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def _value(rule: Rule, name: str) -> str | int:
    return INCIDENT if name == "number" and "incident" in rule.rule else _VALUES[name]


def test_every_route_declares_its_role_and_needs_it(guarded: FlaskClient) -> None:
    """Without a login each route answers 401, below its role 403, with it neither."""
    for method, address, role in routes(guarded.application):
        assert isinstance(role, Role), address
        if role is Role.PUBLIC:
            continue
        assert guarded.open(address, method=method).status_code == 401, address
        assert guarded.open(address, method=method, headers=basic("read", "wrong")).status_code == 401
        for name in ("read", "act", "operate"):
            answer = guarded.open(address, method=method, headers=basic(name))
            refused = answer.status_code == 403 and b"needs the role" in answer.data
            assert refused is (Role.of(name) < role), (address, name, answer.status_code)


def test_only_static_files_are_public(guarded: FlaskClient) -> None:
    """No page and no answer of the API is public; an unknown path is not either."""
    public = {address for _, address, role in routes(guarded.application) if role is Role.PUBLIC}
    assert {address.split("/")[1] for address in public} == {"static"}
    assert guarded.get("/nothing").status_code == 401
    assert guarded.get("/nothing", headers=basic("read")).status_code == 404


def test_a_browser_is_asked_for_the_password_and_the_api_is_not(guarded: FlaskClient) -> None:
    """The challenge is for browsers only: a script gets a sentence."""
    assert "Basic" in guarded.get("/").headers["WWW-Authenticate"]
    assert "WWW-Authenticate" not in guarded.get("/api/v1/incidents").headers


def token(client: FlaskClient) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="csrf" value="(\w+)"', client.get(f"/incidents/{INCIDENT}").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ORIGIN, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"}, 403),
        ({"Origin": "http://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_a_form_of_another_site_is_refused(
    client: FlaskClient, database: Database, headers: dict[str, str], status: int
) -> None:
    """An action is stored only if the browser says that the form is from the console."""
    given = {"csrf": token(client), "text": "restarted", "once": "1"}
    assert client.post(f"/incidents/{INCIDENT}/note", data=given, headers=headers).status_code == status
    with database.read() as connection:
        stored = connection.exec_driver_sql("SELECT count(*) FROM actions").scalar()
    assert stored == (status == 303)


@pytest.mark.parametrize("given", ["", "0" * 32])
def test_a_form_without_its_token_is_refused(client: FlaskClient, given: str) -> None:
    """The token of the form has to be that of the cookie."""
    token(client)
    answer = client.post(f"/incidents/{INCIDENT}/note", data={"csrf": given, "text": "x"}, headers=ORIGIN)
    assert answer.status_code == 403


def proxied(build: Callable[..., Flask], peer: str = "10.1.0.0/16") -> FlaskClient:
    """A console behind a proxy."""
    access = Access(
        header="X-Forwarded-User",
        groups="X-Forwarded-Groups",
        peers=(ip_network(peer),),
        granted=grants("ann=operate, @sre=act, root=read"),
    )
    return build(access=access).test_client()


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.1.2.3", {"X-Forwarded-User": "ann"}, 200),
        ("10.1.2.3", {"X-Forwarded-User": "bob", "X-Forwarded-Groups": "dev, sre"}, 200),
        ("10.1.2.3", {"X-Forwarded-User": "bob", "X-Forwarded-Groups": "dev"}, 403),
        ("10.1.2.3", {"X-Forwarded-User": "ann,root"}, 401),
        ("10.1.2.3", {"X-Forwarded-User": " "}, 401),
        ("10.1.2.3", {}, 401),
        ("10.2.0.1", {"X-Forwarded-User": "ann"}, 401),
        ("", {"X-Forwarded-User": "ann"}, 401),
    ],
)
def test_only_the_proxy_may_name_a_user(
    build: Callable[..., Flask], peer: str, headers: dict[str, str], status: int
) -> None:
    """The header counts only from the addresses of the proxy, once, and for a user with a role."""
    answer = proxied(build).get("/", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == status


def test_the_settings_name_what_is_wrong() -> None:
    """Roles are the highest granted; an entry that cannot be read has a sentence without its secret."""
    granted = grants("*=read,@sre=act,ann=operate")
    assert [role_of(*each, granted) for each in (("x", []), ("x", ["sre"]), ("ann", []))] == [1, 2, 3]
    assert role_of("x", [], grants("ann=act")) is Role.PUBLIC
    assert "write name:role:hash" in problem(users, "ann:act:secret")
    assert "secret" not in problem(users, "ann:act:secret")
    assert "read, act or operate" in problem(grants, "ann=admin")
    assert tokens("act:0123456789abcdef 0123456789abcdeg") == (
        (Role.ACT, "0123456789abcdef"),
        (Role.READ, "0123456789abcdeg"),
    )
    assert "16 characters" in problem(tokens, "short")


def test_every_answer_has_the_security_headers(guarded: FlaskClient) -> None:
    """Pages, errors, redirects and files forbid scripts, styles and frames of others."""
    for address in ("/", "/nothing", "/static/console.css", "/static/nothing", "/api/v1/nothing"):
        for headers in ({}, basic("read")):
            answer = guarded.get(address, headers=headers)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"], address
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_templates_have_no_inline_script_or_style_and_escape_everything() -> None:
    """The policy would block them, and ``safe`` would let hostile text through."""
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|\|\s*safe\b|autoescape|javascript:", text), path.name
        assert all("src=" in each for each in re.findall(r"<script[^>]*>", text)), path.name


def test_an_open_redirect_is_impossible(client: FlaskClient) -> None:
    """No page redirects to an address of the request."""
    for address in ("/%2f%2fevil.example.com", "/incidents//evil.example.com", "/.//evil.example.com"):
        assert client.get(address).status_code == 404


def test_serve_does_not_load_the_console() -> None:
    """A receiver without a console starts and weighs as before: no module of it is imported."""
    loaded = "import sys, responder.cli.serve, responder.bootstrap.workers, responder.cli.gunicorn_app"
    command = f"{loaded}; print([each for each in sys.modules if each.startswith(('responder.console', 'nh3'))])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
