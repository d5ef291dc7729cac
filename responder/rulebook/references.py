"""Names in rule files of what other parts of them define: where they are written, and those that nothing defines."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from responder.model.problem import Level, Position, Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles
from responder.rulebook.yaml.builder import Path

#: Attributes of ``RuleFiles``, and the paths of names inside each of their entries. In a path, ``*`` is each element of
#: a list or value of a mapping, and ``keys`` each key of a mapping. What is not a string at its end names nothing.
Places = Mapping[str, Sequence[str]]

CHANNELS: Final[Places] = {part: ["channels.*"] for part in ("platforms", "defaults", "teams", "paging_rules")}
FALLBACK_CHANNELS: Final[Places] = {"teams": ["fallback.*"], "severities": ["reminders.escalate.*"]}
STATUS_PAGES: Final[Places] = {"severities": ["status_pages.*"]}
PROBES: Final[Places] = {"paging_rules": ["probes.*", "more_probes.*"], "defaults": ["probes.*", "baseline.*"]}
RUNBOOKS: Final[Places] = {
    "paging_rules": ["runbook", "runbook.otherwise", "runbooks.*"],
    "defaults": ["runbook", "runbook.otherwise"],
    "platforms": ["runbooks.*"],
}


class Reference(NamedTuple):
    """Name with the entry in which it is written, its path there, and True if it is a key."""

    name: str
    entry: Entry[Any]
    path: Path
    is_key: bool

    @property
    def position(self) -> Position:
        """Position of the name."""
        return self.entry.key(*self.path) if self.is_key else self.entry.at(*self.path)


def references(rule_files: RuleFiles, places: Places) -> Iterator[Reference]:
    """Yield the names at these places."""
    for part, paths in places.items():
        steps = [path.split(".") if path else [] for path in paths]
        for entry in getattr(rule_files, part):
            for each in steps:
                for name, path in _walk(entry.value, each, ()):
                    yield Reference(name, entry, path, each[-1:] == ["keys"])


def names(rule_files: RuleFiles, *places: Places) -> set[str]:
    """Return the names at these places."""
    return {each.name for some in places for each in references(rule_files, some)}


def unknown(
    rule_files: RuleFiles, code: str, said: str, places: Places, known: Collection[str] | None
) -> Iterator[Problem]:
    """Yield a problem for each name at these places that is not known; none if it is not known which are (None)."""
    if known is None:
        return
    suggest = Suggestions()
    for each in references(rule_files, places):
        if each.name not in known:
            yield Problem(each.position, code, f"{said} '{each.name}'", suggest(each.name, known))


def unused(
    entries: Iterable[Entry[Any]], used: Collection[str | None], code: str, said: str, hint: str
) -> Iterator[Problem]:
    """Yield a warning for each entry whose name is not used."""
    for entry in entries:
        if entry.name not in used:
            yield Problem(entry.key(), code, f"{said} '{entry.name}'", hint, Level.WARNING)


def _walk(value: Any, steps: Sequence[str], path: Path) -> Iterator[tuple[str, Path]]:
    for number, step in enumerate(steps, 1):
        if step == "*":
            pairs = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
            for key, each in pairs:
                yield from _walk(each, steps[number:], (*path, key))
            return
        if step == "keys":
            yield from ((key, (*path, key)) for key in (value if isinstance(value, dict) else ()))
            return
        value = getattr(value, step, None)
        path = (*path, step.rstrip("_"))  # raise_ is the key raise
    if isinstance(value, str):
        yield value, path
