"""Sign-in by OpenID Connect: to the provider and back, and the signed cookie of a session."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Request, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from responder.console.access import NAME_LIMIT, Person, needs
from responder.console.app import Console
from responder.model.clock import Clock
from responder.model.text import sanitize_line
from responder.outgoing.openid import OpenIdProvider, SignInRefused, claim
from responder.settings.access import Role, role_of

_log = structlog.get_logger()
SESSION, LOGIN = "responder_session", "responder_login"
#: A session is a shift at most: a person who leaves a group keeps the role until then.
SESSION_HOURS = 12
#: Minutes for signing in at the provider.
_LOGIN_MINUTES = 15
#: Characters of a path of the console that is opened after the sign-in.
_NEXT_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId:
    """Sign-in by a provider. ``name_claim`` holds the name of a person, ``groups_claim`` their groups.

    Cookies are signed with a key made of the client secret, so replicas and restarts agree on it.
    """

    provider: OpenIdProvider
    clock: Clock
    name_claim: str
    groups_claim: str
    granted: Mapping[str, Role]
    _key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Make the key."""
        secret = self.provider.client_secret.reveal().encode()
        object.__setattr__(self, "_key", hmac.digest(secret, b"responder console cookies", sha256))

    def begin(self, browser: str, following: str) -> str:
        """Return the address of the provider for a browser, which the secret of its cookie identifies."""
        content = [self._of("browser", browser, ""), following[:_NEXT_LIMIT], self._end(_LOGIN_MINUTES)]
        state = str(self._signer("state").dumps([*content, secrets.token_hex(8)]))
        nonce, verifier = self._of("nonce", browser, state), self._of("pkce", browser, state)
        return self.provider.authorization_url(state, nonce, verifier)

    def end(self, browser: str, given: Mapping[str, str]) -> tuple[Person, str, str]:
        """Return the person whom the provider sent back, the cookie of the session, and the path to go to.

        Raises SignInRefused and ProviderError.
        """
        state, issuer = given.get("state", ""), self.provider.issuer.rstrip("/")
        try:
            begun, following, until, _ = self._signer("state").loads(state)
        except (BadSignature, ValueError):
            raise SignInRefused("this sign-in was not begun here") from None
        if begun != self._of("browser", browser, "") or self.clock.now().timestamp() > until:
            raise SignInRefused("this sign-in has expired, or was begun in another browser")
        if given.get("iss", issuer).rstrip("/") != issuer:  # RFC 9207
            raise SignInRefused("the answer is from another provider")
        if error := given.get("error", ""):
            said = sanitize_line(given.get("error_description", "") or error, 120)
            raise SignInRefused(f"the provider refused: {said}")
        nonce, verifier = self._of("nonce", browser, state), self._of("pkce", browser, state)
        claims = self.provider.claims(given.get("code", ""), nonce, verifier, (self.name_claim, self.groups_claim))
        name, groups = self._name(claims), self._groups(claims)
        found = self._signed_in(name, groups)
        if found is None:
            raise SignInRefused(f"{sanitize_line(name, NAME_LIMIT)} has no role: RESPONDER_CONSOLE_ROLES grants them")
        return found, str(self._signer("session").dumps([name, groups, self._end(60 * SESSION_HOURS)])), following

    def session(self, sent: Request) -> Person | None:
        """Return the person of a session; None without a valid one, or without a role by the current settings."""
        try:
            name, groups, until = self._signer("session").loads(sent.cookies.get(SESSION, ""))
        except (BadSignature, ValueError):
            return None
        return self._signed_in(name, groups) if self.clock.now().timestamp() <= until else None

    def _signed_in(self, name: str, groups: list[str]) -> Person | None:
        role = role_of(name, groups, self.granted)
        return Person(sanitize_line(name, NAME_LIMIT), role) if role is not Role.PUBLIC else None

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claim(claims, self.name_claim)
        if not isinstance(name, str) or not sanitize_line(name, NAME_LIMIT):
            raise SignInRefused(
                f"the provider sent no claim {self.name_claim}: see RESPONDER_CONSOLE_OIDC_NAME_CLAIM and _SCOPES"
            )
        if self.name_claim == "email" and claims.get("email_verified") is False:
            raise SignInRefused(f"the provider has not verified the address {sanitize_line(name, NAME_LIMIT)}")
        return name.strip()

    def _groups(self, claims: Mapping[str, Any]) -> list[str]:
        """Return the groups that a role depends on: a cookie holds 4 KB, and some people are in hundreds of groups."""
        given = claim(claims, self.groups_claim)
        found = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        return [each for each in found if isinstance(each, str) and f"@{each}" in self.granted]

    def _end(self, minutes: int) -> int:
        return int((self.clock.now() + timedelta(minutes=minutes)).timestamp())

    def _signer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._key, salt=purpose, signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"}
        )

    def _of(self, purpose: str, browser: str, state: str) -> str:
        """Return a value that only this browser and this sign-in have: several tabs may sign in at once."""
        return hmac.new(self._key, f"{purpose}\0{browser}\0{state}".encode(), sha256).hexdigest()


def blueprint(console: Console, sign_in: OpenId) -> Blueprint:
    """Return the routes."""
    routes, secure = Blueprint("sign_in", __name__), console.url.startswith("https:")

    def kept(response: Response, name: str, value: str, path: str = "/", seconds: int | None = None) -> None:
        # Lax, not Strict: the browser comes from the provider's site.
        path = f"{request.root_path}{path}"
        response.set_cookie(name, value, seconds, httponly=True, samesite="Lax", secure=secure, path=path)

    @routes.get("/login")
    @needs(Role.PUBLIC)
    def login() -> Response:
        browser = request.cookies.get(LOGIN) or secrets.token_urlsafe(24)
        response = redirect(sign_in.begin(browser, request.args.get("next", "")), 303)
        kept(response, LOGIN, browser, "/login")
        return response

    @routes.get("/login/callback")
    @needs(Role.PUBLIC)
    def callback() -> Response:
        found, cookie, following = sign_in.end(request.cookies.get(LOGIN, ""), request.args)
        _log.info("console.signed_in", person=found.name, role=found.role.name.lower())
        response = redirect(_within(following), 303)
        kept(response, SESSION, cookie, seconds=3600 * SESSION_HOURS)
        return response

    @routes.post("/logout")
    @needs(Role.READ)
    def logout() -> Response:
        response = redirect(url_for(".signed_out"), 303)
        kept(response, SESSION, "", seconds=0)
        return response

    @routes.get("/signed-out")
    @needs(Role.PUBLIC)
    def signed_out() -> str:
        return render_template("signed_out.html", provider=urlsplit(sign_in.provider.issuer).netloc)

    @routes.get("/password")
    @needs(Role.READ)
    def password() -> Response:
        """Lead on a person whose browser has asked for a password, which it does here only."""
        return redirect(_within(request.args.get("next", "")), 303)

    return routes


def _within(path: str) -> str:
    """Return a path of the console as an address; its first page for what could lead elsewhere."""
    local = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return request.root_path + (path if local else "/")
