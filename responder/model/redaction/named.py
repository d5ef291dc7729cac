"""Secrets that words announce: values of names in files, logs and prose, HTTP headers, command lines."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from typing import Final

import re2

from responder.model.redaction.values import SHORTEST_MIXED, NameHint, is_secret, is_sentence, looks_random, name_hint

# Names with a value

_NAME = re2.compile(
    rb"(?i)[\w.-]*(?:pass|pwd|secret|token|key|credential|creds|auth|signature|sig\b|hmac|session|sessid|sid\b|cookie|psk"
    rb"|\bpw\b|jwt|[_-]pat\b|mnemonic|kennwort|senha)(?:[\w.-]*\w)?"
)
#: The word before a name of two words: "api key", "access token".
_BEFORE = re.compile(
    rb"(?i)(?<![A-Za-z])(api|access|secret|private|auth|client|signing|encryption|license|session|bot|refresh|master|app"
    rb"|hmac|aes|service|deploy|shared|consumer|subscription|account)[ ]\Z"
)
_SECOND = frozenset({"key", "token", "secret"})
#: Characters.
LONGEST_ELEMENT: Final = 4096
_SPACE = r"(?:\s|\\{1,3}[nrt])"
_WHOSE = r"""[\w@.'"%-]{1,40}"""
#: A name's end, what joins it to its value, and the value. Each part is bounded, or consumes what it reads.
_PATTERN = rf"""(?xis)
    (?P<close>\\{{0,15}}["'`])?[\])]{{0,2}}
    (?:
      (?P<data> \s{{0,8}}(?:=>|:=|->|==?(?!~)){_SPACE}{{0,8}} | \s{{0,2}}::?(?=[^\s\\]|\\{{1,15}}["'])
        | (?<=["'`])\s{{0,8}}:{_SPACE}{{0,8}} | \.{{3,80}} )
    | (?P<prose> \s{{0,4}}:{_SPACE}{{1,64}} | \s{{1,4}}(?:is|was|are|(?:re)?set\sto|changed\sto)\s{{0,2}}:?\s{{1,4}}
        | \s{{1,4}}(?:for|of)\s(?:{_WHOSE}\s){{0,2}}{_WHOSE}
          (?:\s{{0,2}}[:=]\s{{0,4}}|\s(?:is|was|(?:re)?set\sto|changed\sto)\s) )
    | (?P<pair> (?:["',;\s]|\\{{1,15}}["n]){{1,16}}value\\{{0,15}}["']?\s{{0,4}}[:=]\s{{0,4}} )   # name: X, value: ...
    | (?P<call> \s{{0,4}},\s{{0,4}}(?=\\{{0,15}}["']) )                                # setProperty("password", "...")
    | (?P<space> \s{{1,4}} (?:LOOKAHEAD) )
    )
    (?:[|>][-+0-9]{{0,3}}(?:\s|\\{{1,3}}n){{1,64}})?                                     # YAML's blocks and tags
    (?:!(?:![\w:-]{{1,40}}|str|binary|vault)\s{{1,4}})?
    (?:[bruf]{{1,2}}(?=["']))?                                                          # Python's strings
    (?:
      (?P<mark>\[redacted:[a-z-]{{1,20}}\][\w+/=-]*)
    | \[\s{{0,8}}(?P<list>(?:\\{{0,15}}["'][^"'\n\]]{{0,512}}["'][\s,]{{0,8}}){{1,64}})\]
    | \"\"\"(?P<triple>.{{0,4096}}?)\"\"\"
    | "(?P<double>(?:[^"\\\n]|\\.|"")*+)
    | '(?P<single>(?:[^'\\\n]|\\.|'')*+)
    | `(?P<back>[^`\n]*+)
    | (?P<escape>\\{{1,15}})(?P<sign>["'])(?P<escaped>(?:(?!(?<!\\)(?P=escape)(?P=sign)).)*+)
    | (?P<bare>(?:
          [^\s"'`<&,;\\)\]}}]{{1,64}}+
        | <(?!/|br)
        | &(?!\#?\w{{2,6}};|[\w.%[\]-]{{2,60}}=|\s|\Z)
        | [,;](?!\s|\Z|["'}}\]]|[\w.-]{{1,60}}[:=])
        | ["'`](?=[A-Za-z0-9])
        | \\(?![nrt"'\\])
        | [)\]}}](?![\s"'`,;:)\]}}.\\]|\Z)
      ){{1,16}}+)
    )"""
_FLAG = re.compile(_PATTERN.replace("LOOKAHEAD", "").encode())
_PAIR = re.compile(_PATTERN.replace("LOOKAHEAD", r"""(?=["'\\]|\S{0,128}[0-9])""").encode())
#: The rest of a bare value that is longer.
_REST = re.compile(rb"""[^\s"'`<&,;\\)\]}]*""")
_ELEMENT = re.compile(rb"<(?:[\w-]{1,40}:)?\Z")
_OPENED = re.compile(rb"\(\\*[\"']\Z")
_CLOSED = re.compile(rb"[^<>]{0,200}>\s{0,16}(?P<cdata><!\[CDATA\[)?")
_ATTRIBUTE = re.compile(rb"\\{0,15}[\"']\s{0,4}>")
_STRUCTURE = re.compile(r"[\[{](?:[\"'{\[\]}]|\w*\Z|\w+[:=])|!\w+\Z|\([a-z]+\Z")
_ARN = re.compile(rb":[0-9]{12}:\Z")
_NEXT_NAME = re.compile(r"[A-Za-z_][\w.-]*=(?!=*\Z)")
_PHRASE = re.compile(rb"(?:[a-z]{2,12}\s){2,24}[a-z]{2,12}\b")
#: After a quote, a colon and a word: the next of an error. JSON has no such value, and YAML hardly.
_ERROR_GOES_ON = re.compile(rb"[ \t][a-z]{2,20}(?:[\s.,:;)\"'\\]|&quot;|\Z)")
_GOES_ON = re.compile(rb"[ \t](?:[a-z]{2,20}(?:[ .,]|\Z)|\\*[\"']|&quot;)")


def find_named(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each secret that a name announces; ``minimal`` is the text in ASCII."""
    done = 0
    dotted = b"..." in plain
    for found in _NAME.finditer(plain):
        start, end = found.span()
        if start < done:
            continue
        name = text[start:end]
        if dotted and "..." in name:  # dots that lead to a value
            end = start + name.index("...")
            name = text[start:end]
        elif end - start < 7 and plain[start - 1 : start] == b" ":
            name = _in_two_words(plain, start, name)
        if (hint := name_hint(name)) and (span := _value(text, plain, start, end, hint)):
            yield *span, "secret"
            done = span[1]


def _in_two_words(plain: bytes, start: int, name: str) -> str:
    """The name with the word before it, where that belongs to it."""
    if not plain[start - 2 : start - 1].isalpha() or name.lower() not in _SECOND:
        return name
    before = _BEFORE.search(plain, max(0, start - 13), start)
    return f"{before[1].decode()}_{name}" if before else name


def _value(text: str, plain: bytes, start: int, end: int, hint: NameHint) -> tuple[int, int] | None:
    """Return the span of the secret that the name from ``start`` to ``end`` announces, None if there is none."""
    sign, flag = plain[start - 1 : start], plain.startswith(b"-", start)
    pair = (_FLAG if flag else _PAIR).match(plain, end)
    if pair is None or sign in {b"<", b":"} or pair["close"]:
        if (sign in {b"<", b":"} and _ELEMENT.search(plain, max(0, start - 42), start)) or _ATTRIBUTE.match(plain, end):
            return _of_element(text, plain, end, hint)
        if pair is None or (sign == b":" and _ARN.search(plain, max(0, start - 14), start)):
            return None
    kind = pair.lastgroup or ""
    begin, stop = pair.span(kind)
    weak = hint <= NameHint.IF_MIXED
    if weak and stop - begin < SHORTEST_MIXED:
        return None
    if kind == "mark":
        return (begin, stop) if plain[stop - 1] != ord("]") else None
    quoted, is_data = kind != "bare", pair["data"] is not None
    if not quoted:
        while stop > begin and plain[stop - 1] in b".,;:" and not (is_data and plain[stop - 1] == ord(".")):
            stop -= 1
    words = text[begin:stop]
    if not quoted and (_STRUCTURE.match(words) or _is_next(text, plain, begin, stop, data=is_data, weak=weak)):
        return None
    prose = False
    if pair["space"] is not None:
        if words.startswith("-") if flag else not _is_said(words, text[start:end], hint, quoted=quoted):
            return None
    elif pair["call"] is not None:
        if not _OPENED.search(plain, max(0, start - 17), start):
            return None
    elif pair["prose"] is not None:
        prose = not flag
        if text[start:end] == "PASS":  # of Go's tests
            return None
        if not quoted and hint is NameHint.SURE and (phrase := _phrase(plain, start, end, begin)):
            return begin, phrase
    if not is_secret(words, hint, plainly=not prose, quoted=quoted):
        return None
    if prose and not quoted and words.isalpha() and _GOES_ON.match(plain, stop):
        return None  # a sentence
    quoted_name = pair["close"] and is_data and not quoted and text[begin - 1].isspace()
    if quoted_name and words.isalpha() and _ERROR_GOES_ON.match(plain, stop):
        return None  # Get "https://host/v1/token": context deadline exceeded
    if not quoted and (rest := _REST.match(plain, pair.end())) and rest[0]:
        stop = rest.end()
    return begin, stop


def _is_next(text: str, plain: bytes, begin: int, stop: int, *, data: bool, weak: bool) -> bool:
    """True if what follows is the next name, and this one has no value."""
    spaced = text[begin - 1].isspace()
    return (spaced and plain[stop : stop + 1] == b":") or (
        data and (spaced or weak) and bool(_NEXT_NAME.match(text, begin, stop))
    )


def _of_element(text: str, plain: bytes, end: int, hint: NameHint) -> tuple[int, int] | None:
    """Return the span of the text of the XML element whose name, or attribute, ends at ``end``."""
    opened = _CLOSED.match(plain, end)
    if opened is None:
        return None
    begin = opened.end()
    stop = plain.find(b"]]>" if opened["cdata"] else b"</", begin, begin + LONGEST_ELEMENT)
    secret = stop > begin and is_secret(text[begin:stop].strip(), hint, plainly=True, quoted=True)
    return (begin, stop) if secret else None


def _is_said(words: str, name: str, hint: NameHint, *, quoted: bool) -> bool:
    """True for a value that follows its name after a space only: it must look like one."""
    if hint is NameHint.SURE and quoted and "key" not in name.lower():
        return not is_sentence(words)  # SQL: PASSWORD 'secret'
    digit, message = any(map(str.isdigit, words)), any(map(str.isalpha, words))
    if hint is NameHint.SURE and len(words) >= 6 and digit and message and "key" not in name.lower():
        return True
    return (hint >= NameHint.OR_OBJECT or not name.isalpha() or name.isupper()) and looks_random(words)


def _phrase(plain: bytes, start: int, end: int, begin: int) -> int:
    """The end of a passphrase of several words that begins at ``begin``, 0 if there is none."""
    if not _is_phrase(plain[start:end].decode()):
        return 0
    phrase = _PHRASE.match(plain, begin)
    return phrase.end() if phrase and not is_sentence(phrase[0].decode()) else 0


def _is_phrase(name: str) -> bool:
    """True if the secret of this name consists of words."""
    return "phrase" in name.lower() or "mnemonic" in name.lower()


# Headers and command lines

_SEPARATOR = r"""\\{0,15}["'\]]{0,2}\s{0,8}(?:=>|:=|->|::?|==?)\s{0,8}"""
_SCHEMES = (
    "bearer|basic|digest|token|apikey|api-key|geniekey|splunk|ssws|negotiate|ntlm|oauth|hawk|jwt|key|aws4-hmac-sha256"
    r"|hmac[\w-]{0,20}|sharedkey|sharedaccesssignature|flyv1|[a-z]{1,20}-(?:key|token|hmac[\w-]{0,16})"
)
_PARAMETER = r"""[\w-]{1,40}=(?:\\{0,15}"[^"\n]{0,4096}"|[^\s,"'\\]{0,4096})"""
_HEADER = re2.compile(
    rb"(?i)\b(?:proxy-)?authorization|\b(?:set-)?cookie2?\b|\b(?:bearer|basic|geniekey|ssws|splunk)\s"
    rb"|\bauth\s+(?:plain|login)\s"
)
_AUTHORIZATION = re.compile(
    rf"""(?ix)(?:proxy-)?authorization(?:{_SEPARATOR}|\s{{1,4}}(?=\\{{0,15}}["']))(?!\W{{0,6}}REDACTED:)[\["'\\\s]{{0,6}}
    (?:(?P<known>{_SCHEMES})[\s=]{{1,4}}|[a-z][\w-]{{0,31}}\s{{1,4}})?
    (?P<value>{_PARAMETER}(?:,\s{{0,4}}{_PARAMETER})*|[^\s"',;\\<>`]+)""".encode()
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
    r"(?i:\b(?:snmp-server\s+community|x-honeycomb-team))[\s:=]+",
)
_QUOTED = r"ConvertTo-SecureString(?:\s+-String)?|identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?"
#: Few groups, since RE2 reports each of them for each match. The first takes ``user:group`` too, which is no secret.
_COMMAND = re2.compile(
    "|".join(
        (
            r"(?:^|[\s\"'(])(?:-u|-U|--user|--proxy-user|-a|--auth)(?:\s+|=|\b)\\*[\"']?[\w.@+-]+[:%]([^\s\"'\\]+)",
            rf"(?:{'|'.join(_COMMANDS)})\\*[\"']?([^\s\"'\\]+)",
            rf"(?i:\b(?:{_QUOTED})\s+)\\*[\"']([^\"'\n\\]+)\\*[\"']",
            r"(?i:\b(?:credentials?|creds|login)[:=\s]+|(?:\b|_)auth\s*[:=]\s*)[\w.@-]+\s*[/:]\s*([^\s\"',;]+[0-9][^\s\"',;]*)",
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
    """Start, end and type of each secret in a header or on a command line; ``minimal`` is the text in ASCII."""
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
        if is_secret(value.rstrip(")"), NameHint.SURE, plainly=True):
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
    return not text.isdigit() and not is_secret(text, NameHint.SURE, plainly=False)


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
