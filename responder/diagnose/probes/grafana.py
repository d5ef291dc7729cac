"""Grafana probe: annotations that mark deployments of the subject, and of what it depends on, before the alert."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import msgspec

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import service_of, subject_name
from responder.model.clock import Deadline, short_duration
from responder.model.clue import Certainty, Clue, Role
from responder.model.finding import Finding, Verdict
from responder.model.rule import ProbeSpec
from responder.model.text import sanitize_line, seconds_of
from responder.outgoing import UnreachableError
from responder.outgoing.json_api import NoAnswerError, fetch

_CAP: Final = 2 * 1024 * 1024
#: Annotations that are read, the newest first.
_LIMIT: Final = 100
#: Deployments that become a finding.
_MOST: Final = 3
#: Characters of an annotation's text.
_TEXT_LIMIT: Final = 120
#: Texts of annotations may hold HTML, which Grafana renders.
_HTML: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaSpec:
    """Annotations with one of these tags whose tags or text name the subject, or a service that it depends on."""

    tags: tuple[str, ...] = field(
        default=("deploy", "deployment", "release"), metadata={"help": "tags of the annotations: any of them"}
    )
    window: str = field(default="2h", metadata={"help": "how long before the alert, 2h"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaQuery:
    """The address, the names to look for, the subject's first, the start of the alert, and the spec."""

    base: str
    names: tuple[str, ...]
    began: datetime | None
    spec: GrafanaSpec


# https://grafana.com/docs/grafana/latest/developers/http_api/annotations/#find-annotations
class _Annotation(msgspec.Struct):
    time: int
    text: str = ""
    tags: list[str] | None = None

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.time / 1000, UTC)

    def names(self, name: str) -> bool:
        """Return True if a tag or the text has ``name`` as a whole word, such as ``plato`` in ``service:plato``."""
        word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
        return any(word.search(each) for each in (*(self.tags or ()), self.text))


_ANNOTATIONS = msgspec.json.Decoder(list[_Annotation])


def check(spec: GrafanaSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems: tuple[str, ...] = () if spec.tags and all(spec.tags) else ("tags is empty, or has an empty tag",)
    try:
        seconds_of(spec.window)
    except ValueError as error:
        problems += (f"window is a duration such as 2h: {error}",)
    return problems


def questions(probe: ProbeSpec[GrafanaSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the query; none without a Grafana. Values of the alert are no part of it: they only select annotations."""
    base, subject, service = probe_context.sources.grafana.rstrip("/"), probe_context.subject, service_of(probe_context)
    if not base:
        return ()
    names = (subject.service or subject.name, *(service.depends_on if service else ()))
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="grafana",
            target=subject_name(probe_context),
            query=f"GET /api/annotations?{_form(probe.spec)}",
            timeout=probe.timeout,
            wire=GrafanaQuery(base=base, names=tuple(filter(None, names)), began=probe_context.began, spec=probe.spec),
            endpoint=base,
        ),
    )


def _form(spec: GrafanaSpec) -> str:
    return urlencode(
        {"type": "annotation", "matchAny": "true", "limit": _LIMIT, "tags": spec.tags}, doseq=True, safe=":"
    )


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding | tuple[Finding, ...]:
    """Query Grafana. Each deployment is a change that coincides with the alert."""
    wire: GrafanaQuery = question.wire
    started, now = tools.clock.monotonic(), tools.clock.now()
    began = wire.began or now
    times = {
        "from": f"{(began.timestamp() - seconds_of(wire.spec.window)) * 1000:.0f}",
        "to": f"{now.timestamp() * 1000:.0f}",
    }
    url = f"{wire.base}/api/annotations?{_form(wire.spec)}&{urlencode(times)}"
    try:
        found = fetch(tools.outgoing, url, _ANNOTATIONS, deadline, _CAP)
        clues = deployments(found, wire, began)
    except UnreachableError as error:
        return unreachable(question, UnreachableError(f"Grafana: {error}"), tools.clock.monotonic() - started)
    except (NoAnswerError, ValueError, OverflowError, OSError) as error:  # the last three: times beyond the calendar
        took = tools.clock.monotonic() - started
        return answer(question, Verdict.UNKNOWN, f"Grafana: {error} after {span(took)}", duration=took)
    took = tools.clock.monotonic() - started
    if not clues:
        fact = f"0 deployments annotated in Grafana in the {wire.spec.window} before the alert"
        return answer(question, Verdict.OK, fact, duration=took, judged=False)
    return tuple(
        answer(question, Verdict.OK, each.says, duration=took, judged=False, clue=each) for each in clues[:_MOST]
    )


def deployments(found: Sequence[_Annotation], wire: GrafanaQuery, began: datetime) -> list[Clue]:
    """Return the deployments of the subject, then of what it depends on, each group with the newest first."""
    known = sorted(found, key=lambda each: each.time, reverse=True)
    clues: dict[int, Clue] = {}
    for name in wire.names:
        for number, each in enumerate(known):
            if each.names(name):
                clues.setdefault(number, _clue(each, name, wire.spec, began))
    return list(clues.values())


def _clue(annotation: _Annotation, name: str, spec: GrafanaSpec, began: datetime) -> Clue:
    word = next((tag for tag in spec.tags if tag in (annotation.tags or ())), "change")
    text = sanitize_line(_HTML.sub(" ", annotation.text), _TEXT_LIMIT)
    before = annotation.at <= began
    apart = short_duration(abs((began - annotation.at).total_seconds()))
    when = f"{apart} before the alert" if before else f"{apart} after the alert began"
    shown = sanitize_line(name, 60)
    return Clue(
        code="change-deploy" if before else "change-after",
        role=Role.CHANGE,
        entity=f"Service/{shown}",
        says=f"Grafana: {word} of {shown} {when}" + (f": {text}" if text else ""),
        certainty=Certainty.COINCIDES,
        since=annotation.at,
    )


KIND = ProbeKind(
    name="grafana",
    spec=GrafanaSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"GET ",
    of_group=False,
    setting="grafana_url",
)
