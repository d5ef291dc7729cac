"""Secrets in HTTP headers, on command lines, and in the few other forms that have neither name nor format."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from typing import Final

import re2

from responder.model.redaction.names import Promise
from responder.model.redaction.values import is_secret

_SEPARATOR = r"""\\{0,15}["'\]]{0,2}\s{0,8}(?:=>|:=|->|::?|==?)\s{0,8}"""
_SCHEMES = (
    "bearer|basic|digest|token|apikey|api-key|geniekey|splunk|ssws|negotiate|ntlm|oauth|hawk|jwt|key|aws4-hmac-sha256"
    r"|hmac[\w-]{0,20}|sharedkey|sharedaccesssignature|flyv1|[a-z]{1,20}-(?:key|token|hmac[\w-]{0,16})"
)
_PAIR = r"""[\w-]{1,40}=(?:\\{0,15}"[^"\n]{0,4096}"|[^\s,"'\\]{0,4096})"""
_HEADER = re2.compile(
    rb"(?i)\b(?:proxy-)?authorization|\b(?:set-)?cookie2?\b|\b(?:bearer|basic|geniekey|ssws|splunk)\s"
    rb"|\bauth\s+(?:plain|login)\s"
)
_AUTHORIZATION = re.compile(
    rf"""(?ix)(?:proxy-)?authorization(?:{_SEPARATOR}|\s{{1,4}}(?=["']))(?!\W{{0,6}}REDACTED:)[\["'\\\s]{{0,6}}
    (?:(?P<known>{_SCHEMES})[\s=]{{1,4}}|[a-z][\w-]{{0,31}}\s{{1,4}})?
    (?P<value>{_PAIR}(?:,\s{{0,4}}{_PAIR})*|[^\s"',;\\<>`]+)""".encode()
)
_COOKIE = re.compile(
    rf"""(?ix)(?:set-)?cookie2?{_SEPARATOR}["'\\]{{0,3}}
    (?P<value>[^\s;=,"']{{1,128}}=[^\s;"'\\]{{0,4096}}
    (?:;\s{{0,4}}[^\s;=,"']{{1,128}}(?:=[^;"'\n\\]{{0,4096}}(?=[;"'\n\\]|\Z))?)*)""".encode()
)
_SCHEME = re.compile(rb"(?i)(?:auth\s{1,4})?\w{4,8}\s{1,4}(?P<value>[\w.~+/=-]{6,})")

_WITHIN = r"\s(?:[^\n|;]*?\s)?"
#: What a password follows at once, but for a quote.
_COMMANDS = (
    rf"\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump){_WITHIN}-p",
    r"\bsshpass\s+-p\s*",
    rf"\b(?:docker|podman|helm registry|oras|skopeo|crane|buildah|az)\s+login{_WITHIN}-p[\s=]*",
    rf"\bredis-cli{_WITHIN}-a[\s=]*",
    rf"\bldap\w+{_WITHIN}-w[\s=]*",
    rf"\b(?:sqlcmd|bcp|mongo|mongosh|mongodump|mongorestore){_WITHIN}-[pP][\s=]*",
    r"(?:-u|--user|--username)[\s=]*\S+\s+-p\s+",
    rf"\bcurl{_WITHIN}-[A-Za-z]*u\s*\\*[\"']?[\w.@+-]+:",
    rf"\bpass(?:in|out)?\s+pass:|\bopenssl{_WITHIN}-[kK]\s+",
    r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+",
    r"\brabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+",
    r"(?i:\b(?:login|user|username|account)\s+\S+\s+(?:password|secret|pass)\s+(?:[0-9]\s+)?)",  # .netrc
    r"(?i:\b(?:unseal|recovery) key)(?: [0-9]+)?:?\s+",  # Vault
    r"(?i:\b(?:requirepass|masterauth))\s+",  # Redis
)
_QUOTED = r"ConvertTo-SecureString(?:\s+-String)?|identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?"
#: Few groups, since RE2 reports each of them for each match. The first takes ``user:group`` too, which is no secret.
_COMMAND = re2.compile(
    "|".join(
        (
            r"(?:^|[\s\"'(])(?:-u|-U|--user|--proxy-user|-a|--auth)(?:\s+|=|\b)\\*[\"']?[\w.@+-]+[:%]([^\s\"'\\]+)",
            rf"(?:{'|'.join(_COMMANDS)})\\*[\"']?([^\s\"'\\]+)",
            rf"(?i:\b(?:{_QUOTED})\s+)\\*[\"']([^\"'\n\\]+)\\*[\"']",
            r"(?i:\b(?:credentials?|creds|login)[:=\s]+|\bauth\s*[:=]\s*)[\w.@-]+\s*[/:]\s*([^\s\"',;]+[0-9][^\s\"',;]*)",
            r"\bmc\s+(?:alias|config host)\s+(?:set|add)\s+\S+\s+\S+\s+([^\n|;]+)",  # MinIO
            r"\bauth=(?:HTTP\w+)?\(\\*[\"'][^\"'\n]+[\"'],\s*\\*[\"']([^\"'\n\\]+)",  # requests, httpx
            r"(?i:\bsecret[_-]?id)[\"'\\]*\s*[:=]\s*[\"'\\]*([0-9a-f]{8}-[0-9a-f-]{27})",  # Vault's AppRole
            r"(?:^|[\s\"'=(])[\w.*-]+:[0-9]{4,5}:[\w*-]+:[\w*.-]+:([^\s:\"']{4}[^\s:\"']*)",  # .pgpass
        )
    ).encode()
)
#: The next option, where the password is left to a prompt.
_OPTION: Final = re.compile(r"-[A-Za-z]|--[a-z-]+")
_ROUTING_KEY = re2.compile(
    rb"(?i)\b(?:\w*[_.-])?(?:routing|integration)(?:[_ .-]?key)?\W{1,6}(?:is\s+)?"
    rb"\\*[\"']?([0-9a-f]{32}|R[0-9A-Z]{31})\b"
)


def find_headers(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each secret in a header or on a command line; ``plain`` is the text in ASCII."""
    done = 0
    for found in _HEADER.finditer(plain):
        start = found.start()
        if start >= done and (span := _of_header(plain, start, found[0].lower())):
            yield span
            done = span[1]
    for found in _COMMAND.finditer(plain):
        start, end = found.span(found.lastindex or 0)
        value = text[start:end]
        if _OPTION.fullmatch(value) or (found.lastindex == 1 and _is_group(found[0])):
            continue
        if is_secret(value.rstrip(")"), Promise.SURE, plainly=True):
            yield start, end, "secret"
    for found in _ROUTING_KEY.finditer(plain):
        yield *found.span(1), "routing-key"


def _of_header(plain: bytes, start: int, word: bytes) -> tuple[int, int, str] | None:
    if b"authorization" in word:
        whole = _AUTHORIZATION.match(plain, start)
        if whole and (whole["known"] or _is_evident(whole["value"])) and not _is_state(whole["value"]):
            return whole.start("known" if whole["known"] else "value"), whole.end(), "authorization"
        return None
    if b"cookie" in word:
        whole = _COOKIE.match(plain, start)
        return (*whole.span("value"), "cookie") if whole else None
    whole = _SCHEME.match(plain, start)
    if whole is None:
        return None
    if word.startswith(b"basic"):
        return (*whole.span("value"), "basic") if _is_basic(whole["value"]) else None
    certain = _is_evident(whole["value"]) and (word.startswith(b"bearer") or len(whole["value"]) >= 20)
    return (*whole.span("value"), "bearer") if certain else None


def _is_evident(value: bytes) -> bool:
    """True for what has a digit, or is longer than a word."""
    return len(value) >= 20 or any(48 <= byte < 58 for byte in value)


def _is_state(value: bytes) -> bool:
    """True for a word that speaks about the header: ``authorization: failed``."""
    text = value.decode().strip(".:")
    return not text.isdigit() and not is_secret(text, Promise.SURE, plainly=False)


def _is_basic(value: bytes) -> bool:
    """True for the base64 of ``user:password``."""
    try:
        login = b64decode(value.rstrip(b".") + b"==")
    except (NotBase64, ValueError):
        return False
    return b":" in login and all(byte >= 32 for byte in login)


def _is_group(option: bytes) -> bool:
    """True for the ``user:group`` of ``docker run -u``: of the same name, or a group that every system has."""
    user, _, group = option.split()[-1].strip(b"\"'").partition(b":")
    return group in {user.rpartition(b"=")[2], b"nogroup", b"root", b"users", b"staff", b"wheel"}
