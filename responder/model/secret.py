"""A value nobody may read by accident: a token, a key, an address that holds one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

MASK = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Shown as ``***`` wherever it is printed; ``reveal`` gives the value to the one place that sends it."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK


def scrub(text: str, secrets: tuple[Secret, ...]) -> str:
    """``text`` with every secret's exact value replaced by the mask; empty secrets are ignored."""
    for secret in sorted(secrets, key=lambda each: -len(each.reveal())):
        if secret.reveal():
            text = text.replace(secret.reveal(), MASK)
    return text


_PASSWORD_IN_URL = re.compile(
    r"(?<=://)(?P<user>[^:@/]*):(?P<password>.*)@|(?P<key>[?&](?:ssl)?password=)(?P<value>[^&]*)"
)


def passwords_in(url: str) -> tuple[Secret, ...]:
    """The passwords that a URL holds, as they are written and as they are meant."""
    found = [match["password"] or match["value"] or "" for match in _PASSWORD_IN_URL.finditer(url)]
    return tuple(Secret(text) for text in dict.fromkeys([*found, *map(unquote, found)]) if text)


def without_passwords(url: str) -> str:
    """The same URL for people to read."""
    return _PASSWORD_IN_URL.sub(
        lambda match: f"{match['key']}{MASK}" if match["key"] else f"{match['user']}:{MASK}@", url
    )
