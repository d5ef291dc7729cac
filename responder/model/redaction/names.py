"""How much a name says about its value: ``password`` announces a secret, ``max_tokens`` does not."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Promise(IntEnum):
    """How much a name says about its value."""

    #: Nothing: ``sort_key``, ``token_ttl``.
    NONE = 0
    #: A secret where the value looks random: ``key``, ``session``, ``signature``.
    IF_RANDOM = 1
    #: A secret where letters and digits are mixed in the value: ``plato_key``.
    IF_MIXED = 2
    #: A secret, or the name of a Kubernetes object that holds one: ``secret``, ``credentials``.
    OR_OBJECT = 3
    #: A secret, unless it reads as a word: ``token``.
    UNLESS_WORD = 4
    #: A secret: ``password``, ``client_secret``, ``api_key``.
    SURE = 5


def word_set(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# Words at the end of a name that say nothing: `DB_PASSWORD_PROD`, `client-key-data`, `password2`.
_TRAILING = word_set(
    "value val data string str text plain plaintext raw base64 b64 hex enc encrypted old new current previous "
    "default prod production stage staging test dev live local main primary secondary backup rw ro"
)
_PASSWORDS = word_set("password passwd passphrase passcode pwd pw pass passwort kennwort senha psk mnemonic pword")
_CREDENTIALS = word_set("credential credentials cred creds")
_RANDOM = word_set("signature sig hmac session sessionid sessid jsessionid phpsessid sid cookie auth sas jwt pat")
_KEYWORDS = _PASSWORDS | _CREDENTIALS | _RANDOM | word_set("secret secrets token tokens key keys authorization")

# What a name ends with that speaks about a secret and holds none.
_ABOUT = word_set(
    "id ids name names file files filename path dir url uri urls host port endpoint ref refs type kind format "
    "mode ttl age expiry expires expiration expired lifetime timeout length len size limit count total num number "
    "max min sum policy policies version hash sha digest checksum fingerprint thumbprint status state error "
    "errors failure failures failed attempts reset resets rotation rotated created updated changed at time "
    "timestamp date prefix suffix label selector pod node index algorithm alg method scope scopes audience issuer "
    "arn uuid uid etag engine manager provider store field column header param parameter enabled disabled "
    "required valid invalid hint prompt input bucket usage used seconds minutes hours days ms bytes owner "
    "namespace service class resource alias source location"
)
_ABOUT_TOKENS = word_set(
    "max min next prev previous page continue continuation prompt completion total input output num n used "
    "remaining cached unexpected sync sequence eof start end stop special pad bos eos unk pagination resume "
    "position cursor delimiter invalid cancellation fencing reasoning context generated estimated avg average "
    "upload marker"
)
_SURE_SECRETS = word_set(
    "client app application consumer api access shared signing signature webhook jwt session cookie oauth oauth2 "
    "hmac token auth csrf refresh user account admin master bot slack stripe github gitlab google aws azure totp "
    "otp mfa encryption private integration service server django flask rails nextauth storage merchant partner "
    "device hook vapid"
)
_SURE_KEYS = word_set(
    "api secret private access auth encryption encrypt decryption signing sign master admin crypto cipher aes "
    "hmac preshared psk"
)
_HARMLESS_KEYS = word_set(
    "sort primary foreign partition group cache dedup deduplication idempotency object public pub publishable row "
    "hash range index lookup map dict json yaml config label metric tag host unique composite natural surrogate "
    "candidate shard message event record item column field property attribute translation i18n locale registry "
    "path file s3 blob memo lock redis cursor order ordering join merge aggregation bucket search query filter "
    "shortcut hot arrow enter tab escape delete return any next last first max min start end evaluated alert "
    "incident fingerprint issue project jira ticket entity feature flag setting option param header env "
    "environment resource trace correlation conversation thread batch job task queue topic exchange binding "
    "stream routing context user item pod node image layer span tenant org customer product sku asset document "
    "doc node edge vertex"
)
# Written in one: `dbpassword`, `authtoken`, `apikey`.
_ENDS = (
    *(("password", "password"), ("passwd", "password"), ("passphrase", "password"), ("pwd", "pwd"), ("pass", "pass")),
    *(("apikey", "apikey"), ("accesskey", "apikey"), ("secretkey", "apikey"), ("privatekey", "apikey")),
    *(("accountkey", "apikey"), ("authkey", "apikey"), ("masterkey", "apikey"), ("encryptionkey", "apikey")),
    *(("clientsecret", "apikey"), ("appsecret", "apikey"), ("secret", "secret"), ("token", "token")),
    *(("sessionid", "session"), ("sessid", "session"), ("credentials", "credentials")),
)
_NO_PASS = word_set("bypass compass trespass surpass encompass underpass overpass")


@lru_cache(maxsize=4096)
def promise(name: str) -> Promise:
    """What ``name`` says about its value; ``name`` is in any style: camelCase, SNAKE_CASE, dotted, with dashes."""
    words = [word.lower() for word in _WORD.findall(name[-120:])]
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words:
        return Promise.NONE
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last not in _KEYWORDS:
        last = next((kind for end, kind in _ENDS if last.endswith(end) and last not in _NO_PASS), last)
    if last in _PASSWORDS:
        return _of_password(last, before, alone=len(words) == 1)
    if last == "apikey":
        return Promise.SURE
    if last in {"secret", "secrets"}:
        return Promise.SURE if before in _SURE_SECRETS and last == "secret" else Promise.OR_OBJECT
    if last in {"token", "tokens"}:
        if before in _ABOUT_TOKENS:
            return Promise.NONE
        return Promise.UNLESS_WORD if last == "token" else Promise.IF_RANDOM
    if last in {"key", "keys"}:
        return _of_key(before, alone=len(words) == 1)
    if last in _CREDENTIALS:
        return Promise.OR_OBJECT
    if last in _RANDOM:
        return Promise.IF_RANDOM
    if last == "id" and before == "session":
        return Promise.IF_RANDOM
    return Promise.NONE if last in _ABOUT or not _KEYWORDS & set(words) else Promise.IF_RANDOM


def _of_password(last: str, before: str, *, alone: bool) -> Promise:
    if last == "pass" and before in {"proxy", "fastcgi", "uwsgi", "scgi", "grpc", "test", "tests", "check", "first"}:
        return Promise.NONE
    return Promise.UNLESS_WORD if last == "pass" and alone else Promise.SURE


def _of_key(before: str, *, alone: bool) -> Promise:
    if before in _SURE_KEYS:
        return Promise.SURE
    if alone:
        return Promise.IF_RANDOM
    return Promise.NONE if before in _HARMLESS_KEYS else Promise.IF_MIXED
