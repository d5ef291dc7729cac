"""Authentication of senders: bearer tokens and basic credentials, several at once so that they can be rotated."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from responder.model.secret import Secret


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
