"""Sign-in by an OpenID Connect provider, against one on loopback that refuses what a real one refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from responder.bootstrap.console import console_app
from responder.console import actions, pages, runbooks, sign_in, silencing, tools
from responder.console.access import Access
from responder.console.app import Console, create_app
from responder.console.sign_in import SESSION_HOURS, OpenId
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.outgoing import Outgoing
from responder.outgoing.openid import OpenIdProvider, claim
from responder.outgoing.silences import Silences
from responder.settings import InvalidSettings, read
from responder.settings.access import Role, grants, role_of, users
from responder.standins.server import status
from responder.store.database import Database
from tests.conftest import HandClock
from tests.support.builders import a_book
from tests.support.console_pages import NO_PAGES, PAGES
from tests.support.identity_provider import IdentityProvider, path_of
from tests.unit.console.conftest import INCIDENT, ORIGIN, USERS, basic

URL, SECRET = "https://ops.example.com", "s3cret:with/signs"
ROLES = "*@example.com=read,@sre=act"


@pytest.fixture
def provider(clock: HandClock) -> Iterator[IdentityProvider]:
    """A provider where ann@example.com of the group sre is signed in."""
    with IdentityProvider(clock.now, "console", SECRET, f"{URL}/login/callback") as running:
        yield running


Built = Callable[..., FlaskClient]


def an_app(
    provider: IdentityProvider,
    database: Database,
    outgoing: Outgoing,
    clock: Clock,
    folder: Path,
    *,
    url: str = URL,
    roles: str = ROLES,
    secret: str = SECRET,
    **changes: Any,
) -> Flask:
    """A console with this provider."""
    granted = grants(roles)
    client = OpenIdProvider(
        outgoing=outgoing,
        clock=clock,
        issuer=provider.url,
        client_id="console",
        client_secret=Secret(secret),
        redirect_uri=f"{url}/login/callback",
        scopes="openid email",
    )
    claims = {"name_claim": "email", "groups_claim": "groups"} | changes
    found = OpenId(provider=client, clock=clock, granted=granted, **claims)
    access = Access(session=found.session, granted=granted, users=users(USERS))
    console = Console(database=database, clock=clock, access=access, book=a_book, runbooks=folder, url=url)
    parts = [each.blueprint(console) for each in (pages, actions, tools, runbooks)]
    parts.append(silencing.blueprint(console, Silences(outgoing, clock, {})))
    return create_app(console, *parts, sign_in.blueprint(console, found))


@pytest.fixture
def signed(
    provider: IdentityProvider, database: Database, clock: HandClock, filled: None, tmp_path: Path
) -> Iterator[Built]:
    """Build a browser at a console with this provider."""
    del filled
    outgoing = Outgoing(clock)

    def build(**changes: Any) -> FlaskClient:
        return an_app(provider, database, outgoing, clock, tmp_path, **changes).test_client()

    yield build
    outgoing.close()


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def sent_back(url: str) -> str:
    """Return the address to which the provider sends a browser that opens ``url``."""
    with pytest.raises(HTTPError) as answer:
        build_opener(_Stay()).open(url, timeout=10)
    with answer.value as response:
        return str(response.headers["Location"])


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    """Open a page as a browser behind the public address does."""
    return client.get(path, base_url=URL, headers=headers)


def signs_in(client: FlaskClient, path: str = "/") -> TestResponse:
    """Open a page, go to the provider and back, and return the response to the way back."""
    login = get(client, path)
    assert login.status_code == 303, login.text
    back = sent_back(get(client, path_of(login.location)).location)
    return get(client, path_of(back))


def test_a_person_signs_in_and_returns_to_the_page(signed: Built) -> None:
    """A link to an incident leads through the provider to this incident, with the role of the person's group."""
    client = signed()
    answer = signs_in(client, f"/incidents/{INCIDENT}?x=1")
    assert answer.status_code == 303
    assert answer.location == f"/incidents/{INCIDENT}?x=1"
    page = get(client, answer.location).text
    assert "ann@example.com" in page
    assert "Acknowledge" in page
    assert "Sign out ann@example.com" in page


def test_the_cookie_of_a_session_is_out_of_reach(signed: Built) -> None:
    """Scripts do not read it, it goes over TLS only, and other sites' forms do not bring it."""
    (cookie,) = (each for each in signs_in(signed()).headers.getlist("Set-Cookie") if "responder_session" in each)
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/;", "Max-Age=43200"))


def test_a_session_ends_after_a_shift_and_by_signing_out(signed: Built, clock: HandClock) -> None:
    """A cookie that is kept longer is refused; signing out removes it."""
    client = signed()
    signs_in(client)
    assert get(client, "/").status_code == 200
    token = client.get_cookie("responder_csrf", "ops.example.com")
    assert token is not None
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    out = client.post("/logout", base_url=URL, data={"csrf": token.value}, headers=headers)
    assert out.location == "/signed-out"
    assert "Signed out" in get(client, out.location).text
    assert get(client, "/").status_code == 303
    signs_in(client)
    clock.move(3600 * SESSION_HOURS + 1)
    assert get(client, "/").status_code == 303


def test_signing_out_is_no_link_of_another_site(signed: Built) -> None:
    """Signing out needs the token of the form, like every action."""
    client = signed()
    signs_in(client)
    assert client.post("/logout", base_url=URL, headers=ORIGIN).status_code == 403
    assert get(client, "/").status_code == 200


@pytest.mark.parametrize("change", ["x", "browser", "late", "twice"])
def test_an_answer_that_was_not_asked_for_is_refused(signed: Built, clock: HandClock, change: str) -> None:
    """A forged state, another browser's sign-in, a late one, and one that was used: none begins a session."""
    client, other = signed(), signed()
    back = path_of(sent_back(get(client, path_of(get(client, "/").location)).location))
    if change == "x":
        back = back.replace("state=", "state=x")
    elif change == "browser":
        get(other, path_of(get(other, "/").location))
        client = other
    elif change == "late":
        clock.move(3600)
    else:
        get(client, back)
        client.delete_cookie("responder_session", domain="ops.example.com")
    answer = get(client, back)
    assert answer.status_code in {403, 502}
    assert "responder_session" not in "".join(answer.headers.getlist("Set-Cookie"))
    assert "Sign in" in answer.text


@pytest.mark.parametrize(
    ("forge", "algorithm"),
    [
        ({"nonce": "other"}, "RS256"),
        ({"nonce": None}, "RS256"),
        ({"aud": "another client"}, "RS256"),
        ({"aud": ["console", "other"]}, "RS256"),
        ({"iss": "https://evil.example.com"}, "RS256"),
        ({"exp": 1}, "RS256"),
        ({"email_verified": False}, "RS256"),
        ({"email": "mallory@example.com.evil.org", "groups": []}, "RS256"),
        ({"email": None}, "RS256"),
        ({"email": ["ann@example.com"]}, "RS256"),
        ({}, "none"),
        ({}, "HS256"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(
    signed: Built, provider: IdentityProvider, forge: dict[str, Any], algorithm: str
) -> None:
    """Claims of another sign-in, client, issuer or time, an unknown person, and a forged signature begin no session."""
    provider.forge, provider.algorithm = forge, algorithm
    answer = signs_in(signed())
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers or "responder_session" not in answer.headers["Set-Cookie"]


def test_the_provider_refuses_a_person(signed: Built) -> None:
    """Its reason stands on the page, and nothing was asked of it again."""
    client = signed()
    state = get(client, path_of(get(client, "/").location)).location.partition("state=")[2].partition("&")[0]
    answer = get(client, f"/login/callback?error=access_denied&error_description=not+for+you&state={state}")
    assert answer.status_code == 403
    assert "not for you" in answer.text


@pytest.mark.parametrize(
    "following", ["//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "/a\nb"]
)
def test_the_page_after_the_sign_in_is_of_the_console(signed: Built, following: str) -> None:
    """A link cannot use the sign-in to lead elsewhere."""
    client = signed()
    login = client.get("/login", base_url=URL, query_string={"next": following})
    assert get(client, path_of(sent_back(login.location))).location == "/"


def test_keys_may_change_and_claims_may_stand_elsewhere(signed: Built, provider: IdentityProvider) -> None:
    """A key that the console does not know yet is read; missing claims are those of the userinfo endpoint."""
    client = signed(groups_claim="realm_access.roles")
    signs_in(client)
    provider.rotated, provider.methods = True, ["client_secret_post"]
    provider.person = {"sub": "1"}
    provider.userinfo = {"email": "bob@example.com", "realm_access": {"roles": ["sre"]}}
    client = signed(groups_claim="realm_access.roles")
    signs_in(client)
    assert "bob@example.com" in get(client, "/").text


def test_a_provider_that_is_down_leaves_passwords(signed: Built, provider: IdentityProvider) -> None:
    """The page says what is wrong, and leads to the sign-in with a password, which needs no provider."""
    provider.manner = lambda _call: status(503)
    client = signed()
    answer = get(client, path_of(get(client, "/").location))
    assert answer.status_code == 502
    assert "HTTP 503" in answer.text
    assert "/password" in answer.text
    assert "Basic" in get(client, "/password").headers["WWW-Authenticate"]
    assert get(client, "/password", **basic("read")).location == "/"
    assert get(client, "/", **basic("read")).status_code == 200


def test_a_wrong_client_secret_is_named(signed: Built) -> None:
    """The provider's error stands on the page, the secret does not."""
    answer = signs_in(signed(secret="wrong"))
    assert answer.status_code == 502
    assert "invalid_client" in answer.text


def test_updates_and_scripts_get_no_redirect(signed: Built) -> None:
    """The update of an open page and the API are answered 401: neither can sign in."""
    client = signed()
    assert get(client, "/", **{"HX-Request": "true"}).status_code == 401
    assert client.post("/logout", base_url=URL, headers=ORIGIN).status_code == 401


def test_a_role_that_was_taken_away_ends_the_session(signed: Built) -> None:
    """Roles are those of the settings of today."""
    client, stricter = signed(), signed(roles="bob@example.com=read")
    signs_in(client)
    cookie = client.get_cookie("responder_session", "ops.example.com")
    assert cookie is not None
    stricter.set_cookie("responder_session", cookie.value, domain="ops.example.com", secure=True)
    assert get(stricter, "/").status_code == 303


def test_domains_and_claims() -> None:
    """A domain is the whole text behind the last @; a claim may have dots in its name."""
    granted = grants("*@example.com=act")
    assert role_of("ann@EXAMPLE.com", [], granted) is Role.ACT
    assert role_of("ann@evil-example.com", [], granted) is Role.PUBLIC
    assert role_of("ann@example.com@evil.org", [], granted) is Role.PUBLIC
    assert claim({"https://a.b/groups": ["x"]}, "https://a.b/groups") == ["x"]
    assert claim({"a": {"b": 1}}, "a.b") == 1
    assert claim({"a": 1}, "a.b") is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"CLIENT_ID": "", "CLIENT_SECRET": ""},
            "CLIENT_ID, RESPONDER_CONSOLE_OIDC_CLIENT_SECRET",
        ),
        ({"ISSUER": "http://sso.example.com"}, "is no https:// address"),
    ],
)
def test_settings_that_are_unsafe_or_incomplete_are_refused(changes: dict[str, str], problem: str) -> None:
    """A sign-in that could not work, would send secrets in clear text, or let in everybody does not start."""
    given = {"ISSUER": "https://sso.example.com", "CLIENT_ID": "console", "CLIENT_SECRET": "s"} | changes
    env = {f"RESPONDER_CONSOLE_OIDC_{name}": value for name, value in given.items()}
    with pytest.raises(InvalidSettings, match=problem):
        read({**env, "RESPONDER_CONSOLE_URL": URL, "RESPONDER_CONSOLE_ROLES": ROLES})


def test_roles_must_be_granted_and_the_application_leads_to_the_provider(
    database_url: str, database: Database, clock: HandClock, provider: IdentityProvider
) -> None:
    """Without roles the settings are refused; with them the application of `responder console` signs people in.

    Its pages are those that the tests in a browser and those of hostile text visit: none is missing.
    """
    env = {
        "RESPONDER_DATABASE_URL": database_url,
        "RESPONDER_CONSOLE_URL": URL,
        "RESPONDER_CONSOLE_OIDC_ISSUER": provider.url,
        "RESPONDER_CONSOLE_OIDC_CLIENT_ID": "console",
        "RESPONDER_CONSOLE_OIDC_CLIENT_SECRET": SECRET,
    }
    with pytest.raises(InvalidSettings, match="needs RESPONDER_CONSOLE_ROLES"):
        read(env)
    del database
    settings = read({**env, "RESPONDER_CONSOLE_ROLES": ROLES})
    client = console_app(settings, clock, lambda _incident: "").test_client()
    assert get(client, "/").location.startswith("/login?")
    adapter = client.application.url_map.bind("localhost")
    visited = {adapter.match(each.partition("?")[0].format(incident=INCIDENT))[0] for each in PAGES}
    rules = [each for each in client.application.url_map.iter_rules() if "GET" in (each.methods or ())]
    assert {each.endpoint for each in rules if not each.rule.startswith("/api/")} - NO_PAGES == visited
