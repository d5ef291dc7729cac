"""A receiver of generic_webhook channels: verifies signatures as Standard Webhooks says, and bodies by the schema."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import responder.notify.channels

SCHEMA = json.loads((Path(responder.notify.channels.__file__).parent / "generic_webhook.schema.json").read_text())
#: Seconds by which the time of a request may differ from now.
TOLERANCE_SECONDS = 300
_TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None)}


def refusal(body: bytes, headers: Mapping[str, str], key: bytes, now: float) -> str:
    """Reason why a receiver refuses a request, empty if it takes it."""
    return signature_problem(body, headers, key, now) or "; ".join(mismatches(json.loads(body), SCHEMA))


def signature_problem(body: bytes, headers: Mapping[str, str], key: bytes, now: float) -> str:
    """Reason why the signature, the time or the id is wrong, empty if they are right."""
    given = {name.lower(): value for name, value in headers.items()}
    number, sent_at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not number or not sent_at.isdigit() or abs(int(sent_at) - now) > TOLERANCE_SECONDS:
        return "the id is missing, or the time is not now"
    digest = hmac.new(key, f"{number}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    if f"v1,{base64.b64encode(digest).decode()}" not in given.get("webhook-signature", "").split():
        return "the signature is wrong"
    return "" if json.loads(body).get("id") == number else "the id in the body is another"


def mismatches(value: Any, schema: Mapping[str, Any], where: str = "body") -> list[str]:
    """Return how a value differs from a schema, in the part of JSON Schema that this one uses."""
    if "const" in schema and value != schema["const"]:
        return [f"{where} is not {schema['const']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is none of {schema['enum']}"]
    names = schema.get("type", [])
    kinds = tuple(_TYPES[name] for name in ([names] if isinstance(names, str) else names))
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        return [f"{where} is not of type {names}"]
    if schema.get("format") == "date-time" and value is not None and datetime.fromisoformat(value).tzinfo is None:
        return [f"{where} has no time zone"]
    if isinstance(value, list):
        return [why for each in value for why in mismatches(each, schema.get("items", {}), f"{where}[]")]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    wrong = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
    wrong += [f"{where}.{name} is not in the schema" for name in value if known and name not in known]
    other = schema.get("additionalProperties", {})
    return wrong + [
        why for name, each in value.items() for why in mismatches(each, known.get(name, other), f"{where}.{name}")
    ]
