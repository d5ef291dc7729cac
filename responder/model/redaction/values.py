"""Classification of names and values: ``max_tokens`` and placeholders are no secrets."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

#: The beginning of what a secret is replaced by.
MARK: Final = "[REDACTED:"


class NameHint(IntEnum):
    """Strength of the hint that a name gives about its value."""

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
def name_hint(name: str) -> NameHint:
    """Return the hint of ``name``, in any style: camelCase, SNAKE_CASE, dotted, with dashes."""
    words = [word.lower() for word in _WORD.findall(name[-120:])]
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words:
        return NameHint.NONE
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last not in _KEYWORDS:
        last = next((kind for end, kind in _ENDS if last.endswith(end) and last not in _NO_PASS), last)
    if last in _PASSWORDS:
        return _of_password(last, before, alone=len(words) == 1)
    if last == "apikey":
        return NameHint.SURE
    if last in {"secret", "secrets"}:
        return NameHint.SURE if before in _SURE_SECRETS and last == "secret" else NameHint.OR_OBJECT
    if last in {"token", "tokens"}:
        if before in _ABOUT_TOKENS:
            return NameHint.NONE
        return NameHint.UNLESS_WORD if last == "token" else NameHint.IF_RANDOM
    if last in {"key", "keys"}:
        return _of_key(before, alone=len(words) == 1)
    if last in _CREDENTIALS:
        return NameHint.OR_OBJECT
    if last in _RANDOM:
        return NameHint.IF_RANDOM
    if last == "id" and before == "session":
        return NameHint.IF_RANDOM
    return NameHint.NONE if last in _ABOUT or not _KEYWORDS & set(words) else NameHint.IF_RANDOM


def _of_password(last: str, before: str, *, alone: bool) -> NameHint:
    if last == "pass" and before in {"proxy", "fastcgi", "uwsgi", "scgi", "grpc", "test", "tests", "check", "first"}:
        return NameHint.NONE
    return NameHint.UNLESS_WORD if last == "pass" and alone else NameHint.SURE


def _of_key(before: str, *, alone: bool) -> NameHint:
    if before in _SURE_KEYS:
        return NameHint.SURE
    if alone:
        return NameHint.IF_RANDOM
    return NameHint.NONE if before in _HARMLESS_KEYS else NameHint.IF_MIXED


# Values

_MASKED = re.compile(
    r"""(?ix)
    [*x•.…?_#-]+                                    # ******, xxxxx, ...
    | <[^<>]*> | \[[^\]]*\] | \([a-z ]*\)           # <redacted>, [FILTERED], (hidden)
    | \(\(.* | \$\{.* | \$\(.* | \{\{.* | \#\{.* | <%.*      # ${DB_PASSWORD}, {{ .Values.password }}
    | \$[A-Z_]*(?:PASS|PW|SECRET|TOKEN|KEY|CRED|AUTH)[A-Z0-9_]* | %[a-z0-9_]+%  # $DB_PASSWORD, %PASSWORD%
    | %[sdvqr] | %\(\w+\)s | \{\w*\} | @[\w.]+@ | :[a-z_]+
    | your[-_ ].* | (?:the|my)[-_](?:password|token|secret|key|api[-_]key) | \w*placeholder\w*
    | (?:process\.env|os\.environ|system\.getenv|env|getenv|settings|config|cfg|self|this|vars?|local|data|module
       |secrets?|request|req|params?|args|options|opts|props|conf|values?|input|form|user)[.\[(].*
    | [a-z_.]+\((?:["'][\w"'., -]*|[\w"'., ]*\)|[a-z_., ]*)?                        # get_password()
    | (?:null|none|nil|undefined|true|false|yes|no|on|off|nan|empty|unset|unknown|redacted|hidden|masked|filtered
       |omitted|removed|secure|n/a|todo|tbd|nul|void)
    | \?[a-z ]+ | [a-z]+(?:32|64)?\[\]                          # string[]
    """
)
_NUMBER = re.compile(r"[0-9]+(?::[0-9]+)+|[+-]?[0-9][0-9.,_]*(?:[eE][+-]?[0-9]+)?(?:%|ms|[smhdwy]|[kKMGTP]i?[bB]?)?")
_PLACE = re.compile(
    r"""(?x)
    (?:~|\.{1,2})?(?:/[\w.@-]+){2,}/? | /[a-z]* | [A-Za-z]:\\.*
    | (?:[\w.-]+/)*[\w.-]+\.(?:pem|key|crt|cer|p12|jks|pfx|json|txt|ya?ml|conf|env|ppk|toml|ini)
    | (?:https?|file|op|vault|ssm|sm|awssm|gcpsm|arn|secretsmanager|ref)(?:\+\w+)?:.*
    | vault:.* | projects/.* | @Microsoft\.KeyVault.* | [0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?
    """
)
_PATH = re.compile(r"[a-z][a-z_-]{2,}(?:[/.:][a-z]|://)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STATES = word_set(
    "invalid incorrect wrong missing required expired empty bad unauthorized forbidden denied rejected revoked "
    "disabled enabled valid ok failed failure error mismatch not is was must cannot could should may will has "
    "have had needs need found set unset changed rotated reset provided given too string int integer bool boolean "
    "bytes object array number bearer basic digest opaque jwt refresh access identifier username email password "
    "passwd token secret key value user account login name field type the a an this that no none for from in of "
    "to at by on or and with without available unavailable successful success ready pending active inactive "
    "present absent stale weak short long old new correct same different unchanged redacted hidden only used "
    "unused loaded stored rbac anonymous internal external str dict list float any optional bytes array literal "
    "eof end punctuation negotiation kerberos oauth oauth2 sso saml ldap strong default manual automatic optional "
    "err debug info notice warning crit emerg overdue over closed open established ended started lost done complete"
)
_SUFFIXES = ("ed", "ing", "able", "ible", "ent", "ant", "ous", "ive", "ful", "less", "tion", "ly", "ity")
_TECHNOLOGIES = word_set(
    "postgres postgresql pg mysql mariadb mongo mongodb redis kafka rabbitmq elastic elasticsearch k8s s3 oauth v"
)
_SEGMENT = re.compile(
    rf"[a-z]{{1,24}}|[a-z]{{1,4}}[0-9]{{1,2}}|[0-9]{{1,4}}|(?:{'|'.join(sorted(_TECHNOLOGIES))})[0-9]{{1,3}}|[0-9][a-z]{{1,3}}"
)
# The alphabet of Kubernetes' generated names has neither vowels nor digits that resemble letters.
_GENERATED = re.compile(r"[a-z]{0,12}[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9a-f]{8,10}")
_TELLING = ("secret", "letme", "changeme", "qwerty")
#: Characters. A shorter value may be a word.
SHORTEST_MIXED: Final = 8
#: Characters of a value that are judged, and whose changes between letters and digits are counted.
_JUDGED = 128
#: Characters of a value that are counted.
_COUNTED = 64
#: A reason as Kubernetes writes it: ``db-credentials: SecretSyncedError``.
_REASON = re.compile(r"(?:[A-Z][a-z]+){2,}")
_WORDS_ONLY = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")
_CHANGES = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[a-z])(?=[A-Z])")


def is_secret(value: str, hint: NameHint, *, plainly: bool, quoted: bool = False) -> bool:
    """True if ``value`` is what the name promised.

    ``plainly`` is whether the two are joined as data (``name=value``, JSON) rather than as prose (``name: value``,
    ``name is value``), where most words are no values.
    """
    if hint <= NameHint.IF_MIXED and len(value) < SHORTEST_MIXED:
        return False
    value = value[:_JUDGED]
    if not value or value.startswith(MARK[:-1]) or _MASKED.fullmatch(value) or not any(map(str.isalnum, value)):
        return False
    if _NUMBER.fullmatch(value):
        digits = sum(map(str.isdigit, value))
        return digits == len(value) and digits >= {NameHint.SURE: 6, NameHint.UNLESS_WORD: 20}.get(hint, 99)
    if _PLACE.fullmatch(value):
        return False
    if hint is NameHint.IF_RANDOM:
        return looks_random(value)
    if hint is NameHint.IF_MIXED:
        return looks_random(value, shortest=SHORTEST_MIXED, least=2)
    if hint is NameHint.OR_OBJECT and (is_object_name(value) or (not plainly and _REASON.fullmatch(value))):
        return False
    if _WORDS_ONLY.fullmatch(value):
        return not _reads_as_prose(value, hint, plainly=plainly, quoted=quoted)
    return True


def _reads_as_prose(value: str, hint: NameHint, *, plainly: bool, quoted: bool) -> bool:
    words = value.lower().split()
    if words[0] in _STATES:
        return True
    if hint is NameHint.UNLESS_WORD and len(value) < 12 and not quoted:
        return not (plainly and value.lower() not in _STATES and not value.isupper())
    return not plainly and not quoted and words[0].endswith(_SUFFIXES)


def is_sentence(words: str) -> bool:
    """True for lower-case words of which several are those that speak about a secret: "must be at least ..."."""
    return sum(word in _STATES for word in words.split()[:4]) > 1


def looks_random(value: str, *, shortest: int = 12, least: int = 3) -> bool:
    """Return True for random-looking text: letters and digits in turn.

    A UUID, a path, a dotted name and the name of a Kubernetes object are none.
    """
    if len(value) < shortest or _UUID.fullmatch(value) or _PATH.match(value) or is_object_name(value):
        return False
    value = value[:_COUNTED]
    return len(_CHANGES.findall(value)) >= max(least, len(value) // 8)


def is_object_name(value: str) -> bool:
    """Return True for object names as in Kubernetes: ``db-creds``, ``default-token-x7k2p``, ``nexus-tls.v2``."""
    if len(value) > 253 or not re.fullmatch(r"[a-z0-9]([a-z0-9./-]*[a-z0-9])?", value):
        return False
    *first, last = re.split(r"[-./]", value)
    if first:
        return bool(_SEGMENT.fullmatch(first[0])) and all(
            _SEGMENT.fullmatch(each) or _GENERATED.fullmatch(each) for each in (*first[1:], last)
        )
    return bool(_SEGMENT.fullmatch(last)) and not any(word in last for word in _TELLING)
