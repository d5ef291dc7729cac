"""The line of a log that says why a program failed. Pure.

The table follows what programs print before they end; the first pattern that is found in the newest lines wins, so
`0 errors` and `failover ok` are no signatures.
"""

import re
from collections.abc import Iterable, Sequence

from responder.model.text import sanitize_line

#: Characters of a signature on a page.
LIMIT = 160

#: Kubernetes puts a time in front of each line (``timestamps=true``); loggers put one, a level, a thread and a name.
_PREFIX = re.compile(
    r"^(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d)?\s*)*"
    r"(?:[\[(]?\d\d:\d\d:\d\d[.,\d]*[\])]?\s*)?"
)
_LEVEL = re.compile(
    r"^[\[(]?(?:FATAL|PANIC|CRITICAL|CRIT|ERROR|ERR|SEVERE|WARN(?:ING)?|INFO|E\d{4})[\])]?:?\s+(?:\d+ --- )?",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"^\[[^\]]{1,40}\]\s+|^[a-z][\w.$]{3,60}\s+:\s+")
_EXCEPTION = re.compile(r"^(?:[a-z][\w$]*\.)+(?:[A-Z][\w$]*)(?:Exception|Error)?: ")

#: The most telling first. A group is the part to print, where there is one.
_TABLE: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\s*Caused by: (.+)",
        r"(java\.lang\.OutOfMemoryError: .+)",
        r"(\S+ is forbidden: User .+)",
        r"(HikariPool-\d+ - Connection is not available.*)",
        r"((?:java\.net\.)?UnknownHostException: .+)",
        r"((?:Flyway|Liquibase)\w*Exception.*)",
        r"^(panic: .+)",
        r"(exec format error)",
        r"^(\w*(?:Error|Exception): .+)",
        r"(?i)((?:(?:get|post|put|patch|delete|head) \"?https?://[^\s\"]+\"?:? )?dial tcp .+)",
        r"((?:\w+\.)*\w*Timeout(?:Error|Exception)?: .+)",
        r"((?i:could not|cannot|can't|unable to|failed to) .+)",
    )
)
_SEVERE = re.compile(r"\b(?:FATAL|PANIC|CRITICAL|SEVERE)\b|^panic:")
_ERROR = re.compile(r"\bERROR\b|\berror\b[:=]|\blevel=(?:error|fatal)\b|\"level\": ?\"(?:error|fatal)\"", re.IGNORECASE)
_WARNING = re.compile(r"\bWARN(?:ING)?\b|\blevel=warn", re.IGNORECASE)
_HARMLESS = re.compile(r"\b(?:0|no) errors?\b|failover ok|error(?:s|_count)?[=:] ?0\b", re.IGNORECASE)
_MESSAGE = re.compile(r"\b(?:msg|message|error|err)=\"([^\"]+)\"|\"(?:msg|message)\": ?\"((?:[^\"\\]|\\.)+)\"")


def signature(lines: Sequence[str], *, warnings: bool = False) -> str:
    """Return the line that says why a program failed, without time, level and logger; empty if none does.

    ``warnings`` accepts a warning where there is no error: programs that wait write no more.
    """
    plain = [line for line in map(without_time, lines) if not _HARMLESS.search(line)]
    if found := _after(plain, "APPLICATION FAILED TO START"):
        return _short(found)
    for pattern in _TABLE:
        for line in reversed(plain):
            if match := pattern.search(line):
                return _short(match[1])
    for level in (_SEVERE, _ERROR, *((_WARNING,) if warnings else ())):
        for line in reversed(plain):
            if level.search(line):
                return _short(line)
    return ""


def without_time(line: str) -> str:
    """Return a line without the times at its beginning."""
    return _PREFIX.sub("", line, count=1)


def _after(lines: Sequence[str], heading: str) -> str:
    """Return what Spring Boot prints below ``Description:`` after that heading."""
    try:
        start = max(number for number, line in enumerate(lines) if heading in line)
    except ValueError:
        return ""
    below: Iterable[str] = (line.strip() for line in lines[start + 1 :])
    told = [line for line in below if line and not set(line) <= set("*") and line != "Description:"]
    return told[0] if told else ""


def _short(line: str) -> str:
    if message := _MESSAGE.search(line):
        line = message[1] or message[2]
    line = _SOURCE.sub("", _LEVEL.sub("", line.strip(), count=1), count=1)
    return sanitize_line(_EXCEPTION.sub("", line, count=1) or line, LIMIT)
