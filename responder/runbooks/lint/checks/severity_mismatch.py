"""A severity, or the response to one, differs from the rules.

Bad:

    # Service down

    ## Impact

    Severity P7, response within 15 minutes.

Good:

    # Service down

    ## Impact

    Severity P1, response within 15 minutes.
"""

import re
from collections.abc import Iterator, Mapping

from responder.model.suggestions import nearest
from responder.runbooks.lint.contract import Finding, Runbook

_NAME = re.compile(r"\bP\d\b")
_TIME = r"\d+\s*(?:min(?:ute)?s?|h\w{0,4}|days?)\b|next business day"
_RESPONSE = re.compile(rf"\brespon(?:se|d)\b[^.|;]*?\b({_TIME})", re.IGNORECASE)
_ANY_TIME = re.compile(_TIME, re.IGNORECASE)
_UNIT = {"m": 60, "h": 3600, "d": 86400}


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each unknown severity, and each response that contradicts the rules."""
    responses = runbook.catalog.responses if runbook.catalog else {}
    if not responses or not any(_NAME.fullmatch(name) for name in responses):
        return
    headers: list[str] = []
    title = ""
    for number, line in runbook.prose:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []
        headers = (headers or [cell.lower() for cell in cells]) if cells else []
        if line.startswith("#"):
            title = line
        for each in _NAME.finditer(line):
            if each[0] not in responses:
                said = f"the rules have no severity '{each[0]}'"
                yield Finding(number, each.start() + 1, said, nearest(each[0], responses))
        said_time = _said(line, cells, headers)
        names = set(_NAME.findall(cells[0] if cells else line)) or set(_NAME.findall(title))
        if said_time and len(names) == 1:
            yield from _compared(number, line, names.pop(), said_time, responses)


def _said(line: str, cells: list[str], headers: list[str]) -> str:
    """Return the response time of a line: a cell of the column Response, or after the word itself."""
    if cells:
        column = headers.index("response") if "response" in headers else -1
        found = _ANY_TIME.search(cells[column]) if 0 <= column < len(cells) else None
        return found[0] if found else ""
    found = _RESPONSE.search(line.replace("*", " "))
    return found[1] if found else ""


def _compared(line: int, text: str, name: str, said: str, responses: Mapping[str, str]) -> Iterator[Finding]:
    known = _ANY_TIME.search(responses.get(name, ""))
    if known is not None and _seconds(known[0]) != _seconds(said):
        hint = f"the rules say: {responses[name]}"
        yield Finding(line, text.find(said) + 1, f"the response of {name} is {known[0]} in the rules", hint)


def _seconds(text: str) -> int:
    """Return a time in seconds; -1 for the next business day."""
    found = re.match(r"(\d+)\s*([mhd])", text.lower())
    return int(found[1]) * _UNIT[found[2]] if found else -1
