"""Evaluation of a test case: expected and actual results, and their differences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any

from responder.checked_file import read_file
from responder.cli.rules.trace import Trace, trace
from responder.cli.samples import Sample, of_labels, samples
from responder.engine.effects.context import DecisionContext
from responder.model.rule import Matcher, MatcherError, Op
from responder.rulebook.cases import Case
from responder.runbooks.catalog import Runbooks
from responder.triage.matchers import predicate


@dataclass(frozen=True, slots=True)
class Difference:
    """Field whose actual value is not the expected one."""

    field: str
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """Result of a case. ``problem`` says why there is none; ``traces`` has an entry per payload of the case."""

    case: Case
    traces: tuple[Trace, ...] = ()
    differences: tuple[Difference, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """True if every field is as expected."""
        return not self.problem and not self.differences

    @property
    def verdict(self) -> str:
        """Result in a word: ok, FAIL, or todo for a known gap."""
        return "todo" if self.case.todo else "ok" if self.passed else "FAIL"


def run_case(case: Case, context: DecisionContext, runbooks: Runbooks, *, explain: bool = True) -> CaseResult:
    """Decide the alerts or every payload of the case, and compare the fields of ``expect``.

    Without ``explain`` the texts of messages are not compared.
    """
    traces = tuple(
        trace(sample, context, runbooks, case.now, case.findings, explain=explain) for sample in samples_of(case)
    )
    problems = [problem for each in traces for problem in each.shown.problems]
    if problems or not traces:
        return CaseResult(case=case, traces=traces, problem="; ".join(problems) or "no alert in the payload")
    found = tuple(difference for each in traces for difference in _differences(case.expect, each))
    return CaseResult(case=case, traces=traces, differences=found)


def samples_of(case: Case) -> Iterator[Sample]:
    """Yield the payloads of a case. Raises FatalError if a captured one cannot be read."""
    if case.body is None:
        members = [{**case.labels, **each} for each in case.alerts] or [dict(case.labels)]
        yield of_labels(members, dict(case.annotations), case.now, case.name)
    else:
        from io import BytesIO

        yield from samples([str(case.body)], BytesIO(), case.now, partial(read_file, within=case.repository))


def _differences(expect: Mapping[str, Any], found: Trace) -> Iterator[Difference]:
    for field, wanted in expect.items():
        got = FIELDS[field](found)
        if not _TESTS.get(field, _equal)(wanted, got):
            yield Difference(field, wanted, _shown(field, wanted, got))


def _shown(field: str, wanted: Any, got: Any) -> Any:
    """Return the part of the actual value to show; of a Slack message only the forbidden texts."""
    if field == "slack_not_contains":
        return [text for text in wanted if text in got]
    if field == "subject":
        return {name: got[name] for name in wanted} if isinstance(wanted, dict) else got["service"] or "unknown"
    return got


def _equal(wanted: Any, got: Any) -> bool:
    return bool(wanted == got)


def _subject(wanted: str | Mapping[str, str | None], got: Mapping[str, str | None]) -> bool:
    if isinstance(wanted, str):
        return wanted == (got["service"] or "unknown")
    return all(name in got and got[name] == value for name, value in wanted.items())


def _title(wanted: str, got: str) -> bool:
    """Match a glob with literal brackets, or after ~ a regex anywhere in the text."""
    if wanted.startswith("~"):
        return _regex(wanted[1:])(got)
    return fnmatchcase(got, wanted.replace("[", "[[]"))


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> Callable[[str], bool]:
    try:
        return predicate(Matcher("title", Op.REGEX, f"(?s:.*)(?:{pattern})(?s:.*)"))
    except MatcherError:
        return lambda _title: False


def _rule(found: Trace) -> Any:
    assert found.decision is not None
    return found.decision.rule


def _tried(found: Trace) -> str | None:
    assert found.decision is not None
    shadow = found.decision.shadow
    return shadow.rule.id if shadow else None


def _about(found: Trace) -> Mapping[str, str | None]:
    assert found.decision is not None
    subject = found.decision.subject
    return {"service": subject.service, "name": subject.name, "namespace": subject.namespace}


def _asked(found: Trace) -> list[str]:
    return list(dict.fromkeys(question.probe for question in found.questions if not question.skip))


def _teams(found: Trace) -> str | list[str] | None:
    assert found.decision is not None
    teams = list(found.decision.route.teams)
    return teams if len(teams) > 1 else next(iter(teams), None)


def _read(found: Trace) -> str:
    """Return the messages to channels that do not page."""
    read = (each for each in found.shown.sent if not each.channel.pages)
    return "\n".join(request.body.decode() for each in read for request in each.requests)


#: Actual value for each field of ``expect``.
FIELDS: Mapping[str, Callable[[Trace], Any]] = {
    "rule": lambda found: _rule(found).id,
    "severity": lambda found: found.severity.name if found.severity else None,
    "reason": lambda found: found.reason,
    "shadow": _tried,
    "owner": lambda found: found.owner,
    "note": lambda found: _rule(found).note,
    "runbook": lambda found: str(_rule(found).runbook) if _rule(found).runbook else None,
    "probes": _asked,
    "probes_include": _asked,
    "subject": _about,
    "channels": lambda found: list(found.route),
    "route": lambda found: list(found.route),
    "team": _teams,
    "page": lambda found: found.page,
    "title": lambda found: found.title,
    "slack_not_contains": _read,
    "action": lambda found: _rule(found).action.value,
}

_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "probes_include": lambda wanted, got: set(wanted) <= set(got),
    "subject": _subject,
    "team": lambda wanted, got: wanted in (got, [got]),
    "title": _title,
    "reason": _title,
    "note": _title,
    "slack_not_contains": lambda wanted, got: not any(text in got for text in wanted),
}
