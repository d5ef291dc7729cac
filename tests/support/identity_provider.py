"""An OpenID Connect provider on loopback: discovery, sign-in without a form, codes with PKCE, signed ID tokens."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from responder.standins.server import Call, Reply, StandIn, as_json

_KEY, _OTHER_KEY = (RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in ("first", "second"))


class IdentityProvider(StandIn):
    """Signs in everybody as ``person``, whose claims stand in the ID token; those of ``userinfo`` stand elsewhere.

    It refuses what a real one refuses: an unknown client, a redirect that is not registered, a code that was used or
    whose verifier is another. ``forge`` changes claims before they are signed.
    """

    def __init__(self, now: Callable[[], datetime], client: str, secret: str, redirect_uri: str) -> None:
        super().__init__()
        self.person: dict[str, Any] = {
            "sub": "1",
            "email": "ann@example.com",
            "email_verified": True,
            "groups": ["sre"],
        }
        self.userinfo: dict[str, Any] = {}
        self.forge: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.methods = ["client_secret_basic"]
        self.rotated = False
        self._now, self._client, self._secret, self._redirect_uri = now, client, secret, redirect_uri
        self._codes: dict[str, Mapping[str, str]] = {}

    def answer(self, call: Call) -> Reply:
        """Return the response of the endpoint."""
        path, _, query = call.path.partition("?")
        match path:
            case "/.well-known/openid-configuration":
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                found: dict[str, Any] = {name: f"{self.url}/{end}" for name, end in names.items()}
                found |= {"issuer": self.url, "userinfo_endpoint": f"{self.url}/userinfo"}
                return as_json(200, found | {"token_endpoint_auth_methods_supported": self.methods})
            case "/keys":
                return as_json(200, {"keys": [self._key.as_dict(private=False)]})
            case "/authorize":
                return self._authorize({name: each[0] for name, each in parse_qs(query).items()})
            case "/token":
                return self._token(call, {name: each[0] for name, each in parse_qs(call.body.decode()).items()})
            case "/userinfo":
                known = call.headers.get("authorization") == "Bearer access"
                return as_json(200, {"sub": self.person["sub"], **self.userinfo}) if known else as_json(401, {})
        return Reply(404)

    @property
    def _key(self) -> RSAKey:
        return _OTHER_KEY if self.rotated else _KEY

    def _authorize(self, given: Mapping[str, str]) -> Reply:
        wanted = {"client_id": self._client, "redirect_uri": self._redirect_uri, "response_type": "code"}
        wanted |= {"code_challenge_method": "S256"}
        if any(given.get(name) != value for name, value in wanted.items()) or "openid" not in given["scope"].split():
            return Reply(400, b"invalid request")
        code = secrets.token_hex(8)
        self._codes[code] = given
        back = urlencode({"code": code, "state": given["state"], "iss": self.url})
        return Reply(302, headers={"Location": f"{self._redirect_uri}?{back}"})

    def _token(self, call: Call, given: Mapping[str, str]) -> Reply:
        if self.methods == ["client_secret_basic"]:
            login = b64decode(call.headers.get("authorization", "").removeprefix("Basic ")).decode()
            client, secret = (unquote(each) for each in login.split(":"))
        else:
            client, secret = given.get("client_id", ""), given.get("client_secret", "")
        if (client, secret) != (self._client, self._secret):
            return as_json(401, {"error": "invalid_client"})
        begun = self._codes.pop(given["code"], None)
        digest = _encoded(sha256(given["code_verifier"].encode()).digest()).decode()
        if begun is None or begun["code_challenge"] != digest or given["redirect_uri"] != self._redirect_uri:
            return as_json(400, {"error": "invalid_grant"})
        now = int(self._now().timestamp())
        claims = {"iss": self.url, "aud": self._client, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        return as_json(200, {"access_token": "access", "token_type": "Bearer", "id_token": self._signed(claims)})

    def _signed(self, claims: Mapping[str, Any]) -> str:
        body = {**claims, **self.person, **self.forge}
        if self.algorithm in {"none", "HS256"}:
            header = {"alg": self.algorithm, "kid": self._key.kid}
            text = b".".join(_encoded(json.dumps(each).encode()) for each in (header, body))
            # HS256: the public key taken for a shared secret.
            key = self._key.as_pem(private=False)
            sign = b"" if self.algorithm == "none" else hmac.digest(key, text, sha256)
            return b".".join((text, _encoded(sign))).decode()
        return jwt.encode({"alg": self.algorithm, "kid": self._key.kid}, body, self._key)


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def path_of(url: str) -> str:
    """Return the path and query of an address."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
