"""PromQL probe: the value of an expression, now or over a range, judged by two thresholds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from responder.diagnose import promql_text
from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, figure, span, unreachable
from responder.diagnose.plan import UNKNOWN_SERVICE, service_of, subject_name
from responder.diagnose.promql_text import PromqlError, Series
from responder.model.clock import Deadline, time_of_epoch
from responder.model.finding import Finding, Origin, Verdict
from responder.model.message import Request
from responder.model.redaction import redact
from responder.model.rule import ProbeSpec
from responder.model.text import seconds_of
from responder.outgoing import UnreachableError

_CAP = 1024 * 1024
_LONGEST_VALUE = 1024
#: Characters of a query that is sent by GET; a longer one is sent by POST.
_LONGEST_GET = 1800
_MOST_POINTS = 1000
_USUAL_POINTS = 60
_KEPT_POINTS = 240
_SHOWN = 3
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: ``{value}``, ``{value restart}``, ``{limit}`` or ``{label}`` in a headline; a value at its beginning, and the words
#: that introduce one at its end.
_SLOT = re.compile(r"\{(\w+)(?: (\w+))?\}")
_LEADING = re.compile(r"^\{value(?: (\w+))?\} ?(of )?")
_TRAILING = re.compile(r"(?<=\w)(?: (?:in|of|on|for|to)(?: \w+)?)? …$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromqlSpec:
    """A query, instant or over a range. Without thresholds its value is a fact and never bad."""

    expr: str = field(
        metadata={"help": "PromQL; ${label} inside matchers' strings, ${selector} for the catalog's matchers"}
    )
    headline: str = field(
        default="",
        metadata={
            "help": "the value in words, such as '{value restart} in the last hour ({limit})': {value}, {value NOUN}, "
            "{limit} and {label} are filled in, other text is followed by the value; empty: the probe's name"
        },
    )
    bad_headline: str = field(
        default="", metadata={"help": "the same when a threshold is exceeded; empty: the headline"}
    )
    past_headline: str = field(
        default="",
        metadata={"help": "the same for a negative value, which is shown without its sign: 'expired {value} ago'"},
    )
    unit: Literal["percent", "ratio", "seconds", "bytes", "days", "count", "bool", "none"] = field(
        default="none",
        metadata={"help": "how to show the value; a ratio of 0.142 is shown as 14.2%, a bool as the headline alone"},
    )
    when: Literal["above", "below"] = field(default="above", metadata={"help": "which side of a threshold is wrong"})
    warn: float | None = field(default=None, metadata={"help": "beyond it is a warning"})
    bad: float | None = field(default=None, metadata={"help": "beyond it is bad"})
    range: str = field(default="", metadata={"help": "how far back, 1h; empty: an instant query"})
    optional: bool = field(
        default=False,
        metadata={"help": "true for a metric that not every subject has: no finding without its label or data"},
    )
    step: str = field(default="", metadata={"help": "how far apart the points of a range lie; empty: a sixtieth of it"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PromqlQuery:
    """The filled expression and where to ask it. ``window`` and ``step`` are seconds, 0 for an instant query."""

    base: str
    expr: str
    window: int
    step: int
    words: str
    spec: PromqlSpec


def check(spec: PromqlSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems = list(promql_text.scan(spec.expr)[1])
    if not spec.expr.strip():
        problems.append("expr is empty")
    if spec.warn is not None and spec.bad is not None:
        in_order = spec.warn <= spec.bad if spec.when == "above" else spec.warn >= spec.bad
        if not in_order:
            problems.append(f"warn ({spec.warn:g}) is beyond bad ({spec.bad:g}), with when: {spec.when}")
    for key, text in (
        ("headline", spec.headline),
        ("bad_headline", spec.bad_headline),
        ("past_headline", spec.past_headline),
    ):
        if len(text) > 60 or "\n" in text:
            problems.append(f"{key} must be one line of at most 60 characters")
    if spec.step and not spec.range:
        problems.append("step needs a range")
    try:
        window, step = _window(spec)
    except ValueError as error:
        problems.append(f"range and step are durations such as 1h or 30s: {error}")
    else:
        if step and window / step > _MOST_POINTS:
            problems.append(f"range and step make {window // step} points, at most {_MOST_POINTS} are allowed")
    return tuple(problems)


def _window(spec: PromqlSpec) -> tuple[int, int]:
    if not spec.range:
        return 0, 0
    window = int(seconds_of(spec.range))
    return window, int(seconds_of(spec.step)) if spec.step else max(1, window // _USUAL_POINTS)


def questions(probe: ProbeSpec[PromqlSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the query; skipped if a label is missing or there is no Prometheus, left out if it is optional then."""
    spec = probe.spec
    names = {slot.name for slot in promql_text.scan(spec.expr)[0]}
    values, skip = _values(names, probe_context)
    if promql_text.SELECTOR in names and service_of(probe_context) is None:
        spec = replace(spec, optional=not skip or spec.optional)  # its metrics may be others than those of the catalog
    if skip and spec.optional:
        return ()
    expr = spec.expr if skip else promql_text.fill(spec.expr, values)
    base = probe_context.prometheus_url.rstrip("/")
    window, step = _window(spec)
    over = f" over {spec.range} by {span(step)}" if window else ""
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="promql",
            origin=Origin.METRICS,
            target=subject_name(probe_context),
            query=expr + over,
            timeout=probe.timeout,
            link="" if skip or not base else _link(base, expr, spec.range),
            skip=skip or ("" if base else "no Prometheus is configured"),
            wire=PromqlQuery(
                base=base, expr=expr, window=window, step=step, words=spec.headline or probe.name, spec=spec
            ),
            endpoint=base,
        ),
    )


def _values(names: set[str], probe_context: ProbeContext) -> tuple[Mapping[str, str], str]:
    """Return the value of each placeholder, or the reason to skip the query."""
    subject = probe_context.subject
    values = dict(subject.values)
    if subject.service is not None:
        values["service"] = subject.service
    values["namespace"] = subject.namespace
    values[promql_text.NEIGHBORS] = _neighbors(values)
    if promql_text.SELECTOR in names:
        service = service_of(probe_context)
        name, namespace = (service.name, service.namespace) if service else (values.get("workload"), subject.namespace)
        if not name or not namespace:
            return {}, UNKNOWN_SERVICE
        values[promql_text.SELECTOR] = (service.selector if service else "") or (
            f'namespace="{promql_text.escape(namespace)}",service="{promql_text.escape(name)}"'
        )
    missing = sorted(name for name in names if not values.get(name))
    if missing:
        return {}, f"the alert has no label {', '.join(missing)}"
    # A query appears on pages and in links: it must not hold what looks like a secret.
    unfit = sorted(
        name
        for name in names - promql_text.MATCHERS
        if len(values[name]) > _LONGEST_VALUE or redact(values[name]) != values[name]
    )
    return values, f"label {', '.join(unfit)} is too long or holds a secret" if unfit else ""


def _neighbors(values: Mapping[str, str]) -> str:
    """Return matchers for the alerts around the subject: its namespace, its node, its instance, or no namespace."""
    name = next((each for each in ("namespace", "node", "instance") if values.get(each)), "namespace")
    return f'{name}="{promql_text.escape(values.get(name, ""))}"'


def _link(base: str, expr: str, window: str) -> str:
    parts = urlsplit(base)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    over = {"g0.tab": "0", "g0.range_input": window} if window else {"g0.tab": "1"}
    return f"{bare}/graph?{urlencode({'g0.expr': expr} | over)}"


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding | tuple[Finding, ...]:
    """Run the query; the worst series decides. No data, NaN, errors and partial answers are unknown, never ok."""
    wire: PromqlQuery = question.wire
    began = tools.clock.monotonic()
    now = tools.clock.now().timestamp()
    try:
        response = tools.outgoing.query(_request(wire, now, deadline.left(began)), deadline, _CAP)
        found, doubts = promql_text.read(response.status, response.body, _CAP)
    except UnreachableError as error:
        reason = UnreachableError(f"{without_value(wire.words)}: Prometheus: {error}")
        return unreachable(question, reason, tools.clock.monotonic() - began)
    except PromqlError as error:
        if wire.spec.optional and str(error) == promql_text.NO_DATA:
            return ()
        took = tools.clock.monotonic() - began
        fact = f"{without_value(wire.words)}: {error}"
        return answer(question, Verdict.UNKNOWN, fact, detail=error.detail, duration=took)
    took = tools.clock.monotonic() - began
    ranked = sorted(found, key=lambda each: each.latest, reverse=wire.spec.when == "above")
    lines = [_line(each, wire.spec.unit) for each in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        lines.append(f"and {len(ranked) - _SHOWN} more")
    detail = "\n".join([*lines, *([doubts] if doubts else [])])
    ranked = _speaking(ranked, wire, now)
    worst = ranked[0]
    points = worst.points[-_KEPT_POINTS:] if wire.window else ()
    silent = _silent(worst, wire, now)
    if silent:
        last = figure(worst.latest, wire.spec.unit)
        fact = f"{without_value(wire.words)}: no data for {span(silent)}, last value {last}"
        return answer(question, Verdict.UNKNOWN, fact, detail=detail, duration=took, points=points)
    verdict, warning, limit = _judge(worst.latest, wire.spec)
    judged = wire.spec.warn is not None or wire.spec.bad is not None
    words = wire.spec.bad_headline if verdict is Verdict.BAD and wire.spec.bad_headline else wire.words
    if worst.latest < 0 and wire.spec.past_headline:
        words = wire.spec.past_headline
    fact = _fact(words, wire.spec, ranked, limit, judged=judged)
    if verdict is Verdict.OK and judged and doubts:
        verdict, fact = Verdict.UNKNOWN, f"{fact}, but {doubts}"
    age, since = _age(words, wire.spec, worst, now)
    return answer(
        question,
        verdict,
        fact,
        detail=detail,
        duration=took,
        warning=warning,
        judged=judged,
        points=points,
        age=age,
        since=since,
        threshold=wire.spec.warn if wire.spec.bad is None else wire.spec.bad,
    )


def without_value(words: str) -> str:
    """Return a headline without its value: ``number of restarts in the last hour``, ``last rollout … ago``."""

    def leading(slot: re.Match[str]) -> str:
        return f"number of {slot[1]}s " if slot[1] else f"{'share' if slot[2] else 'number'} of "

    text = _LEADING.sub(leading, words.replace(" ({limit})", ""))
    return _TRAILING.sub("", _SLOT.sub(lambda slot: f"… {slot[2]}s" if slot[2] else "…", text))


def _silent(found: Series, wire: PromqlQuery, now: float) -> float:
    """Return the seconds since the last point of a range, 0 if it is recent."""
    silent = now - found.points[-1][0] if wire.window else 0.0
    return silent if silent > 2 * wire.step + 60 else 0.0


def _speaking(ranked: list[Series], wire: PromqlQuery, now: float) -> list[Series]:
    """Return the series with recent points if they decide: pods that a rollout replaced have series that ended.

    Return all of them if one that ended was beyond a threshold and no recent one is: it may still be so.
    """
    living = [each for each in ranked if not _silent(each, wire, now)]
    if not living:
        return ranked
    verdicts = _judge(living[0].latest, wire.spec)[0], _judge(ranked[0].latest, wire.spec)[0]
    return ranked if verdicts == (Verdict.OK, Verdict.BAD) else living


def _request(wire: PromqlQuery, now: float, left: float) -> Request:
    # Prometheus' durations have no fractions: it refuses 3.0s.
    query = {"query": wire.expr, "timeout": f"{max(100, int(left * 1000))}ms"}
    if wire.window:
        times = {"start": f"{now - wire.window:.3f}", "end": f"{now:.3f}", "step": str(wire.step)}
        url, form = f"{wire.base}/api/v1/query_range", urlencode(query | times)
    else:
        url, form = f"{wire.base}/api/v1/query", urlencode(query)
    if len(form) > _LONGEST_GET:
        return Request(url, form.encode(), _FORM)
    return Request(f"{url}?{form}", b"", {}, "GET")


def _judge(value: float, spec: PromqlSpec) -> tuple[Verdict, bool, str]:
    """Return the verdict, True if it is only a warning, and the limit that matters, such as ``critical > 5%``."""

    def beyond(limit: float | None) -> bool:
        return limit is not None and (value > limit if spec.when == "above" else value < limit)

    def words(name: str, limit: float | None) -> str:
        sign = ">" if spec.when == "above" else "<"
        return f"{name} {sign} {figure(limit, spec.unit)}" if limit is not None else ""

    if beyond(spec.bad):
        return Verdict.BAD, False, words("critical", spec.bad)
    if beyond(spec.warn):
        return Verdict.BAD, True, words("warning", spec.warn)
    return Verdict.OK, False, words("warning", spec.warn) or words("critical", spec.bad)


def _fact(words: str, spec: PromqlSpec, ranked: list[Series], limit: str, *, judged: bool) -> str:
    """Return the value of the worst series as a sentence. Label values in it are foreign text."""
    worst = ranked[0]
    value = figure(abs(worst.latest) if words == spec.past_headline else worst.latest, spec.unit)
    named = worst.name

    def slot(found: re.Match[str]) -> str:
        nonlocal named
        name, noun = found[1], found[2]
        if name == "value":
            return f"{value} {noun if value == '1' else noun + 's'}" if noun else value
        if name == "limit":
            return limit or "no limit"
        named = ""
        return worst.labels.get(name) or "unknown"

    text = _SLOT.sub(slot, words).replace(" unknown)", ")")
    if spec.unit != "bool" and text == words and words != spec.past_headline:
        text = f"{words}: {value} ({limit})" if limit else f"{words}: {value}"
    if spec.range:
        text += _trend([value for _, value in worst.points], spec)
    others = len(ranked) - 1
    if others and judged:
        return f"{text}, worst of {others + 1}" + (f": {named}" if named else "")
    return ", ".join(filter(None, (text, named, f"and {others} more" if others else "")))


def _age(words: str, spec: PromqlSpec, worst: Series, now: float) -> tuple[str, datetime | None]:
    """Return the age in a headline such as ``last rollout {value} ago``, and the moment from which it counts."""
    if "{value} ago" not in words or spec.unit not in {"seconds", "days"}:
        return "", None
    value = abs(worst.latest)
    return f"{figure(value, spec.unit)} ago", time_of_epoch(now - value * (86400 if spec.unit == "days" else 1))


def _trend(values: list[float], spec: PromqlSpec) -> str:
    """Return how the value moved over the range, such as ``, up from 35% in 1h``; empty if it did not."""
    low, high, first, last = (figure(each, spec.unit) for each in (min(values), max(values), values[0], values[-1]))
    if low == high:
        return ""
    if {first, last} == {low, high}:
        return f", {'up' if values[-1] > values[0] else 'down'} from {first} in {spec.range}"
    return f", between {low} and {high} in the last {spec.range}"


def _line(found: Series, unit: str) -> str:
    return f"{figure(found.latest, unit)} {{{found.name}}}"


KIND = ProbeKind(name="promql", spec=PromqlSpec, check=check, questions=questions, run=run, opening=b"GET ")
