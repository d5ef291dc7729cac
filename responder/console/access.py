"""Access to the console: who sends a request, which role this gives, and whether the request is from its own pages."""

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Request
from werkzeug.security import check_password_hash

from responder.model.text import sanitize_line
from responder.settings.access import Role, User, role_of

_View = TypeVar("_View", bound=Callable[..., Any])
#: Characters of a name in the timeline.
NAME_LIMIT = 80
#: Groups of a user that are read.
_GROUPS_LIMIT = 200
#: Logins that were verified, kept as keyed hashes: a password hash takes 50 ms of processor time.
_MOST_VERIFIED = 1000
API = "/api/"
#: The only route at which a browser is asked for a password where it could sign in at a provider.
PASSWORD_ENDPOINT = "sign_in.password"  # noqa: S105 - the name of a route


class Unauthorized(Exception):
    """The request has no valid credentials. ``basic`` is True if a browser may ask for a password."""

    def __init__(self, reason: str, *, basic: bool = False) -> None:
        super().__init__(reason)
        self.basic = basic


class SignInNeeded(Unauthorized):
    """The request has no session: a browser is led to the provider."""


class Forbidden(Exception):
    """The credentials are valid, but do not allow this."""


@dataclass(frozen=True, slots=True)
class Person:
    """The sender of a request: a user, or the holder of a token. ``entry`` is the entry point of stored actions."""

    name: str
    role: Role
    entry: str = "console"


def needs(role: Role, *, live: bool = False) -> Callable[[_View], _View]:
    """Declare the role that a view needs; a view without one is refused. Open pages ask for updates of a live one."""

    def declare(view: _View) -> _View:
        view.__dict__.update(role=role, live=live)
        return view

    return declare


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The accepted ways to sign in; all may be configured at once.

    ``local`` is the name of the only user where no sign-in is required, else empty. ``users`` sign in with a password.
    ``header`` holds the name, and ``groups`` the groups, of the user whom a proxy signed in: only addresses in
    ``peers`` may send them. ``session`` returns the person who has signed in at a provider. ``tokens`` are those of
    the API.
    """

    local: str = ""
    users: Mapping[str, User] = field(default_factory=dict)
    header: str = ""
    groups: str = ""
    peers: tuple[IPv4Network | IPv6Network, ...] = ()
    granted: Mapping[str, Role] = field(default_factory=dict)
    session: Callable[[Request], Person | None] | None = None
    tokens: tuple[tuple[Role, str], ...] = ()
    _verified: set[bytes] = field(default_factory=set)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _hashing: threading.Lock = field(default_factory=threading.Lock)

    def person(self, request: Request) -> Person:
        """Return the sender of a request. Raises Unauthorized and Forbidden."""
        scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
        if request.path.startswith(API) and scheme.lower() == "bearer":
            return self._of_token(given.strip())
        if self.local:
            return Person(self.local, Role.OPERATE)
        if self.header and self._is_proxy(request):
            return self._of_proxy(request)
        if self.session and (found := self.session(request)):
            return found
        if self.users and scheme.lower() == "basic":
            return self._of_password(given.strip())
        if self.session and request.endpoint != PASSWORD_ENDPOINT:
            raise SignInNeeded("sign in")
        if self.header and not self.users:
            raise Unauthorized("sign in through the reverse proxy: this address may not name a user")
        raise Unauthorized("sign in", basic=bool(self.users))

    def _of_token(self, given: str) -> Person:
        found = [role for role, token in self.tokens if hmac.compare_digest(given.encode(), token.encode())]
        if not found:
            raise Unauthorized("send a token of RESPONDER_API_TOKEN")
        return Person("", max(found), entry="api")

    def _is_proxy(self, request: Request) -> bool:
        try:
            peer = ip_address(request.remote_addr or "")
        except ValueError:
            return False
        return any(peer in network for network in self.peers)

    def _of_proxy(self, request: Request) -> Person:
        """Read the headers of a trusted proxy. A comma in the name means that the header was sent twice."""
        name = request.headers.get(self.header, "")
        if not name.strip():
            raise Unauthorized(f"the proxy sent no header {self.header}")
        if "," in name:
            raise Unauthorized(f"the header {self.header} was sent more than once")
        groups = request.headers.get(self.groups, "").split(",")[:_GROUPS_LIMIT] if self.groups else []
        shown = sanitize_line(name, NAME_LIMIT)
        role = role_of(name.strip(), [each.strip() for each in groups], self.granted)
        if role is Role.PUBLIC:
            raise Forbidden(f"{shown} has no role: RESPONDER_CONSOLE_ROLES grants them")
        return Person(shown, role)

    def _of_password(self, given: str) -> Person:
        try:
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Unauthorized("the login cannot be read", basic=True) from None
        user = self.users.get(name)
        if user is None or not self._verify(user, password):
            raise Unauthorized("unknown user or wrong password", basic=True)
        return Person(user.name, user.role)

    def _verify(self, user: User, password: str) -> bool:
        seen = hmac.digest(self._key, f"{user.hash}\0{password}".encode(), sha256)
        if seen in self._verified:
            return True
        with self._hashing:  # one at a time: guesses must not take all threads and their memory
            if not check_password_hash(user.hash, password):
                return False
        if len(self._verified) < _MOST_VERIFIED:
            self._verified.add(seen)
        return True


def refuse_cross_site(request: Request, origin: str, cookie: str) -> None:
    """Raise Forbidden unless a form was sent by a page of the console.

    ``origin`` is that of the console's public address, empty if it is not known; ``cookie`` has the token of the form.
    """
    site = request.headers.get("Sec-Fetch-Site", "")
    if site and site != "same-origin":
        raise Forbidden("this form was sent by another site")
    sent = request.headers.get("Origin", "")
    if not site and not sent:
        raise Forbidden("the browser sent neither Sec-Fetch-Site nor Origin: it cannot be known where the form is from")
    if sent and sent != origin and urlsplit(sent).netloc != request.host:
        raise Forbidden("this form was sent by another site")
    token = request.cookies.get(cookie, "")
    if not token or not hmac.compare_digest(token.encode(), request.form.get("csrf", "").encode()):
        raise Forbidden("the form is too old: reload the page and try again")
