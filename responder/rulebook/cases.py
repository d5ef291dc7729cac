"""Test cases for rules, as people write them beside the rules: read with positions, spread out over their rows."""

from __future__ import annotations

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
from responder.rulebook.field_types import StrictModel
from responder.rulebook.suggestions import nearest
from responder.rulebook.validate import explain
from responder.rulebook.yaml.builder import Path as Keys
from responder.rulebook.yaml.reader import Document, read

#: When a case without a time of its own takes place: the answer is the same on every day.
FIXED_NOW: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

#: What a probe may have found, in a word.
FINDINGS: Final = ("ok", "warning", "bad", "unknown")

#: So many cases may be made of one.
MOST: Final = 10_000

#: Cases of one file, spread out over their rows.
MOST_OF_FILE: Final = 50_000

#: What may be expected to be missing, and is null then.
_NONE: Final = frozenset({"runbook", "shadow"})
_SUBJECT: Final = frozenset({"service", "name", "namespace"})

_VARIABLE = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_-]*)\}")


def _time(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError('a time looks like "2026-02-28T02:41:00Z"') from error
    if not 1970 < found.year < 9000:
        raise ValueError("a time has a year that alerts can have")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _percent(value: object) -> float:
    text = str(value).removesuffix("%")
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", text, re.ASCII) or int(text) > 100:
        raise ValueError("a share is a whole number of percent: 100%")
    return float(text)


Time = Annotated[datetime, BeforeValidator(_time)]
Labels = dict[str, str]


class Expect(StrictModel):
    """What must come of the alert. Only what is given is compared."""

    rule: str | None = Field(default=None, description="Id of the rule that decides.")
    severity: str | None = Field(default=None, description="Name of the severity, once the findings are in.")
    reason: str | None = Field(default=None, description="Why, with * and ?; or ~ and a regex.")
    shadow: str | None = Field(default=None, description="Id of the rule in shadow that would decide; null for none.")
    owner: str | None = Field(default=None, description="The owner that the page names.")
    note: str | None = Field(default=None, description="The note on the page, with * and ?; or ~ and a regex.")
    runbook: str | None = Field(default=None, description="file.md#section; null for none.")
    probes: list[str] | None = Field(default=None, description="The probes that are asked, in order, and no others.")
    probes_include: list[str] | None = Field(default=None, description="Probes that are among those asked.")
    subject: str | dict[str, str | None] | None = Field(
        default=None, description="Name of the service, unknown for none, or any of service, name, namespace."
    )
    route: list[str] | None = Field(default=None, description="The channels that are told, in order.")
    page: bool | None = Field(default=None, description="Whether somebody is woken.")
    title: str | None = Field(default=None, description="The title, with * and ?; or ~ and a regex.")
    slack_not_contains: list[str] | None = Field(default=None, description="What Slack's message must not hold.")
    action: Literal["notify", "heartbeat"] | None = Field(default=None, description="What the rule does.")

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        for name in sorted(self.model_fields_set - _NONE):
            if getattr(self, name) is None:
                raise ValueError(f"{name} has no value: write what is expected, or remove it")
        if isinstance(self.subject, dict) and (strange := set(self.subject) - _SUBJECT):
            raise ValueError(f"a subject has service, name and namespace, and no '{min(strange)}'")
        return self

    def given(self) -> Mapping[str, Any]:
        """The fields that were written, with what they hold."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CaseShape(StrictModel):
    """One case, or one for each row."""

    name: str = Field(min_length=1, description="What is promised, as a sentence.")
    alert: Labels | None = Field(default=None, description="Labels of the alert, over those of the defaults.")
    alerts: list[Labels] = Field(default=[], description="Labels of several alerts of one group, each over `alert`.")
    annotations: Labels = Field(default={}, description="Annotations of the alert.")
    findings: dict[str, str] = Field(
        default={}, description="What probes answer: ok, warning, bad or unknown, by their names; others do not answer."
    )
    body: str | None = Field(default=None, description="A captured webhook body instead; a path from this file.")
    matrix: dict[str, list[str]] = Field(default={}, description="Values of ${variables}: a case for each combination.")
    rows: list[dict[str, str]] = Field(default=[], description="Values of ${variables}: a case for each row.")
    todo: bool = Field(default=False, description="A known gap: it is shown, and does not fail.")
    now: Time | None = Field(default=None, description="When it takes place.")
    expect: Expect = Field(description="What must come of it.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.alert is None and not self.alerts) == (self.body is None):
            raise ValueError("a case has either alert (or alerts) or body")
        return self


class CaseDefaults(StrictModel):
    """What all cases of the file share."""

    labels: Labels = Field(default={}, description="Labels of every alert.")
    annotations: Labels = Field(default={}, description="Annotations of every alert.")
    now: Time | None = Field(default=None, description="When the cases take place.")


class CoverageShape(StrictModel):
    """What the cases must reach."""

    min_rules: Annotated[float, BeforeValidator(_percent)] = Field(default=0.0, description="Share of the rules: 100%.")
    min_matchers: Annotated[float, BeforeValidator(_percent)] = Field(
        default=0.0, description="Share of the matchers that some case depends on: 100%."
    )


class CaseFile(StrictModel):
    """A file of test cases."""

    defaults: CaseDefaults = Field(default=CaseDefaults())
    tests: list[CaseShape] = Field(default=[])
    coverage: CoverageShape = Field(default=CoverageShape())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert, or one captured body, and what must come of it. ``keys`` is where its ``expect`` stands.

    ``alerts`` are labels of several alerts of one group, each over ``labels``; ``findings`` what probes answer.

    ``repository`` is the folder that ``body`` must be in. ``spread`` says that it is one of several from the same
    lines.
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
    """The cases of a file, and the shares of rules and matchers, in percent, that it wants reached."""

    path: Path
    cases: tuple[Case, ...]
    min_rules: float
    min_matchers: float


def load_cases(path: Path) -> CaseSet:
    """The cases of a file. Raises InvalidRules with every problem of it."""
    name = f"{path.resolve().parent.name}/{path.name}"
    repository = repository_of(path)
    try:
        document = read(name, read_file(path, repository))
    except OSError as error:
        raise InvalidRules(
            (Problem(Position(str(path), 1, 1), "unreadable", str(error.strerror), "see the path"),)
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
            said = f"the cases up to this one are more than {MOST_OF_FILE:,} with matrix and rows"
            position = document.at(("tests", number))
            raise InvalidRules((Problem(position, "bad-value", said, "give fewer values, or divide the file"),))
    if problems := tuple(each for each in found if isinstance(each, Problem)):
        raise InvalidRules(problems)
    cases = tuple(each for each in found if isinstance(each, Case))
    return CaseSet(path, cases, file.coverage.min_rules, file.coverage.min_matchers)


def _problem(found: Problem) -> Problem:
    """Hints about keys speak of rule files; here they are those of a case."""
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
        said = f"matrix and rows make more than {MOST:,} cases of this one"
        yield Problem(document.at((*keys, "matrix")), "bad-value", said, "give fewer values, or several cases")
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
            said = f"neither matrix nor rows has ${{{error.args[0]}}}"
            yield Problem(document.at(keys), "bad-value", said, nearest(str(error.args[0]), row))
            return
        if wrong := sorted(set(case.findings.values()) - set(FINDINGS)):
            said = f"'{wrong[0]}' is no finding"
            yield Problem(document.at((*keys, "findings")), "bad-value", said, nearest(wrong[0], FINDINGS))
            return
        yield case


def _filled(value: Any, row: Mapping[str, str]) -> Any:
    """The value with the row's variables filled in. Raises KeyError for one that the row has not."""
    if not row:
        return value
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: row[found[1]], value)
    if isinstance(value, dict):
        return {name: _filled(each, row) for name, each in value.items()}
    return [_filled(each, row) for each in value] if isinstance(value, list) else value
