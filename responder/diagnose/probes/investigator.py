"""Investigator probe: asks an outside program, such as HolmesGPT, for its opinion after the page has left."""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import subject_name
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict, worst_first
from responder.model.report import IncidentContent
from responder.model.rule import ProbeSpec
from responder.model.text import number_of, sanitize, sanitize_line, seconds_of
from responder.outgoing import UnreachableError
from responder.outgoing.json_api import NoAnswerError, fetch

#: Bytes of an answer: HolmesGPT also returns the conversation, with the output of its tools.
_CAP: Final = 4 * 1024 * 1024
#: Characters that are sent, and of a label's value in it.
_SENT_LIMIT: Final = 8000
_VALUE_LIMIT: Final = 200
#: Findings that are sent, the worst first.
_MOST_FINDINGS: Final = 40
#: Characters of an opinion.
_OPINION_LIMIT: Final = 900
_TASK: Final = (
    "An alert fires. Say its most likely root cause, what shows it, and what to do next. Only read, change nothing. "
    "Answer in at most 800 characters of plain text, without links and markup."
)
#: What acts in a chat: images and links of Markdown (their text stays), addresses, tags, mentions, marks.
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ADDRESS: Final = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.|mailto:)\S*")
_TAG: Final = re.compile(r"<[^<>]*>")
_MENTION: Final = re.compile(r"(?<!\w)@(?=\w)")
_MARKS: Final = re.compile(r"[*`|~<>#]+|(?<!\w)_+|_+(?!\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigatorSpec:
    """The alert and the findings are sent; the answer follows in the thread as an opinion, and changes no page."""

    name: str = field(default="HolmesGPT", metadata={"help": "name of the investigator, as messages show it"})
    deadline: str = field(default="2m", metadata={"help": "longest time for the answer, at most 10m; replaces timeout"})
    model: str = field(default="", metadata={"help": "model to ask for; empty: the investigator's default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigatorQuery:
    """The address, the name, the model, and the text that is sent."""

    url: str
    name: str
    model: str
    ask: str


# https://github.com/HolmesGPT/holmesgpt/blob/master/docs/reference/http-api.md, POST /api/chat: the only endpoint of
# HolmesGPT that takes a problem since /api/investigate was removed (pull request 1688, March 2026).
class _Opinion(msgspec.Struct):
    analysis: str


_OPINION = msgspec.json.Decoder(_Opinion)


def check(spec: InvestigatorSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems: tuple[str, ...] = () if spec.name.strip() else ("name is empty",)
    try:
        if seconds_of(spec.deadline) > 600:
            problems += ("deadline is longer than 10m",)
    except ValueError as error:
        problems += (f"deadline is a duration such as 2m: {error}",)
    return problems


def questions(probe: ProbeSpec[InvestigatorSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the question; none without an investigator."""
    url, subject, spec = probe_context.sources.investigator, probe_context.subject, probe.spec
    if not url:
        return ()
    labels = ", ".join(f"{key}={value[:_VALUE_LIMIT]}" for key, value in sorted(subject.values.items()))
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="investigator",
            target=subject_name(probe_context),
            query=f"opinion of {spec.name}",
            timeout=seconds_of(spec.deadline),
            wire=InvestigatorQuery(
                url=url, name=spec.name, model=spec.model, ask=sanitize(f"{_TASK}\n\n{labels}", _SENT_LIMIT)
            ),
            endpoint=url,
        ),
    )


def about(question: ProbeQuestion, content: IncidentContent) -> ProbeQuestion:
    """Return the question with what is known of the incident. The text is redacted before it is cut."""
    return replace(question, wire=replace(question.wire, ask=sanitize(in_words(content), _SENT_LIMIT)))


def in_words(content: IncidentContent) -> str:
    """Return the alert and the findings as text."""
    record, alerts, found = content.decision, content.alerts, content.conclusion
    rows = (
        ("Incident", record.title),
        ("Alert", record.alertname),
        ("Service", record.service),
        ("Namespace", record.namespace),
        ("Cluster", record.cluster or record.environment),
        ("Firing since", f"{alerts.started_at:%Y-%m-%d %H:%M} UTC"),
        ("Summary", alerts.summary),
        ("Description", alerts.description),
        ("Labels", ", ".join(f"{key}={value[:_VALUE_LIMIT]}" for key, value in alerts.labels.items())),
        ("Likely cause", found.likely),
        ("Chain", found.chain),
        ("Changed", found.changed),
        ("Ruled out", found.ruled_out),
        ("Unknown", found.unknown),
    )
    ranked = worst_first(content.findings)
    lines = [f"- {each.verdict.value}: {each.headline}" for each in ranked[:_MOST_FINDINGS]]
    known = [f"{number_of(len(ranked), 'finding')} of the checks so far:", *lines] if lines else []
    return "\n".join((_TASK, "", *(f"{name}: {text}" for name, text in rows if text), *known))


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Ask, and return the opinion as the finding's detail; unknown without one. It is a fact and never judged."""
    wire: InvestigatorQuery = question.wire
    began = tools.clock.monotonic()
    body = {"ask": wire.ask, "stream": False, **({"model": wire.model} if wire.model else {})}
    try:
        found = fetch(tools.outgoing, wire.url, _OPINION, deadline, _CAP, body=json.dumps(body).encode())
    except UnreachableError as error:
        return unreachable(question, UnreachableError(f"{wire.name}: {error}"), tools.clock.monotonic() - began)
    except NoAnswerError as error:
        took = tools.clock.monotonic() - began
        return answer(question, Verdict.UNKNOWN, f"{wire.name}: {error} after {span(took)}", duration=took)
    took = tools.clock.monotonic() - began
    said = plain(found.analysis)
    if not said:
        return answer(question, Verdict.UNKNOWN, f"{wire.name}: an empty answer after {span(took)}", duration=took)
    opinion = f"{sanitize_line(wire.name, 40)} (not verified): {said}"
    fact = f"{wire.name} answered after {span(took)}"
    return answer(question, Verdict.OK, fact, detail=opinion, duration=took, judged=False)


def plain(text: str) -> str:
    """Return an answer as one line of plain text: nothing in it links, mentions or formats."""
    said = _LINK.sub(r"\1", sanitize(text, 4 * _OPINION_LIMIT))  # redacted first: an address may hold a password
    said = _MENTION.sub("", _ADDRESS.sub("(link removed)", _TAG.sub(" ", said)))
    return sanitize_line(_MARKS.sub(" ", said), _OPINION_LIMIT)


KIND = ProbeKind(
    name="investigator",
    spec=InvestigatorSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"POST ",
    of_group=False,
    setting="investigator_url",
    about=about,
)
