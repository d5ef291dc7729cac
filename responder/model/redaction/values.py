"""Whether a value is the secret that its name announces: placeholders, numbers, object names and prose are none."""

from __future__ import annotations

import re
from typing import Final

from responder.model.redaction.names import Promise, word_set

#: The beginning of what a secret is replaced by.
MARK: Final = "[REDACTED:"
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
_COUNTED = 64
_WORDS_ONLY = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")
_CHANGES = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[a-z])(?=[A-Z])")


def is_secret(value: str, promised: Promise, *, plainly: bool, quoted: bool = False) -> bool:
    """True if ``value`` is what the name promised.

    ``plainly`` is whether the two are joined as data (``name=value``, JSON) rather than as prose (``name: value``,
    ``name is value``), where most words are no values.
    """
    if promised <= Promise.IF_MIXED and len(value) < SHORTEST_MIXED:
        return False
    value = value[:_JUDGED]
    if not value or value.startswith(MARK[:-1]) or _MASKED.fullmatch(value) or not any(map(str.isalnum, value)):
        return False
    if _NUMBER.fullmatch(value):
        digits = sum(map(str.isdigit, value))
        return digits == len(value) and digits >= {Promise.SURE: 6, Promise.UNLESS_WORD: 20}.get(promised, 99)
    if _PLACE.fullmatch(value):
        return False
    if promised is Promise.IF_RANDOM:
        return looks_random(value)
    if promised is Promise.IF_MIXED:
        return looks_random(value, shortest=SHORTEST_MIXED, least=2)
    if promised is Promise.OR_OBJECT and is_object_name(value):
        return False
    if _WORDS_ONLY.fullmatch(value):
        return not _reads_as_prose(value, promised, plainly=plainly, quoted=quoted)
    return True


def _reads_as_prose(value: str, promised: Promise, *, plainly: bool, quoted: bool) -> bool:
    words = value.lower().split()
    if words[0] in _STATES:
        return True
    if promised is Promise.UNLESS_WORD and len(value) < 12 and not quoted:
        return not (plainly and value.lower() not in _STATES and not value.isupper())
    return not plainly and not quoted and words[0].endswith(_SUFFIXES)


def is_sentence(words: str) -> bool:
    """True for lower-case words of which several are those that speak about a secret: "must be at least ..."."""
    return sum(word in _STATES for word in words.split()[:4]) > 1


def looks_random(value: str, *, shortest: int = 12, least: int = 3) -> bool:
    """True for what people do not write: letters and digits in turn.

    A UUID, a path, a dotted name and the name of a Kubernetes object are none.
    """
    if len(value) < shortest or _UUID.fullmatch(value) or _PATH.match(value) or is_object_name(value):
        return False
    value = value[:_COUNTED]
    return len(_CHANGES.findall(value)) >= max(least, len(value) // 8)


def is_object_name(value: str) -> bool:
    """True for what people and Kubernetes name objects: ``db-creds``, ``default-token-x7k2p``, ``nexus-tls.v2``."""
    if len(value) > 253 or not re.fullmatch(r"[a-z0-9]([a-z0-9./-]*[a-z0-9])?", value):
        return False
    *first, last = re.split(r"[-./]", value)
    if first:
        return bool(_SEGMENT.fullmatch(first[0])) and all(
            _SEGMENT.fullmatch(each) or _GENERATED.fullmatch(each) for each in (*first[1:], last)
        )
    return bool(_SEGMENT.fullmatch(last)) and not any(word in last for word in _TELLING)
