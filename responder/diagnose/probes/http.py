"""HTTP probe: the status, values in a JSON body, or the health body of Spring Boot."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import HEALTH, UNKNOWN_SERVICE, check_url, endpoint, service_of, subject_name
from responder.diagnose.spring import health_result
from responder.model.clock import Deadline
from responder.model.finding import Finding, Origin, Verdict
from responder.model.message import Request, Response
from responder.model.rule import ProbeSpec, Service
from responder.model.text import sanitize_line
from responder.outgoing import UnreachableError

_CAP = 65536
_ACCEPT = "application/vnd.spring-boot.actuator.v3+json, application/json, */*;q=0.5"
_ABSENT = object()

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSpec:
    """A GET request: no redirects, no credentials, at most 64 KiB of the answer."""

    url: str = field(default=HEALTH, metadata={"help": "${health}, ${health}/more/path or an absolute http(s) address"})
    of: Literal["service", "dependencies", "all"] = field(
        default="service",
        metadata={"help": "whose ${health}: the service's, its dependencies', or those of all services"},
    )
    expect_status: tuple[int, ...] = field(default=(), metadata={"help": "good statuses; empty: 200 to 299"})
    expect_json: Mapping[str, Scalar] = field(
        default_factory=dict, metadata={"help": "dotted path in the JSON body: the value it must have"}
    )
    health: bool = field(
        default=False,
        metadata={"help": "judge by what the catalog expects of the service, or else by Spring Boot's health body"},
    )


@dataclass(frozen=True, slots=True)
class HttpQuery:
    """The address to ask and what to expect."""

    url: str
    spec: HttpSpec


def check(spec: HttpSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems = check_url("url", spec.url)
    if spec.of != "service" and not spec.url.startswith(HEALTH):
        problems += (f"of: {spec.of} needs {HEALTH} in url",)
    if spec.health and (spec.expect_status or spec.expect_json):
        problems += ("health: true judges by itself: leave expect_status and expect_json out",)
    problems += tuple(
        f"expect_status has {status}, which is no HTTP status"
        for status in spec.expect_status
        if not 100 <= status < 600
    )
    return problems + tuple(
        f"expect_json has the empty path {path!r}" for path in spec.expect_json if not path.strip(".")
    )


def questions(probe: ProbeSpec[HttpSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan a check for each service, or one for the literal address."""
    spec = probe.spec
    if not spec.url.startswith(HEALTH):
        return (_ask(probe, spec, endpoint(spec.url).host, spec.url, ""),)
    services, skip = _services(spec.of, probe_context)
    if skip:
        return (_ask(probe, spec, subject_name(probe_context), spec.url, skip),)
    return tuple(_about(probe, spec, service) for service in services)


def _about(probe: ProbeSpec[HttpSpec], spec: HttpSpec, service: Service) -> ProbeQuestion:
    if spec.health and (service.expect_status or service.expect_json):
        expected = dict(service.expect_json)
        spec = replace(spec, health=False, expect_status=service.expect_status, expect_json=expected)
    try:
        endpoint(service.health)
    except ValueError:
        return _ask(probe, spec, service.name, spec.url, "its health address in the catalog cannot be used")
    return _ask(probe, spec, service.name, service.health.rstrip("/") + spec.url.removeprefix(HEALTH), "")


def _ask(probe: ProbeSpec[HttpSpec], spec: HttpSpec, target: str, url: str, skip: str) -> ProbeQuestion:
    return ProbeQuestion(
        probe=probe.name,
        kind="http",
        origin=Origin.SERVICE,
        target=target,
        query=f"GET {url}",
        timeout=probe.timeout,
        link="" if skip else url,
        skip=skip,
        wire=HttpQuery(url, spec),
        endpoint=urlsplit(url).netloc,
    )


def _services(of: str, probe_context: ProbeContext) -> tuple[tuple[Service, ...], str]:
    if of == "all":
        return tuple(probe_context.services.values()), "" if probe_context.services else "the catalog is empty"
    service = service_of(probe_context)
    if service is None:
        return (), UNKNOWN_SERVICE
    if of == "service":
        return (service,), ""
    found = tuple(probe_context.services[name] for name in service.depends_on if name in probe_context.services)
    return found, "" if found else "no dependencies listed"


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Run the check. No response, or one of another kind than expected, is unknown; one that differs is bad."""
    wire: HttpQuery = question.wire
    began = tools.clock.monotonic()
    try:
        response = tools.outgoing.send(Request(wire.url, b"", {"Accept": _ACCEPT}, "GET"), deadline, _CAP)
    except UnreachableError as error:
        reason = UnreachableError(f"{'health' if wire.spec.health else 'HTTP'} check: {error}")
        return unreachable(question, reason, tools.clock.monotonic() - began)
    took = tools.clock.monotonic() - began
    if wire.spec.health:
        verdict, fact, detail = health_result(response.status, _json(response), span(took))
    else:
        verdict, fact, detail = _judge(wire.spec, response, span(took))
    return answer(question, verdict, fact, detail=detail, duration=took, names_target=True)


def _judge(spec: HttpSpec, response: Response, took: str) -> tuple[Verdict, str, str]:
    status = response.status
    if not (status in spec.expect_status if spec.expect_status else 200 <= status < 300):
        wanted = ", ".join(map(str, spec.expect_status)) or "200 to 299"
        return Verdict.BAD, f"{status} in {took}, expected {wanted}", _excerpt(response)
    if not spec.expect_json:
        return Verdict.OK, f"{status} in {took}", ""
    body = _json(response)
    if body is None:
        return Verdict.UNKNOWN, f"{status} in {took}, but no JSON to judge by", _excerpt(response)
    wrong = [text for path, wanted in spec.expect_json.items() if (text := _differs(body, path, wanted))]
    if wrong:
        return Verdict.BAD, f"{status} in {took}, {wrong[0]}", "\n".join(wrong)
    return Verdict.OK, f"{status} in {took}, {len(spec.expect_json)} values as expected", ""


def _differs(body: Any, path: str, wanted: Scalar) -> str:
    value = body
    for step in path.strip(".").split("."):
        if isinstance(value, dict):
            value = value.get(step, _ABSENT)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            value = _ABSENT
    if value is _ABSENT:
        return f"{path} is missing, expected {json.dumps(wanted)}"
    # In Python True equals 1; in JSON it does not.
    if value == wanted and isinstance(value, bool) is isinstance(wanted, bool):
        return ""
    shown = json.dumps(value) if not isinstance(value, (dict, list)) else type(value).__name__
    return f"{path} is {sanitize_line(shown, 80)}, expected {json.dumps(wanted)}"


def _json(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def _excerpt(response: Response) -> str:
    return response.body[:2048].decode("utf-8", "replace")


KIND = ProbeKind(name="http", spec=HttpSpec, check=check, questions=questions, run=run, opening=b"GET ")
