"""The line of a log that says why a program failed. Pure.

The table follows what programs print before they end; the first pattern that is found in the newest lines wins, so
`0 errors` and `failover ok` are no signatures.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from responder.model.text import sanitize_line

#: Characters of a signature on a page.
LIMIT = 200

#: Kubernetes puts a time in front of each line (``timestamps=true``); loggers put one, a level, a thread and a name.
_PREFIX = re.compile(
    r"^(?:\[\d+\] (?=\d{4}/))?"
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d| [A-Z]{2,4}T| UTC)?\s*)*"
    r"(?:[\[(]?\d\d:\d\d:\d\d[.,\d]*[\])]?\s*)?(?:\[\d+\] (?=[A-Z]+: ))?"
)
_LEVEL = re.compile(
    # "Error making API request" begins a sentence, "Error: " is a level.
    r"^[\[(]?(?![A-Z][a-z]+ )(?i:FATAL|FTL|PANIC|PNC|CRITICAL|CRIT|ERROR|ERR|SEVERE|WARN(?:ING)?|WRN|INFO|INF|"
    r"[EFWI]\d{4} [\d:.]+ +\d+ \S+)[\])]?:?\s+(?:\d+ --- )?"
)
#: The heading of an error of .NET's console logger; the message is on the next line.
_HEADING = re.compile(r"(?:fail|crit): [\w.+`]+\[\d+\]$")
_SOURCE = re.compile(r"^(?:fail|crit): [\w.+`]+\[\d+\]\s+|^(?:\[[^\]]{1,60}\])+\s+|^[a-z][\w.$]{3,60}\s+:\s+")
#: The package of an exception, whose class is enough.
_PACKAGE = re.compile(r"^(?:[a-z][\w$]*\.)+(?=[A-Z][\w$]*: )")

#: The most telling first. A group is the part to print, where there is one.
_TABLE: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\s*Caused by: (.+)",
        r"(java\.lang\.OutOfMemoryError: .+)",
        r"((?:[\w.]+ )?\S+ is forbidden: User .+)",
        r"^bootstrap check failure \[\d+\] of \[\d+\]: (.+)",
        r"^npm (?:error|ERR!) (Missing script: .+)",
        r"(HikariPool-\d+ - Connection is not available.*)",
        r"((?:java\.net\.)?UnknownHostException: .+)",
        r"((?:Migration checksum mismatch|Detected (?:failed|resolved|applied) migration) .*)",  # Flyway's second line
        r"((?:Flyway|Liquibase)\w*Exception.*)",
        r"^(panic: .+)",
        r"(exec format error)",
        # What Redis and Valkey answer instead of a value.
        r"((?:OOM command not|NOAUTH|WRONGPASS|READONLY You|LOADING Redis|MISCONF|CLUSTERDOWN|MASTERDOWN) .*)",
        r"^Unhandled exception\.? (.+)",
        r"^Exception in thread \S+ (.+)",
        r"^(?!\s)((?:[\w$]+\.)*\w*(?:Error|Exception)(?: \[\w+\])?: .+)",
    )
)
#: Weaker: they count only in lines that no logger marks as harmless, and after what a program calls fatal.
_GENERIC: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)((?:(?:(?:get|post|put|patch|delete) )?\"?https?://[^\s\"]+\"?:? )?(?:dial tcp|tls: failed|x509:) .+)",
        r"((?:\w+\.)*\w*Timeout(?:Error|Exception)?: .+)",
        r"(?i)((?:\w.{0,160})?\bno space left on device.*)",
        r"((?i:could not|cannot|can't|unable to|failed to) .+)",
        r"(?i)(.*(?:command not found|: not found|unbound variable|no such file or directory|permission denied).*)",
        (
            r"(?i)(.*(?:address already in use|open shared object|unknown (?:flag|option|command)|is required|not set|"
            r"required (?:key|env|environment|variable|setting|flag)|missing (?:required|env|value)|must be set).*)"
        ),
    )
)
_MINOR = re.compile(r"^[\[(]?(?:INFO?|DEBUG|DBG|TRACE|TRC|NOTICE)\b|^I\d{4} |\blevel=(?:info|debug)", re.IGNORECASE)
_SEVERE = re.compile(
    r"\b(?:FATAL|FTL|PANIC|PNC|CRITICAL|SEVERE)\b|^F\d{4} |\[(?:emerg|crit|alert)\]|\blevel=(?:fatal|panic)\b|"
    r"\"level\": ?\"(?:fatal|panic|critical)\""
)
_ERROR = re.compile(
    r"^(?:fail|crit): |\bERROR\b|^[\[(]?ERR\b|\berror\b[:=]|\blevel=(?:error|fatal)\b|\"level\": ?\"(?:error|fatal)\"",
    re.IGNORECASE,
)
_WARNING = re.compile(r"\bWARN(?:ING)?\b|^[\[(]?WRN\b|\blevel=warn", re.IGNORECASE)
_HARMLESS = re.compile(
    r"\b(?:0|no) errors?\b|failover ok|error(?:s|_count)?[=:] ?0\b|"
    r"^\W*(?:(?:error|fatal)\W+)?(?:exiting|shutting down)\b",
    re.IGNORECASE,
)
_MESSAGE = re.compile(
    r"(?<!\S)(?:msg|message)=(?P<msg>\"(?:[^\"\\]|\\.)+\"|[^\s\"]+)|"
    r"(?<!\S)(?:error|err)=(?P<err>\"(?:[^\"\\]|\\.)+\"|[^\s\"]+)|"
    r"\"(?:msg|message)\": ?(?P<json>\"(?:[^\"\\]|\\.)+\")"
)
#: Line ends of a text that is quoted in a line.
_NEWLINES = re.compile(r"(?:\\[nrt])+")
#: Go's one sentence for two faults (crypto/x509, CertificateInvalidError).
_VALIDITY = re.compile(r"certificate has expired or is not yet valid: current time \S+ is (after|before) (\S+)")

#: Keys of JSON logs (bunyan, pino, zap, slog, structlog, Serilog, logback), the usual one first.
_LEVELS = ("level", "severity", "lvl", "@l", "log.level")
_TEXTS = ("msg", "message", "event", "@m", "@mt")
_ERRORS = ("error", "err", "exception", "@x", "exc_info", "error.message", "cause")
_ABOUT = ("url", "uri", "upstream", "target", "host", "address", "status", "statusCode", "status_code")
#: Levels of pino and bunyan.
_NUMBERS = {60: "FATAL", 50: "ERROR", 40: "WARN", 30: "INFO", 20: "DEBUG"}


def signature(lines: Sequence[str], *, warnings: bool = False) -> str:
    """Return the line that says why a program failed, without time, level and logger; empty if none does.

    ``warnings`` accepts a warning where there is no error: programs that wait write no more.
    """
    plain: list[str] = []
    for line in map(_plain, lines):
        if plain and _HEADING.match(plain[-1]):
            plain[-1] += f" {line.strip()}"
        elif not _HARMLESS.search(line):
            plain.append(line)
    if found := _after(plain, "APPLICATION FAILED TO START") or _after(plain, "panicked at"):
        return _short(found)
    minor = [line for line in plain if not _MINOR.search(line)]
    major = [line for line in minor if not _WARNING.search(line)]
    for patterns, among in (
        (_TABLE, plain),
        ((_SEVERE,), minor),
        (_GENERIC, major),
        ((_ERROR,), major),
        (_GENERIC, minor),
    ):
        for pattern in patterns:
            if found := _last(pattern, among):
                return _short(found)
    return _short(_last(_WARNING, plain)) if warnings else ""


def _last(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    """Return the newest line that a pattern finds: its group, if it has one."""
    for line in reversed(lines):
        if match := pattern.search(line):
            # A text that is quoted in a line is matched without its escapes.
            inner = pattern.search(_message(line)) if pattern.groups and '\\"' in match[1] else None
            return (inner or match)[1] if pattern.groups else line
    return ""


def recent(lines: Iterable[str], since: datetime) -> list[str]:
    """Return the lines that were written since a moment, and those without a time: a quiet log keeps old errors."""
    found: list[str] = []
    for line in lines:
        try:
            written = datetime.fromisoformat(line.partition(" ")[0])
        except ValueError:
            written = None
        if written is None or written.tzinfo is None or written >= since:
            found.append(line)
    return found


def without_time(line: str) -> str:
    """Return a line without the times at its beginning."""
    return _PREFIX.sub("", line, count=1)


def _plain(line: str) -> str:
    """Return a line without its times; one in JSON as ``ERROR message: error (url, status 503)``."""
    rest = without_time(line)
    try:
        given = json.loads(rest) if rest.startswith("{") else None
    except (ValueError, RecursionError):
        return rest
    if not isinstance(given, dict) or not (message := _first(given, _TEXTS)):
        return rest
    level = next((given[key] for key in _LEVELS if key in given), "")
    level = _NUMBERS.get(level, "") if isinstance(level, int) else str(level).upper()
    error = _first(given, _ERRORS)
    if not error and isinstance(given.get("attr"), dict):  # MongoDB
        error = _first(given["attr"], _ERRORS)
    about = [
        f"{'status ' if 'tatus' in key else ''}{given[key]}"
        for key in _ABOUT
        if isinstance(given.get(key), str | int) and str(given[key]) not in f"{message}{error}"
    ]
    because = f": {error}" if error and error not in message else ""
    about_it = f" ({', '.join(about)})" if about else ""
    return f"{level} {message}{because}{about_it}".replace("\n", " ").strip()


def _first(given: dict[str, object], keys: Sequence[str]) -> str:
    """Return the first of the values that is a text, or the message of an error that is an object."""
    for key in keys:
        value = given.get(key)
        if isinstance(value, dict):
            value = value.get("message") or value.get("msg") or value.get("errmsg")
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _after(lines: Sequence[str], heading: str) -> str:
    """Return the line below a heading: what Spring Boot prints below ``Description:``, what Rust prints of a panic."""
    try:
        start = max(number for number, line in enumerate(lines) if heading in line)
    except ValueError:
        return ""
    below: Iterable[str] = (line.strip() for line in lines[start + 1 :])
    messages = [line for line in below if line and not set(line) <= set("*") and line != "Description:"]
    return messages[0] if messages else ""


def _in_short(match: re.Match[str]) -> str:
    return f"certificate {'expired at' if match[1] == 'after' else 'is not valid before'} {match[2]}"


def _message(line: str) -> str:
    """Return message and error of a line of ``key="value"`` pairs; empty where it has none."""
    parts: dict[str, str] = {}
    for found in _MESSAGE.finditer(line):
        parts.setdefault(found.lastgroup or "", found[found.lastgroup or 0].strip('"').replace('\\"', '"'))
    message, error = parts.get("msg") or parts.get("json", ""), parts.get("err", "")
    return f"{message}: {error}" if message and error and error not in message else message or error


def _short(line: str) -> str:
    line = _message(line) or line
    line = _VALIDITY.sub(_in_short, _NEWLINES.sub(" ", line))
    line = _SOURCE.sub("", _LEVEL.sub("", line.strip(), count=1), count=1)
    return sanitize_line(_PACKAGE.sub("", line, count=1), LIMIT)
