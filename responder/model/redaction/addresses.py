"""Secrets in addresses: user and password, parameters, and webhooks, whose address is the secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from responder.model.redaction.names import Promise, word_set
from responder.model.redaction.values import is_secret, looks_random

_USERINFO = re2.compile(rb"://[^\s\"'<>`]*@")
_NEXT_ADDRESS = re.compile(rb"(?<=.)(?=://)", re.DOTALL)
_USER = re.compile(rb"[^:/?#@]*+")
_PORT = re.compile(rb"[0-9]{1,5}[/?#]")
#: What follows the last ``@``; not the digest of an image.
_HOST = re.compile(rb"(?!sha\d+:)(?:\w[\w.-]*+|\[[0-9A-Fa-f:.]++\])(?=[:/?#,;\s\"'<>`)\]}\\|]|$)|\Z")
#: Logins in addresses that are no URLs: Go's MySQL driver, user:password@host, Oracle.
_LOGIN = re2.compile(
    rb"(?i)(?:^|[\s\"'=(,])([\w.+-]+):([^\s\"'()]+)@(?:tcp|unix|udp)\("
    rb"|(?:^|[\s\"'=(,])([\w.+-]+):([^\s\"'@/:,;]+)@[\w-]+(?:\.[\w-]+)*(?::[0-9]+|/)"
    rb"|(?:\bthin:|\bsqlplus\s+(?:-\w+\s+)*)([\w$#]+)/([^\s\"'@]+)@"
)
#: What stands before an e-mail address.
_MAIL = word_set("mailto from to cc bcc email mail contact owner sip acct xmpp user author reply-to sender")
#: Names that are those of secrets in a query only.
_PARAMETER = re2.compile(rb"(?i)[?&;](?:code|state|ticket|key|hdnea|hdnts)=([\w.~%+/=-]{20}[\w.~%+/=-]*)")
_SIGNATURE = re2.compile(rb"(?i)[?&;](?:[\w-]+-)?(?:sig|signature|hmac)=([^\s&#\"'<>\\]+)")
_WEBHOOK = re2.compile(
    rb"(?i)(?:hooks\.slack(?:-gov)?\.com/[a-z]+/"
    rb"|api\.telegram\.org/(?:file/)?bot"
    rb"|discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]+/"
    rb"|\.webhook\.office\.com/webhookb2/|outlook\.office(?:365)?\.com/webhook(?:b2)?/"
    rb"|hooks\.zapier\.com/hooks/catch/|hook\.(?:[a-z0-9]+\.)?(?:make|integromat)\.com/"
    rb"|maker\.ifttt\.com/trigger/[^/\s]+/(?:json/)?with/key/"
    rb"|/webhook/send\?key="
    rb"|events\.(?:eu\.)?pagerduty\.com/(?:integration|x-ere)/"
    rb"|alert\.victorops\.com/integrations/generic/[0-9]+/alert/"
    rb"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/"
    rb"|hc-ping\.com/|nosnch\.in/|cronitor\.link/p/|webhook\.site/|api\.pushcut\.io/"
    rb"|uptime\.betterstack\.com/api/v1/heartbeat/|heartbeat\.uptimerobot\.com/"
    rb"|/integrations/v1/[a-z_]+/|/integration/)([^\s\"'<>?#\\]{8}[^\s\"'<>?#\\]*)"
    rb"|/(?:web)?hooks?(?:/[\w-]+)*/([\w-]{12}[\w-]*)"
)


def find_addresses(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each secret that an address in ``text`` holds; ``plain`` is the text in ASCII."""
    for found in _USERINFO.finditer(plain):
        start = found.start()
        for piece in _NEXT_ADDRESS.split(found[0]):
            if end := _userinfo(plain, start + 3, start + len(piece)):
                yield start + 3, end, "userinfo"
            start += len(piece)
    for found in _LOGIN.finditer(plain):
        start, end = found.span(found.lastindex or 0)
        user = found[(found.lastindex or 1) - 1].decode()
        if user.lower() not in _MAIL and is_secret(text[start:end], Promise.SURE, plainly=True):
            yield start, end, "userinfo"
    for found in _PARAMETER.finditer(plain):
        start, end = found.span(1)
        if looks_random(text[start:end]):
            yield start, end, "secret"
    for found in _SIGNATURE.finditer(plain):
        start, end = found.span(1)
        if is_secret(text[start:end], Promise.UNLESS_WORD, plainly=True):
            yield start, end, "secret"
    for found in _WEBHOOK.finditer(plain):
        start, end = found.span(found.lastindex or 0)
        if found.lastindex == 1 or looks_random(text[start:end]):
            yield start, end, "webhook"


def _userinfo(plain: bytes, start: int, end: int) -> int:
    """The end of user and password in the URL whose authority begins at ``start``, 0 if it has none.

    Passwords hold ``/``, ``@``, ``#`` and ``?`` unescaped: what counts is the last ``@`` before a query that a host
    follows, or else the last one.
    """
    user = _USER.match(plain, start, end)
    colon = user.end() if user else start
    if plain[colon : colon + 1] == b"@":
        return colon if is_secret(plain[start:colon].decode(), Promise.IF_RANDOM, plainly=True) else 0
    if plain[colon : colon + 1] != b":" or _PORT.match(plain, colon + 1, end):
        return 0
    query = min((at for sign in b"?#" if (at := plain.find(sign, colon, end)) >= 0), default=end)
    for limit in (query, end):
        at = limit
        while (at := plain.rfind(b"@", colon, at)) >= 0:
            if _HOST.match(plain, at + 1):
                password = plain[colon + 1 : at].decode()
                return at if password.isdigit() or is_secret(password, Promise.SURE, plainly=True) else 0
    return 0
