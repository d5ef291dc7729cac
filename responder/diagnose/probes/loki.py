"""Loki probe: the error in the subject's log, how often it is logged, and how often it was a day ago."""

import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from responder.diagnose import promql_text
from responder.diagnose.cluster.signature import signature
from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, plain, span, unreachable
from responder.diagnose.plan import subject_name
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.redaction import redact
from responder.model.rule import ProbeSpec
from responder.model.text import seconds_of
from responder.outgoing import UnreachableError
from responder.outgoing.json_api import NoAnswerError, fetch

_CAP: Final = 2 * 1024 * 1024
_LONGEST_VALUE: Final = 253
#: Lines that are read.
_LINES: Final = 100
#: Fewer errors than these are no warning, however few there were a day ago.
_FEW: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiSpec:
    """Lines of the subject's log that match a pattern, in the last minutes."""

    selector: str = field(
        default='{namespace="${namespace}",pod=~"${workload}-.*"}',
        metadata={"help": "stream selector; ${label} inside the strings of matchers, ${workload} for the workload"},
    )
    pattern: str = field(
        default="(?i)error|exception|fatal|panic", metadata={"help": "regular expression (RE2) of a line that counts"}
    )
    window: str = field(default="10m", metadata={"help": "how far back, 10m"})
    times: float = field(
        default=3.0, metadata={"help": "from 10 lines on, this many times those of a day ago are a warning; 0: never"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiQuery:
    """The address, the LogQL for lines and those for counts now and a day ago, and the tenant."""

    base: str
    lines: str
    counts: tuple[str, str]
    tenant: str
    window: float
    spec: LokiSpec


class _Stream(msgspec.Struct):
    values: list[tuple[str, str]] = []


class _Sample(msgspec.Struct):
    value: tuple[float, str]


class _Streams(msgspec.Struct):
    result: list[_Stream]


class _Samples(msgspec.Struct):
    result: list[_Sample]


class _LinesAnswer(msgspec.Struct):
    data: _Streams


class _CountAnswer(msgspec.Struct):
    data: _Samples


# https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
_LINES_ANSWER = msgspec.json.Decoder(_LinesAnswer)
_COUNT_ANSWER = msgspec.json.Decoder(_CountAnswer)


def check(spec: LokiSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    slots, found = promql_text.scan(spec.selector)
    problems = [each.replace("expr", "selector", 1) for each in found]
    text = spec.selector.strip()
    if not (text.startswith("{") and text.endswith("}")) or _outside(text).count("{") != 1:
        problems.append('selector must be one stream selector such as {namespace="${namespace}"}')
    if any(slot.name in promql_text.MATCHERS for slot in slots):
        problems.append("selector takes labels only: ${selector} and ${neighbors} are matchers of Prometheus")
    if not spec.pattern:
        problems.append("pattern is empty")
    if spec.times < 0:
        problems.append("times is negative")
    try:
        seconds_of(spec.window)
    except ValueError as error:
        problems.append(f"window is a duration such as 10m: {error}")
    return tuple(problems)


def _outside(selector: str) -> str:
    """Return a selector without its placeholders."""
    for slot in reversed(promql_text.scan(selector)[0]):
        selector = selector[: slot.start] + selector[slot.end :]
    return selector


def questions(probe: ProbeSpec[LokiSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the queries; none without a Loki."""
    sources, spec, subject = probe_context.sources, probe.spec, probe_context.subject
    if not sources.loki:
        return ()
    values = {"workload": subject.service or subject.name, **subject.values, "namespace": subject.namespace}
    names = sorted({slot.name for slot in promql_text.scan(spec.selector)[0]})
    missing = [name for name in names if not values.get(name)]
    # A query appears on pages and in links: it must not hold what looks like a secret.
    unfit = [
        name
        for name in names
        if name not in missing and (len(values[name]) > _LONGEST_VALUE or redact(values[name]) != values[name])
    ]
    skip = f"the alert has no label {', '.join(missing)}" if missing else ""
    skip = skip or (f"label {', '.join(unfit)} is too long or holds a secret" if unfit else "")
    selector = spec.selector if skip else promql_text.fill(spec.selector, values)
    lines = f'{selector} |~ "{promql_text.escape(spec.pattern)}"'
    counts = (
        f"sum(count_over_time({lines} [{spec.window}]))",
        f"sum(count_over_time({lines} [{spec.window}] offset 1d))",
    )
    base = sources.loki.rstrip("/")
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="loki",
            target=subject_name(probe_context),
            query=lines,
            timeout=probe.timeout,
            link="" if skip or not sources.grafana else _link(sources.grafana, lines, spec.window),
            skip=skip,
            wire=LokiQuery(
                base=base,
                lines=lines,
                counts=counts,
                tenant=sources.loki_tenant,
                window=seconds_of(spec.window),
                spec=spec,
            ),
            endpoint=base,
        ),
    )


def _link(grafana: str, lines: str, window: str) -> str:
    """Return the address of the query in Grafana's Explore, for the data source named loki."""
    pane = {
        "datasource": "loki",
        "queries": [{"refId": "A", "expr": lines}],
        "range": {"from": f"now-{window}", "to": "now"},
    }
    return f"{grafana.rstrip('/')}/explore?{urlencode({'left': json.dumps(pane)})}"


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Run the queries. Errors that are far more frequent than a day ago are a warning, others a fact."""
    wire: LokiQuery = question.wire
    began = tools.clock.monotonic()
    now = tools.clock.now().timestamp()
    headers = {"X-Scope-OrgID": wire.tenant} if wire.tenant else {}

    def get(path: str, shape: msgspec.json.Decoder[Any], **query: Any) -> Any:
        url = f"{wire.base}/loki/api/v1/{path}?{urlencode(query)}"
        return fetch(tools.outgoing, url, shape, deadline, _CAP, headers).data.result

    try:
        count, before = (
            sum(float(each.value[1]) for each in get("query", _COUNT_ANSWER, query=query, time=f"{now:.0f}"))
            for query in wire.counts
        )
        start, end = f"{(now - wire.window) * 1e9:.0f}", f"{now * 1e9:.0f}"
        streams = (
            get("query_range", _LINES_ANSWER, query=wire.lines, start=start, end=end, limit=_LINES) if count else []
        )
    except UnreachableError as error:
        return unreachable(question, UnreachableError(f"Loki: {error}"), tools.clock.monotonic() - began)
    except (NoAnswerError, ValueError) as error:
        took = tools.clock.monotonic() - began
        return answer(question, Verdict.UNKNOWN, f"Loki: {error} after {span(took)}", duration=took)
    took = tools.clock.monotonic() - began
    lines = [line for _, line in sorted(value for stream in streams for value in stream.values)]
    risen = bool(wire.spec.times) and count >= _FEW and count >= before * wire.spec.times
    said = signature(lines, warnings=True)
    fact = f"{plain(count)} error {'line' if count == 1 else 'lines'} in {wire.spec.window} ({plain(before)} a day ago)"
    return answer(
        question,
        Verdict.BAD if risen else Verdict.OK,
        f"{fact}: {said}" if said else fact,
        detail="\n".join(lines[-20:]),
        duration=took,
        warning=risen,
        judged=risen,
    )


KIND = ProbeKind(
    name="loki",
    spec=LokiSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"GET ",
    setting="loki_url",
)
