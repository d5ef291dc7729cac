"""Settings of access to the console and the API: roles, users with hashed passwords, grants, and tokens."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

_HASHES = ("scrypt:", "pbkdf2:")
_HASH_HELP = "write name:role:hash; `responder console --hash` prints the hash of a password"
_ROLES_HELP = "write name=role, @group=role, *@example.com=role or *=role, with read, act, operate, separated by commas"
_API_HELP = "write the token, or role:token; two are separated by a space"
#: Characters of an API token below which it can be guessed.
LEAST_TOKEN_CHARACTERS = 16
_Parsed = TypeVar("_Parsed")


class Role(IntEnum):
    """Rights of a person or token; each includes those before it.

    ``read`` sees every page, ``act`` acknowledges, silences, resolves and writes notes, ``operate`` resends messages.
    ``public`` is that of routes which need none.
    """

    PUBLIC = 0
    READ = 1
    ACT = 2
    OPERATE = 3

    @classmethod
    def of(cls, word: str) -> "Role":
        """Return the role of a word of the settings. Raises ValueError."""
        found = {each.name.lower(): each for each in cls if each is not cls.PUBLIC}.get(word.strip().lower())
        if found is None:
            raise ValueError(f"has the role '{word.strip()[:20]}': write read, act or operate")
        return found


@dataclass(frozen=True, slots=True)
class User:
    """A user who signs in with a password; ``hash`` is that of werkzeug."""

    name: str
    role: Role
    hash: str


def users(text: str) -> Mapping[str, User]:
    """Return the users of ``name:role:hash``, separated by white space. Raises ValueError without the hash."""
    found = {}
    for word in text.split():
        name, _, rest = word.partition(":")
        role, _, digest = rest.partition(":")
        if not name or not digest.startswith(_HASHES):
            raise ValueError(f"has an entry that cannot be read: {_HASH_HELP}")
        found[name] = User(name, Role.of(role), digest)
    return found


def grants(text: str) -> Mapping[str, Role]:
    """Return the roles by name, ``@group``, ``*@domain`` or ``*``. Raises ValueError."""
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, role = part.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(f"has '{part[:40]}': {_ROLES_HELP}")
        found[name.strip()] = Role.of(role)
    return found


def role_of(name: str, groups: Iterable[str], granted: Mapping[str, Role]) -> Role:
    """Return the highest role by name, group, domain of the name or for all; ``PUBLIC`` if none is granted."""
    domain = name.rpartition("@")[2].lower()
    keys = (name, *(f"@{group}" for group in groups), f"*@{domain}", "*")
    return max((granted[key] for key in keys if key in granted), default=Role.PUBLIC)


def tokens(text: str) -> tuple[tuple[Role, str], ...]:
    """Return the tokens of ``role:token``, separated by white space; without a role it is read. Raises ValueError."""
    found = []
    for word in text.split():
        role, colon, token = word.rpartition(":")
        if len(token) < LEAST_TOKEN_CHARACTERS:
            raise ValueError(f"has a token of fewer than {LEAST_TOKEN_CHARACTERS} characters: {_API_HELP}")
        found.append((Role.of(role) if colon else Role.READ, token))
    return tuple(found)


def problem(parse: Callable[[str], _Parsed], text: str) -> str:
    """Return the problem of a setting, empty if there is none."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return ""
