"""Client of an OpenID Connect provider: the code flow with PKCE, and a verified ID token."""

import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from responder.model.clock import Clock, Deadline
from responder.model.message import Request
from responder.model.secret import Secret
from responder.model.setting import is_encrypted_or_local
from responder.model.text import sanitize_line
from responder.outgoing.client import Outgoing
from responder.outgoing.network import UnreachableError

#: Seconds for all requests of one sign-in.
SECONDS = 10.0
#: Seconds that the provider's endpoints and keys are kept, and that a failure to read them is.
_KEPT_SECONDS, _FAILED_SECONDS = 3600.0, 5.0
#: Seconds that the clocks of provider and console may differ.
_LEEWAY_SECONDS = 120
#: Largest response in bytes; the keys of a large provider take some 10 KB.
_CAP = 512 * 1024
#: Signatures by a key of the provider. HMAC and "none" are left out: a public key must never be taken for a secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_JSON = msgspec.json.Decoder(dict[str, Any])


class ProviderError(Exception):
    """The provider does not answer, or not as OpenID Connect demands."""


class SignInRefused(Exception):
    """The provider's answer does not prove who the person is."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a provider, from its discovery document."""

    issuer: str
    authorization: str
    token: str
    userinfo: str
    keys: Mapping[str, Any]
    #: True if the client secret goes into the form, since the provider does not accept HTTP basic.
    in_form: bool


@dataclass(slots=True, kw_only=True)
class OpenIdProvider:
    """A provider: its discovery document below ``issuer`` names all other addresses. Threads may share it."""

    outgoing: Outgoing
    clock: Clock
    issuer: str
    client_id: str
    client_secret: Secret
    redirect_uri: str
    scopes: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: Endpoints | None = None
    _failed: str = ""
    _until: float = float("-inf")

    def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Return the address where the person signs in. Raises ProviderError."""
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        base = self._endpoints(self._deadline()).authorization
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                "scope": self.scopes,
                "state": state,
                "nonce": nonce,
                "code_challenge": create_s256_code_challenge(verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{base}{'&' if '?' in base else '?'}{query}"

    def claims(self, code: str, nonce: str, verifier: str, wanted: tuple[str, ...]) -> Mapping[str, Any]:
        """Exchange a code and return the verified claims of the person.

        Those ``wanted`` that the ID token lacks are read from the userinfo endpoint. Raises ProviderError and
        SignInRefused.
        """
        deadline = self._deadline()
        endpoints = self._endpoints(deadline)
        tokens = self._exchange(endpoints, code, verifier, deadline)
        found = self._verified(endpoints, tokens, nonce, deadline)
        access = tokens.get("access_token")
        if endpoints.userinfo and isinstance(access, str) and any(claim(found, name) is None for name in wanted):
            more = self._json(endpoints.userinfo, deadline, {"Authorization": f"Bearer {access}"})
            if more.get("sub") == found["sub"]:  # OpenID Connect Core, 5.3.2
                found = {**more, **found}
        return found

    def _deadline(self) -> Deadline:
        return Deadline(self.clock.monotonic() + SECONDS)

    def _endpoints(self, deadline: Deadline, *, newer: bool = False) -> Endpoints:
        """Return the endpoints and keys, read again after an hour, or at once if ``newer``."""
        with self._lock:
            now = self.clock.monotonic()
            if newer or now >= self._until:
                try:
                    self._known, self._failed = self._discovered(deadline), ""
                except ProviderError as error:
                    self._failed = str(error)
                self._until = now + (_FAILED_SECONDS if self._failed else _KEPT_SECONDS)
            if self._failed or self._known is None:
                raise ProviderError(self._failed)
            return self._known

    def _discovered(self, deadline: Deadline) -> Endpoints:
        given = self._json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", deadline)
        if str(given.get("issuer", "")).rstrip("/") != self.issuer.rstrip("/"):
            said = sanitize_line(str(given.get("issuer", "")), 120)
            raise ProviderError(f"the provider calls itself '{said}', not {self.issuer}: set this as the issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if missing := [name for name in names if not is_encrypted_or_local(str(given.get(name, "")))]:
            raise ProviderError(f"the provider names no address with https for {', '.join(missing)}")
        methods, info = given.get("token_endpoint_auth_methods_supported"), str(given.get("userinfo_endpoint", ""))
        return Endpoints(
            issuer=str(given["issuer"]),
            authorization=str(given["authorization_endpoint"]),
            token=str(given["token_endpoint"]),
            userinfo=info if is_encrypted_or_local(info) else "",
            keys=self._json(str(given["jwks_uri"]), deadline),
            in_form=isinstance(methods, list) and "client_secret_basic" not in methods,
        )

    def _exchange(self, endpoints: Endpoints, code: str, verifier: str, deadline: Deadline) -> Mapping[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        form |= {"code_verifier": verifier}
        headers, secret = {"Content-Type": "application/x-www-form-urlencoded"}, self.client_secret.reveal()
        if endpoints.in_form:
            form |= {"client_id": self.client_id, "client_secret": secret}
        else:  # RFC 6749, 2.3.1: both are form-encoded first
            login = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        return self._json(endpoints.token, deadline, headers, urlencode(form).encode())

    def _verified(
        self, endpoints: Endpoints, tokens: Mapping[str, Any], nonce: str, deadline: Deadline
    ) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError
        from joserfc.jwk import KeySet

        given = str(tokens.get("id_token", ""))
        try:
            try:
                token = jwt.decode(given, KeySet.import_key_set(dict(endpoints.keys)), list(_ALGORITHMS))  # type: ignore[arg-type]
            except InvalidKeyIdError:  # the provider has changed its keys since
                keys = self._endpoints(deadline, newer=True).keys
                token = jwt.decode(given, KeySet.import_key_set(dict(keys)), list(_ALGORITHMS))  # type: ignore[arg-type]
            options = {"iss": {"value": endpoints.issuer}, "aud": {"value": self.client_id}}
            params = {"nonce": nonce, "client_id": self.client_id, "access_token": tokens.get("access_token")}
            found = CodeIDToken(token.claims, token.header, options, params)
            found.validate(now=int(self.clock.now().timestamp()), leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInRefused(
                f"the ID token of the provider is not valid: {sanitize_line(str(error), 120)}"
            ) from error
        return dict(found)

    def _json(
        self, url: str, deadline: Deadline, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> dict[str, Any]:
        """Return the JSON object at an address of the provider. Its values never stand in the error, only its words."""
        host = urlsplit(url).netloc
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            answer = self.outgoing.send(
                Request(url=url, body=body, headers=sent, method="POST" if body else "GET"), deadline, _CAP
            )
        except UnreachableError as error:
            raise ProviderError(f"the sign-in provider {host} does not answer: {error}") from error
        try:
            given = _JSON.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            given = {}
        if answer.status != 200:
            said = sanitize_line(str(given.get("error_description") or given.get("error") or ""), 120)
            raise ProviderError(f"the sign-in provider {host} answers HTTP {answer.status}{said and f': {said}'}")
        if not given:
            raise ProviderError(f"the sign-in provider {host} does not answer with a JSON object")
        return given


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim, also one inside others: ``realm_access.roles``. None if there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
