"""A secret that ``repr`` never shows: a token, a key, an address that holds one."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from responder.model.redaction.values import NameHint, name_hint

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Proof of identity for a server: a bearer token, or user:password, and paths of a client certificate."""

    token: Secret = Secret("")
    basic_auth: Secret = Secret("")
    certificate: str = ""
    key: str = ""

    @property
    def header(self) -> str:
        """The value of the header ``Authorization`` (RFC 6750, RFC 7617); empty for none."""
        if self.token.reveal():
            return f"Bearer {self.token.reveal()}"
        login = self.basic_auth.reveal().encode()
        return f"Basic {b64encode(login).decode()}" if login else ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that an answer could repeat, the header's among them."""
        password = self.basic_auth.reveal().partition(":")[2]
        return tuple(Secret(text) for text in (self.header.partition(" ")[2], password) if text)


def scrub(text: str, secrets: tuple[Secret, ...]) -> str:
    """``text`` with every secret's exact value replaced by the mask; empty secrets are ignored."""
    for secret in sorted(secrets, key=lambda each: -len(each.reveal())):
        if secret.reveal():
            text = text.replace(secret.reveal(), MASK)
    return text


#: User and password of a URL; a number before a slash is the port.
_USERINFO: Final = re.compile(r"(?<=://)(?P<user>[^:@/?#\s]*)(?P<colon>:(?![0-9]{1,5}[/?#])(?P<password>.*))?@")
#: Parameters of a query, and the keywords of a connection string.
_PARAMETER: Final = re.compile(r"(?:(?<=[?&;\s])|^)(?P<name>[\w.-]+)\s?=\s?(?P<value>'(?:[^'\\]|\\.)*'|[^&;#\s]*)")
_WEB: Final = ("http://", "https://")


def passwords_in(url: str) -> tuple[Secret, ...]:
    """The passwords that a URL or connection string holds, as they are written and as they are meant.

    Less than ``without_passwords`` hides: these are masked in every text, which may hold an ordinary word.
    """
    least = NameHint.IF_RANDOM if url.startswith(_WEB) else NameHint.OR_OBJECT
    found = [
        each["password"] or "" if each["colon"] else (user if any(map(str.isdigit, user := _alone(each, url))) else "")
        for each in _USERINFO.finditer(url)
    ]
    found += [
        each["value"].strip("'")
        for each in _PARAMETER.finditer(_USERINFO.sub("@", url))
        if name_hint(each["name"]) >= least
    ]
    return tuple(Secret(text) for text in dict.fromkeys([*found, *map(unquote, found)]) if text)


def without_passwords(url: str) -> str:
    """Return the URL or connection string without its secrets."""
    shown = _USERINFO.sub(
        lambda each: f"{each['user']}:{MASK}@" if each["colon"] else f"{MASK if _alone(each, url) else each['user']}@",
        url,
    )
    return _PARAMETER.sub(lambda each: f"{each['name']}={MASK}" if _announces(each, url) else each[0], shown)


def _alone(login: re.Match[str], url: str) -> str:
    """The user without a password: a token in a web address, a name elsewhere."""
    return login["user"] if url.startswith(_WEB) else ""


def _announces(pair: re.Match[str], url: str) -> bool:
    """True for a parameter that may be a secret: each of a web address, elsewhere what its name says."""
    return bool(pair["value"]) and (url.startswith(_WEB) or name_hint(pair["name"]) >= NameHint.OR_OBJECT)
