"""Checks of Prometheus, Alertmanager and probe targets."""

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from responder.cli.doctor.context import DoctorContext
from responder.cli.doctor.receiver import check_config
from responder.diagnose.contract import ProbeContext, ProbeQuestion, ProbeTools
from responder.diagnose.prober import Prober
from responder.diagnose.probes import PROBES
from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.finding import Finding, Verdict
from responder.model.incident import Subject
from responder.model.text import number_of
from responder.notify.render.response import decoded, text_of
from responder.outgoing import UnreachableError
from responder.rulebook.yaml.reader import read


def prometheus(context: DoctorContext) -> tuple[Result, ...]:
    """Check that Prometheus answers a query; report its version."""
    url = context.settings.prometheus_url.rstrip("/")
    if not url:
        return (warn("prometheus", "not configured: promql probes are skipped", "set RESPONDER_PROMETHEUS_URL"),)
    try:
        response = context.query(f"{url}/api/v1/query?query=vector(1)")
        build = decoded(context.query(f"{url}/api/v1/status/buildinfo"))
    except UnreachableError as error:
        return (bad("prometheus", str(error), "check RESPONDER_PROMETHEUS_URL and the network"),)
    if decoded(response).get("status") != "success":
        change = _change(response.status, "RESPONDER_PROMETHEUS")
        return (bad("prometheus", f"query failed: HTTP {response.status}", change),)
    data = build.get("data")
    version = text_of(data.get("version")) if isinstance(data, dict) else ""
    return (ok("prometheus", f"answers queries{f', version {version}' if version else ''}"),)


def alertmanager(context: DoctorContext) -> tuple[Result, ...]:
    """Check that Alertmanager's configuration has the receiver and suitable routes."""
    urls = [url for some in context.settings.alertmanager_url.values() for url in some]
    if not urls:
        reason = "not configured: an incident stays open if its resolve notification is lost"
        return (warn("alertmanager", reason, "set RESPONDER_ALERTMANAGER_URL for reconciliation"),)
    return tuple(result for url in urls for result in _alertmanager(context, url.rstrip("/")))


def _alertmanager(context: DoctorContext, url: str) -> tuple[Result, ...]:
    try:
        response = context.query(f"{url}/api/v2/status")
    except UnreachableError as error:
        return (bad("alertmanager", str(error), "check RESPONDER_ALERTMANAGER_URL and the network"),)
    answer = _whole(response.body)
    config = answer.get("config")
    text = config.get("original") if isinstance(config, dict) else None
    data = read("alertmanager", text.encode()).data if isinstance(text, str) else None
    if not isinstance(data, dict):
        change = _change(response.status, "RESPONDER_ALERTMANAGER")
        return (bad("alertmanager", f"HTTP {response.status} without a configuration", change),)
    info = answer.get("versionInfo")
    version = text_of(info.get("version")) if isinstance(info, dict) else ""
    heartbeats = context.book.heartbeats if context.book else ()
    sources = [source for rule in context.book.rules for source in rule.teams] if context.book else []
    team_labels = {source.names for source in sources if source.names}
    try:
        found = check_config(data, heartbeats, context.settings, team_labels)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return (warn("alertmanager", f"its configuration cannot be fully parsed: {error}", "check it manually"),)
    return (ok("alertmanager", f"answers, version {version}"), *found, silences(context, url))


def silences(context: DoctorContext, url: str) -> Result:
    """Check the right to create silences by one without matchers, which every version refuses as invalid."""
    try:
        status = context.query(f"{url}/api/v2/silences", b'{"matchers":[]}').status
    except UnreachableError as error:
        return warn("alertmanager", f"not checked if it takes silences: {error}", "check the network")
    if status in {400, 422}:
        return ok("alertmanager", "takes silences: one without matchers was refused as invalid, and nothing created")
    if status in {401, 403, 405}:
        what = f"people cannot silence incidents: POST /api/v2/silences is answered with HTTP {status}"
        return warn("alertmanager", what, "let responder's user, or the proxy in front, write silences")
    what = f"not checked if it takes silences: HTTP {status} for one without matchers"
    return warn("alertmanager", what, "silence an incident to see if it works")


def _change(status: int, server: str) -> str:
    if status in {401, 403}:
        return f"set {server}_TOKEN, {server}_BASIC_AUTH, or {server}_CLIENT_CERT and {server}_CLIENT_KEY"
    return "use the server's base URL"


def _whole(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def targets(context: DoctorContext) -> tuple[Result, ...]:
    """Check every address that probes use, from the catalog and the rule files, once."""
    if context.book is None:
        return (skipped("targets", "the rules are invalid"),)
    book = context.book
    questions: dict[str, ProbeQuestion] = {}
    for name, service in book.services.items():
        values = {"service": name, "namespace": service.namespace}
        who = Subject(service=name, namespace=service.namespace, name=name, values=values)
        probe_context = ProbeContext(subject=who, services=book.services, prometheus_url="")
        for probe in book.probes.values():
            for question in PROBES[probe.kind].questions(probe, probe_context):
                if not question.skip:
                    questions.setdefault(question.query, question)
    if not questions:
        return (skipped("targets", "no probe uses an address"),)
    with closing(Prober(PROBES, ProbeTools(outgoing=context.outgoing, clock=context.clock))) as prober:
        findings = prober.run(list(questions.values()), context.deadline)
    by_target: dict[str, list[Finding]] = {}
    for finding in findings:
        by_target.setdefault(finding.target, []).append(finding)
    return tuple(_target(name, found) for name, found in by_target.items())


def _target(name: str, findings: Sequence[Finding]) -> Result:
    """Combine the results of a target's probes: unknown, unhealthy or healthy."""
    unanswered = [each for each in findings if each.verdict is Verdict.UNKNOWN]
    unhealthy = [each for each in findings if each.verdict is Verdict.BAD]
    probes = ", ".join(each.probe for each in unanswered or unhealthy)
    if unanswered:
        what = f"{name}: unknown for {probes}: {unanswered[0].headline.removeprefix(f'{name}: ')}"
        return bad("targets", what, "check its address in the rule files, and the network from this host")
    if unhealthy:
        what = f"{name}: fails {probes}: {unhealthy[0].headline.removeprefix(f'{name}: ')}"
        return warn("targets", what, "check the service, or fix the probe")
    return ok("targets", f"{name}: passes {number_of(len(findings), 'probe')}")
