"""Signatures of webhooks, as Standard Webhooks (https://www.standardwebhooks.com) defines them."""

import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Mapping

from responder.model.secret import Secret

_PREFIX = "whsec_"


def _key(text: str) -> bytes:
    """Return the bytes of a signing secret: those of the Base64 after ``whsec_``, or of the text itself."""
    if text.startswith(_PREFIX):
        with contextlib.suppress(binascii.Error):
            return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    return text.encode("utf-8", "replace")


def key_problem(text: str) -> str:
    """Return the problem of a signing secret, empty for none."""
    key = _key(text)
    if key.startswith(_PREFIX.encode()):
        return "begins with whsec_, and the rest is not Base64"
    return "is shorter than 16 bytes: make one with openssl rand -base64 32" if len(key) < 16 else ""


def signed_headers(key: Secret, number: str, sent_at: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of a signed request: ``number`` is its idempotency key, ``sent_at`` in epoch seconds."""
    signed = hmac.new(_key(key.reveal()), f"{number}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
