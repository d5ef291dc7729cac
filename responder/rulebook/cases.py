"""Test cases for rules: read with positions and expanded over rows and matrix."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from responder.checked_file import read_file, repository_of
from responder.model.problem import InvalidRules, Position, Problem
from responder.model.suggestions import nearest
from responder.rulebook.field_types import StrictModel
from responder.rulebook.validate import explain
from responder.rulebook.yaml.builder import Path as Keys
from responder.rulebook.yaml.reader import Document, read

#: Default time of a case, fixed so that results do not depend on the date.
FIXED_NOW: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

#: Results that a case can assume for a probe.
FINDINGS: Final = ("ok", "warning", "bad", "unknown")

#: Cases that one case may expand to with matrix and rows.
MOST: Final = 10_000

#: Cases of one file after expansion.
MOST_OF_FILE: Final = 50_000

#: Fields of ``expect`` that may be null, to expect none.
_NONE: Final = frozenset({"runbook", "shadow", "team"})
_SUBJECT: Final = frozenset({"service", "name", "namespace"})

_VARIABLE = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_-]*)\}")


def _time(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError('a time has the form "2026-02-28T02:41:00Z"') from error
    if not 1970 < found.year < 9000:
        raise ValueError("the year must be between 1971 and 8999")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _percent(value: object) -> float:
    text = str(value).removesuffix("%")
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", text, re.ASCII) or int(text) > 100:
        raise ValueError("a share is a whole number of percent: 100%")
    return float(text)


Time = Annotated[datetime, BeforeValidator(_time)]
Labels = dict[str, str]


class Expect(StrictModel):
    """Expected results. Only the fields that are given are compared."""

    rule: str | None = Field(default=None, description="Id of the rule that decides.")
    severity: str | None = Field(default=None, description="Name of the severity, after findings.")
    reason: str | None = Field(default=None, description="Reason, with * and ?; or ~ and a regex.")
    shadow: str | None = Field(default=None, description="Id of the shadow rule that would decide; null for none.")
    owner: str | None = Field(default=None, description="Owner on the page.")
    note: str | None = Field(default=None, description="Note on the page, with * and ?; or ~ and a regex.")
    runbook: str | None = Field(default=None, description="file.md#section; null for none.")
    probes: list[str] | None = Field(default=None, description="All probes that run, in order.")
    probes_include: list[str] | None = Field(default=None, description="Some of the probes that run.")
    subject: str | dict[str, str | None] | None = Field(
        default=None, description="Name of the service, unknown for none, or any of service, name, namespace."
    )
    channels: list[str] | None = Field(default=None, description="Channels that are notified, in order.")
    route: list[str] | None = Field(default=None, description="Earlier name of `channels`.")
    team: str | list[str] | None = Field(
        default=None, description="Team that is notified, or a list if there are several; null for none."
    )
    page: bool | None = Field(default=None, description="True if on-call is paged.")
    title: str | None = Field(default=None, description="Title, with * and ?; or ~ and a regex.")
    slack_not_contains: list[str] | None = Field(default=None, description="Texts that must not be in Slack's message.")
    action: Literal["notify", "heartbeat", "drop"] | None = Field(default=None, description="Action of the rule.")

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        for name in sorted(self.model_fields_set - _NONE):
            if getattr(self, name) is None:
                raise ValueError(f"{name} has no value: write the expected value, or remove the key")
        if isinstance(self.subject, dict) and (strange := set(self.subject) - _SUBJECT):
            raise ValueError(f"unknown key '{min(strange)}' in subject: use service, name or namespace")
        return self

    def given(self) -> Mapping[str, Any]:
        """Return the fields that were given, with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CaseShape(StrictModel):
    """Case, or a template for one case per row."""

    name: str = Field(min_length=1, description="Expected behaviour, as a sentence.")
    alert: Labels | None = Field(default=None, description="Labels of the alert, in addition to the defaults.")
    alerts: list[Labels] = Field(default=[], description="Labels of each alert of a group, in addition to `alert`.")
    annotations: Labels = Field(default={}, description="Annotations of the alert.")
    findings: dict[str, str] = Field(
        default={},
        description="Assumed results by probe: ok, warning, bad or unknown; other probes have none.",
    )
    body: str | None = Field(default=None, description="Captured payload instead of alert, relative to this file.")
    matrix: dict[str, list[str]] = Field(default={}, description="Values of ${variables}: one case per combination.")
    rows: list[dict[str, str]] = Field(default=[], description="Values of ${variables}: one case per row.")
    todo: bool = Field(default=False, description="Known gap: reported, but does not fail.")
    now: Time | None = Field(default=None, description="Time of the notification.")
    expect: Expect = Field(description="Expected results.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.alert is None and not self.alerts) == (self.body is None):
            raise ValueError("a case has either alert (or alerts) or body")
        return self


class CaseDefaults(StrictModel):
    """Defaults of all cases of the file."""

    labels: Labels = Field(default={}, description="Labels of every alert.")
    annotations: Labels = Field(default={}, description="Annotations of every alert.")
    now: Time | None = Field(default=None, description="Time of the notifications.")


class CoverageShape(StrictModel):
    """Minimum coverage."""

    min_rules: Annotated[float, BeforeValidator(_percent)] = Field(
        default=0.0, description="Minimum coverage of rules: 100%."
    )
    min_matchers: Annotated[float, BeforeValidator(_percent)] = Field(
        default=0.0, description="Minimum coverage of matchers: 100%."
    )
    min_mutation: Annotated[float, BeforeValidator(_percent)] = Field(
        default=0.0, description="Minimum share of changes of a decision that a case notices: 95%."
    )


class CaseFile(StrictModel):
    """File of test cases."""

    defaults: CaseDefaults = Field(default=CaseDefaults())
    tests: list[CaseShape] = Field(default=[])
    coverage: CoverageShape = Field(default=CoverageShape())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Alert, group of alerts or captured payload, with the expected results.

    ``alerts`` are labels of several alerts of one group, each in addition to ``labels``; ``findings`` are assumed
    results by probe. ``body`` must be inside ``repository``. ``keys`` is the path of ``expect`` in the file. ``spread``
    is True if several cases share these lines.
    """

    name: str
    position: Position
    labels: Mapping[str, str]
    alerts: tuple[Mapping[str, str], ...]
    findings: Mapping[str, str]
    annotations: Mapping[str, str]
    body: Path | None
    repository: Path
    todo: bool
    now: datetime
    expect: Mapping[str, Any]
    keys: Keys
    spread: bool = False


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Cases of a file, and its minimum coverage of rules, matchers and mutations in percent."""

    path: Path
    cases: tuple[Case, ...]
    minimum: CoverageShape


def load_cases(path: Path) -> CaseSet:
    """Load the cases of a file. Raises InvalidRules with all problems."""
    name = f"{path.resolve().parent.name}/{path.name}"
    repository = repository_of(path)
    try:
        document = read(name, read_file(path, repository))
    except OSError as error:
        raise InvalidRules(
            (Problem(Position(str(path), 1, 1), "unreadable", str(error.strerror), "check the path"),)
        ) from error
    if document.problems:
        raise InvalidRules(document.problems)
    data = document.data if document.data is not None else {}
    try:
        file = CaseFile.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidRules(tuple(sorted({_problem(explain(each, document, data)) for each in details}))) from error
    found: list[Case | Problem] = []
    for number, shape in enumerate(file.tests):
        found += _spread(shape, file.defaults, document, ("tests", number), path.parent, repository)
        if len(found) > MOST_OF_FILE:
            said = f"the file expands to more than {MOST_OF_FILE:,} cases at this one"
            position = document.at(("tests", number))
            raise InvalidRules((Problem(position, "bad-value", said, "give fewer values, or divide the file"),))
    if problems := tuple(each for each in found if isinstance(each, Problem)):
        raise InvalidRules(problems)
    cases = tuple(each for each in found if isinstance(each, Case))
    return CaseSet(path, cases, file.coverage)


def _problem(found: Problem) -> Problem:
    """Replace the hint of an unknown key, which suggests keys of rule files, by one with keys of cases."""
    if found.code != "unknown-key":
        return found
    known = {
        name for model in (CaseFile, CaseDefaults, CaseShape, Expect, CoverageShape) for name in model.model_fields
    }
    return replace(found, hint=nearest(found.message.split("'")[1], known))


def _spread(
    shape: CaseShape, defaults: CaseDefaults, document: Document, keys: Keys, folder: Path, repository: Path
) -> Iterator[Case | Problem]:
    if prod(map(len, shape.matrix.values())) * max(1, len(shape.rows)) > MOST:
        said = f"matrix and rows expand to more than {MOST:,} cases"
        yield Problem(document.at((*keys, "matrix")), "bad-value", said, "reduce the values, or split the case")
        return
    rows = [dict(zip(shape.matrix, values, strict=True)) for values in product(*shape.matrix.values())]
    rows = [{**combined, **row} for combined in rows for row in shape.rows or [{}]]
    for row in rows:
        try:
            case = Case(
                name=shape.name if not row else f"{shape.name} [{', '.join(row.values())}]",
                position=document.at((*keys, "name")),
                labels={**defaults.labels, **_filled(shape.alert or {}, row)},
                alerts=tuple(_filled(shape.alerts, row)),
                findings=_filled(shape.findings, row),
                annotations={**defaults.annotations, **_filled(shape.annotations, row)},
                body=folder / _filled(shape.body, row) if shape.body else None,
                repository=repository,
                todo=shape.todo,
                now=shape.now or defaults.now or FIXED_NOW,
                expect=_filled(shape.expect.given(), row),
                keys=(*keys, "expect"),
                spread=len(rows) > 1,
            )
        except KeyError as error:
            said = f"${{{error.args[0]}}} is in neither matrix nor rows"
            yield Problem(document.at(keys), "bad-value", said, nearest(str(error.args[0]), row))
            return
        if wrong := sorted(set(case.findings.values()) - set(FINDINGS)):
            said = f"'{wrong[0]}' is not a probe result"
            yield Problem(document.at((*keys, "findings")), "bad-value", said, nearest(wrong[0], FINDINGS))
            return
        yield case


def _filled(value: Any, row: Mapping[str, str]) -> Any:
    """Substitute the row's variables. Raises KeyError for a variable that is not in the row."""
    if not row:
        return value
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: row[found[1]], value)
    if isinstance(value, dict):
        return {name: _filled(each, row) for name, each in value.items()}
    return [_filled(each, row) for each in value] if isinstance(value, list) else value
