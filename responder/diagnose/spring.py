"""Reads the health body of Spring Boot: the verdict, and the components that are not up. Pure."""

import re
from typing import Any

from responder.model.finding import Verdict
from responder.model.text import sanitize_line

# By default these two come with 503 and all others with 200, UNKNOWN included, and any mapping can be configured:
# so the body decides (Spring Boot reference, actuator health endpoint).
_DOWN = frozenset({"DOWN", "OUT_OF_SERVICE"})
#: Components that are named.
_MOST = 20
_PACKAGE = re.compile(r"^(?:[a-z_][a-z0-9_]{0,60}\.){1,12}(?=[A-Z])")
_HIDDEN = "The components are hidden; management.endpoint.health.show-components=always shows them."


def health_result(status: int, body: Any, took: str) -> tuple[Verdict, str, str]:
    """Verdict, fact and detail of a parsed body (None where it was no JSON). ``took`` is how long the answer needed."""
    word = body.get("status") if isinstance(body, dict) else None
    if not isinstance(word, str) or not word:
        return Verdict.UNKNOWN, f"{status} in {took}, but no health status in the body", ""
    components = _components(body)
    leaves = _unwell(components)
    fact = f"{status} {sanitize_line(word, 30)} in {took}"
    lines = [f"{name}: {state}" + (f", {error}" if error else "") for name, state, error in leaves]
    verdict = _verdict(status, word, leaves)
    if verdict is Verdict.OK:
        return verdict, fact, "\n".join(lines)
    if not components and word != "UP":
        lines.append(_HIDDEN)
    if word == "UP" and status >= 400:
        fact += ", which contradict each other"
    causes = ", ".join(f"{name} {state}" + (f" ({error})" if error else "") for name, state, error in leaves)
    return verdict, f"{fact}, {causes}" if causes else fact, "\n".join(lines)


def _verdict(status: int, word: str, leaves: list[tuple[str, str, str]]) -> Verdict:
    """Return the verdict: UP counts unless a component is down or the status code is an error."""
    if word in _DOWN:
        return Verdict.BAD
    if word != "UP":
        return Verdict.UNKNOWN
    if any(state in _DOWN for _, state, _ in leaves):
        return Verdict.BAD
    return Verdict.OK if status < 400 else Verdict.UNKNOWN


def _components(body: dict[str, Any]) -> dict[str, Any]:
    """The components of a health body or of one of its composites; version 2 of the format calls them details."""
    for key in ("components", "details"):
        found = body.get(key)
        if isinstance(found, dict) and any(isinstance(each, dict) and "status" in each for each in found.values()):
            return found
    return {}


def _unwell(components: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, status and error of the leaves that are not UP, the DOWN ones first."""
    found: list[tuple[str, str, str]] = []
    waiting = list(components.items())
    while waiting and len(found) < _MOST:
        name, component = waiting.pop(0)
        if not isinstance(component, dict):
            continue
        below = _components(component)
        if below:
            waiting += [(f"{name}/{part}"[:80], each) for part, each in below.items()]
        elif component.get("status") != "UP":
            found.append((sanitize_line(name, 60), sanitize_line(str(component.get("status")), 30), _error(component)))
    return sorted(found, key=lambda leaf: leaf[1] not in _DOWN)


def _error(component: dict[str, Any]) -> str:
    details = component.get("details")
    error = details.get("error") if isinstance(details, dict) else None
    return sanitize_line(_PACKAGE.sub("", error), 80) if isinstance(error, str) else ""
