"""Commands of runbooks: the text of a fence becomes an argument vector, or is refused. Pure; there is no shell.

A fence is one command. Words are split as by a shell, without anything that a shell would expand; placeholders are
filled after splitting, so that a value is part of one argument and never a flag. Program, subcommand and flags must be
listed here: everything else is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from responder.runbooks import kubectl
from responder.runbooks.kubectl import KubectlCall
from responder.runbooks.words import SLOT, Flags, Refused, Word, is_value

#: Characters of a command.
LONGEST: Final = 2000

#: Characters that a shell acts on, outside quotes and inside double quotes.
_ACTIVE = frozenset("|&;<>()$`\\*?[]{}#!~")
_ACTIVE_QUOTED = frozenset("$`\\!")
_CURLY_QUOTES = frozenset("‘’“”")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that is not run: why, and where. Line and column count from 1."""

    reason: str
    line: int
    column: int

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Reach of commands, as rules and settings name it.

    ``origins`` are ``host:port`` of the addresses that may be requested, ``prometheus`` those of Prometheus.
    ``namespace`` is forced where a command names none of ``namespaces``.
    """

    namespace: str
    namespaces: frozenset[str]
    origins: frozenset[str] = frozenset()
    prometheus: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A GET request in place of curl. ``fail`` is True if a status from 400 on is an exit status, as with ``-f``."""

    url: str
    seconds: float
    fail: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is started, with its arguments."""

    argv: tuple[str, ...]


#: What carries a command out.
Action = KubectlCall | HttpGet | Program


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command that may be run: its argument vector, and what carries it out."""

    argv: tuple[str, ...]
    action: Action


def placeholders(content: str) -> tuple[str, ...]:
    """Return the names of the placeholders of a text, each once."""
    return tuple(dict.fromkeys(SLOT.findall(content)))


def parse(content: str, line: int, values: Mapping[str, str], scope: Scope) -> CommandLine | Refusal:
    """Return the command of a fence whose content begins at ``line``, with its placeholders filled.

    Raises nothing: what is not understood is refused.
    """
    try:
        words = [_filled(word, values) for word in split(content)]
        action = _action(words, scope)
    except Refused as refused:
        return Refusal(refused.reason, line, refused.column)
    argv = tuple(word.text for word in words)
    if isinstance(action, KubectlCall) and not any(each.partition("=")[0] in kubectl.NAMESPACE_FLAGS for each in argv):
        argv = (argv[0], f"--namespace={action.namespace}", *argv[1:])
    return CommandLine(argv, action)


def _action(words: list[Word], scope: Scope) -> Action:
    if not words:
        raise Refused("the fence is empty", 1)
    program, column = words[0]
    if program not in _PROGRAMS:
        raise Refused(f"'{program}' is not a program that runbooks may run: {', '.join(_PROGRAMS)}", column)
    return _PROGRAMS[program](words, words[1:], scope)


def split(content: str) -> list[Word]:
    """Split a command into words; placeholders are written ``{{name}}``. Raises Refused for what is for a shell."""
    text = content.rstrip("\n")
    if len(text) > LONGEST:
        raise Refused(f"the command is longer than {LONGEST} characters", LONGEST + 1)
    words: list[Word] = []
    pieces: list[str] = []
    quote, begun, at, start = "", False, 0, 0
    while at < len(text):
        sign = text[at]
        if sign == "\n":
            raise Refused("more than one line: a fence that is run is one command", at + 1)
        if not sign.isprintable() or sign in _CURLY_QUOTES:
            raise Refused(f"character U+{ord(sign):04X} is not part of a command", at + 1)
        if slot := SLOT.match(text, at):
            pieces.append(f"{{{{{slot[1]}}}}}")
            start, begun, at = start if begun else at, True, slot.end()
            continue
        if quote:
            if sign == quote:
                quote = ""
            elif quote == '"' and sign in _ACTIVE_QUOTED:
                raise Refused(f"'{sign}' is expanded by a shell, and there is none", at + 1)
            else:
                pieces.append(sign)
        elif sign == " ":
            if begun:
                words.append(Word("".join(pieces), start + 1))
            pieces, begun = [], False
        elif sign in _ACTIVE:
            raise Refused(f"'{sign}' is for a shell, and there is none: write one plain command", at + 1)
        else:
            start, begun = start if begun else at, True
            quote = sign if sign in "\"'" else ""
            pieces += [] if quote else [sign]
        at += 1
    if quote:
        raise Refused("a quote is not closed", len(text) + 1)
    if begun:
        words.append(Word("".join(pieces), start + 1))
    if words and _ASSIGNMENT.match(words[0].text):
        raise Refused("a variable is set before the command", words[0].column)
    return words


def _filled(word: Word, values: Mapping[str, str]) -> Word:
    def value(name: str) -> str:
        if name not in values:
            raise Refused(f"there is no value for {{{{ {name} }}}}", word.column)
        if not is_value(values[name]):
            raise Refused(f"the value of {{{{ {name} }}}} is not a name", word.column)
        return values[name]

    return Word(SLOT.sub(lambda found: value(found[1]), word.text), word.column)


def _kubectl(_words: list[Word], arguments: list[Word], scope: Scope) -> KubectlCall:
    return kubectl.call_of(arguments, scope.namespace, scope.namespaces)


_CURL = Flags(
    {"--max-time": "--max-time", "-m": "--max-time"},
    {"-s": "-s", "-S": "-S", "-f": "-f", "--silent": "-s", "--show-error": "-S", "--fail": "-f"},
    grouped=True,
)
#: Reasons of refusals that depend on the settings.
OF_SETTINGS: Final = re.compile(r"is not an address of|in the settings")
#: Endpoints of Spring Boot's actuator that show settings or memory, or change something.
_CLOSED_ENDPOINTS = frozenset(
    {"env", "configprops", "heapdump", "threaddump", "loggers", "shutdown", "jolokia", "restart", "refresh", "logfile"}
)
#: Seconds of a curl without --max-time.
_CURL_SECONDS = 10.0


def _curl(_words: list[Word], arguments: list[Word], scope: Scope) -> HttpGet:
    found, options = _CURL.read(arguments)
    if len(found) != 1:
        raise Refused("curl takes one address", found[1].column if found else 1)
    url = found[0]
    _check_address(url, scope.origins)
    seconds = options.get("--max-time", Word(f"{_CURL_SECONDS:g}", 1))
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", seconds.text, re.ASCII) or not float(seconds.text):
        raise Refused(f"--max-time takes seconds, not '{seconds.text}'", seconds.column)
    return HttpGet(url.text, float(seconds.text), "-f" in options)


def _check_address(url: Word, origins: frozenset[str]) -> None:
    origin = origin_of(url.text)
    if not origin:
        raise Refused("the address is not a plain http:// or https:// one", url.column)
    if origin not in origins:
        raise Refused(f"{origin} is not an address of the service catalog, the rules' urls or the settings", url.column)
    segments = urlsplit(url.text).path.lower().split("/")
    if ".." in segments or "%" in url.text or ";" in url.text:
        raise Refused("the path of the address is not a plain one", url.column)
    if closed := sorted(_CLOSED_ENDPOINTS.intersection(segments)):
        raise Refused(f"the endpoint {closed[0]} may show secrets or change something", url.column)


def origin_of(url: str) -> str:
    """Return ``host:port`` of an http(s) address; empty for anything else, and for one with a user or a fragment."""
    try:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        port = usual and (parts.port or usual)
    except ValueError:
        return ""
    host = parts.hostname or ""
    if port is None or parts.fragment or "@" in parts.netloc or not re.fullmatch(r"[a-z0-9.-]{1,253}", host, re.ASCII):
        return ""
    return f"{host}:{port}"


#: Own commands that only read, and their arguments.
_OWN: Mapping[tuple[str, ...], Flags] = {
    ("health",): Flags({"--timeout": "--timeout"}),
    ("doctor",): Flags({}),
    ("rules", "check"): Flags({}),
    ("rules", "test"): Flags({}),
    ("runbooks", "lint"): Flags({}),
    ("runbooks", "list"): Flags({}),
    ("messages", "list"): Flags({"--channel": "--channel", "--state": "--state"}),
    ("rejects", "list"): Flags({}),
    ("probe", "list"): Flags({}),
    ("db", "stats"): Flags({}),
}


def _responder(words: list[Word], arguments: list[Word], _scope: Scope) -> Program:
    names = tuple(word.text for word in arguments)
    own = next((each for each in _OWN if names[: len(each)] == each), None)
    if own is None:
        known = ", ".join(" ".join(each) for each in _OWN)
        raise Refused(
            f"not a command of responder that runbooks may run: {known}", arguments[0].column if arguments else 1
        )
    found, _ = _OWN[own].read(arguments[len(own) :])
    if found:
        raise Refused(f"responder {' '.join(own)} takes no argument here", found[0].column)
    return Program(tuple(word.text for word in words))


_PROMTOOL = Flags({"--start": "--start", "--end": "--end", "--step": "--step", "--match": "--match"})


def _promtool(words: list[Word], arguments: list[Word], scope: Scope) -> Program:
    found, _ = _PROMTOOL.read(arguments)
    queries = {"instant": 4, "range": 4, "series": 3, "labels": 4}
    names = [word.text for word in found]
    if names[:1] != ["query"] or names[1:2] == [] or queries.get(names[1]) != len(names):
        raise Refused(
            "promtool query instant|range|series|labels SERVER ... is the only use", found[0].column if found else 1
        )
    if origin_of(names[2]) not in scope.prometheus or urlsplit(names[2]).path not in {"", "/"}:
        raise Refused(f"{names[2]} is not the address of Prometheus in the settings", found[2].column)
    return Program(tuple(word.text for word in words))


_RECORDS = frozenset({"A", "AAAA", "CNAME", "SRV", "NS", "TXT", "PTR", "SOA", "MX"})


def _dig(words: list[Word], arguments: list[Word], _scope: Scope) -> Program:
    names = [word for word in arguments if word.text != "+short"]
    if not 1 <= len(names) <= 2 or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", names[0].text, re.ASCII):
        raise Refused("dig takes a name, a type and +short", names[0].column if names else 1)
    if len(names) == 2 and names[1].text not in _RECORDS:
        raise Refused(f"dig asks for {', '.join(sorted(_RECORDS))}", names[1].column)
    return Program(tuple(word.text for word in words))


_PROGRAMS: Final[Mapping[str, Callable[[list[Word], list[Word], Scope], Action]]] = {
    "kubectl": _kubectl,
    "curl": _curl,
    "responder": _responder,
    "promtool": _promtool,
    "dig": _dig,
}
