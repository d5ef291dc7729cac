"""A setting as the part of the program that uses it declares it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from responder.model.secret import Secret


def _anything(_text: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting; its environment variable is RESPONDER_<NAME>, and RESPONDER_<NAME>_FILE too for a secret.

    ``kind`` is its type. ``check`` returns the problem of a value, empty for none. ``calls_oncall`` marks a setting
    that gives a page another way to call on-call if the first channel does not take it.
    """

    name: str
    doc: str
    kind: Any = str
    default: Any = ""
    check: Callable[[str], str] = _anything
    calls_oncall: bool = False


def secret(name: str, doc: str, check: Callable[[str], str] = _anything, *, calls_oncall: bool = False) -> Setting:
    """Return a setting whose value is a secret, empty where it is not given."""
    return Setting(name, doc, Secret, Secret(""), check, calls_oncall)


def rate(name: str, default: int, of: str) -> Setting:
    """Return the setting of a rate limit: messages a minute of ``of``, all replicas together."""
    return Setting(name, f"rate limit of {of}, all replicas together", int, default)


def one_of(*words: str) -> Callable[[str], str]:
    """Return a check for one of some words."""
    return lambda text: "" if text in words else f"is '{text}': write one of {', '.join(words)}"


def port(text: str) -> str:
    """Return the problem of a port, empty for none."""
    return "" if is_port(text) else f"is {text}: a port is between 1 and 65535"


def is_port(text: str) -> bool:
    """Return True if the text is the number of a port."""
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def is_encrypted_or_local(url: str) -> bool:
    """Return True if secrets may be sent to an address: with https, or on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or local)
