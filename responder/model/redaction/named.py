"""Values of names: ``password=...`` in the ways that files, logs, programs and people write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from responder.model.redaction.names import Promise, promise
from responder.model.redaction.values import SHORTEST_MIXED, is_secret, is_sentence, looks_random

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
        | \s{{1,4}}(?:for|of)\s(?:{_WHOSE}\s){{0,2}}{_WHOSE}(?:\s{{0,2}}[:=]\s{{0,4}}|\s(?:is|was)\s) )
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
_GOES_ON = re.compile(rb"[ \t](?:[a-z]{2,20}(?:[ .,]|\Z)|\\*[\"']|&quot;)")


def find_named(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each secret that a name announces; ``plain`` is the text in ASCII."""
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
        if (promised := promise(name)) and (span := _value(text, plain, start, end, promised)):
            yield *span, "secret"
            done = span[1]


def _in_two_words(plain: bytes, start: int, name: str) -> str:
    """The name with the word before it, where that belongs to it."""
    if not plain[start - 2 : start - 1].isalpha() or name.lower() not in _SECOND:
        return name
    before = _BEFORE.search(plain, max(0, start - 13), start)
    return f"{before[1].decode()}_{name}" if before else name


def _value(text: str, plain: bytes, start: int, end: int, promised: Promise) -> tuple[int, int] | None:
    """Where the secret is that the name from ``start`` to ``end`` announces, None if there is none."""
    sign, flag = plain[start - 1 : start], plain.startswith(b"-", start)
    pair = (_FLAG if flag else _PAIR).match(plain, end)
    if pair is None or sign in {b"<", b":"} or pair["close"]:
        if (sign in {b"<", b":"} and _ELEMENT.search(plain, max(0, start - 42), start)) or _ATTRIBUTE.match(plain, end):
            return _of_element(text, plain, end, promised)
        if pair is None or (sign == b":" and _ARN.search(plain, max(0, start - 14), start)):
            return None
    kind = pair.lastgroup or ""
    begin, stop = pair.span(kind)
    weak = promised <= Promise.IF_MIXED
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
        if words.startswith("-") if flag else not _is_said(words, text[start:end], promised, quoted=quoted):
            return None
    elif pair["call"] is not None:
        if not _OPENED.search(plain, max(0, start - 17), start):
            return None
    elif pair["prose"] is not None:
        prose = not flag
        if text[start:end] == "PASS":  # of Go's tests
            return None
        if not quoted and promised is Promise.SURE and (phrase := _phrase(plain, start, end, begin)):
            return begin, phrase
    if not is_secret(words, promised, plainly=not prose, quoted=quoted):
        return None
    if prose and not quoted and words.isalpha() and _GOES_ON.match(plain, stop):
        return None  # a sentence
    if not quoted and (rest := _REST.match(plain, pair.end())) and rest[0]:
        stop = rest.end()
    return begin, stop


def _is_next(text: str, plain: bytes, begin: int, stop: int, *, data: bool, weak: bool) -> bool:
    """True if what follows is the next name, and this one has no value."""
    spaced = text[begin - 1].isspace()
    return (spaced and plain[stop : stop + 1] == b":") or (
        data and (spaced or weak) and bool(_NEXT_NAME.match(text, begin, stop))
    )


def _of_element(text: str, plain: bytes, end: int, promised: Promise) -> tuple[int, int] | None:
    """Where the text is of the XML element whose name, or attribute, ends at ``end``."""
    opened = _CLOSED.match(plain, end)
    if opened is None:
        return None
    begin = opened.end()
    stop = plain.find(b"]]>" if opened["cdata"] else b"</", begin, begin + LONGEST_ELEMENT)
    secret = stop > begin and is_secret(text[begin:stop].strip(), promised, plainly=True, quoted=True)
    return (begin, stop) if secret else None


def _is_said(words: str, name: str, promised: Promise, *, quoted: bool) -> bool:
    """True for a value that follows its name after a space only: it must look like one."""
    if promised is Promise.SURE and quoted and "key" not in name.lower():
        return not is_sentence(words)  # SQL: PASSWORD 'secret'
    digit, letter = any(map(str.isdigit, words)), any(map(str.isalpha, words))
    if promised is Promise.SURE and len(words) >= 6 and digit and letter and "key" not in name.lower():
        return True
    return (promised >= Promise.OR_OBJECT or not name.isalpha() or name.isupper()) and looks_random(words)


def _phrase(plain: bytes, start: int, end: int, begin: int) -> int:
    """The end of a passphrase of several words that begins at ``begin``, 0 if there is none."""
    if not _is_phrase(plain[start:end].decode()):
        return 0
    phrase = _PHRASE.match(plain, begin)
    return phrase.end() if phrase and not is_sentence(phrase[0].decode()) else 0


def _is_phrase(name: str) -> bool:
    """True if the secret of this name consists of words."""
    return "phrase" in name.lower() or "mnemonic" in name.lower()
