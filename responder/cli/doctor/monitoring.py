"""Checks of Prometheus, of Alertmanager and of what the probes ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from responder.cli.doctor.patient import DoctorContext
from responder.cli.doctor.receiver import judge
from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.finding import Finding, Verdict
from responder.model.text import number_of
from responder.notify.render.response import decoded, text_of
from responder.outgoing import UnreachableError


def prometheus(patient: DoctorContext) -> tuple[Result, ...]:
    """Whether a query is answered, and by which version."""
    url = patient.settings.prometheus_url.rstrip("/")
    if not url:
        return (warn("prometheus", "is not configured: promql probes are skipped", "set RESPONDER_PROMETHEUS_URL"),)
    try:
        response = patient.ask(f"{url}/api/v1/query?query=vector(1)")
        build = decoded(patient.ask(f"{url}/api/v1/status/buildinfo"))
    except UnreachableError as error:
        return (bad("prometheus", str(error), "see RESPONDER_PROMETHEUS_URL and the network"),)
    if decoded(response).get("status") != "success":
        change = _change(response.status, "RESPONDER_PROMETHEUS_TOKEN")
        return (bad("prometheus", f"does not answer a query: HTTP {response.status}", change),)
    data = build.get("data")
    version = text_of(data.get("version")) if isinstance(data, dict) else ""
    return (ok("prometheus", f"answers queries{f', version {version}' if version else ''}"),)


def alertmanager(patient: DoctorContext) -> tuple[Result, ...]:
    """Whether our receiver is in its configuration, and whether the routes suit it."""
    urls = [url for some in patient.settings.alertmanager_url.values() for url in some]
    if not urls:
        reason = "is not configured: an incident whose resolve was never delivered stays open"
        return (warn("alertmanager", reason, "set RESPONDER_ALERTMANAGER_URL, so that incidents are reconciled"),)
    return tuple(result for url in urls for result in _alertmanager(patient, url.rstrip("/")))


def _alertmanager(patient: DoctorContext, url: str) -> tuple[Result, ...]:
    from responder.rulebook.yaml.reader import read
    from responder.triage.matchers import parse, predicate

    try:
        response = patient.ask(f"{url}/api/v2/status")
    except UnreachableError as error:
        return (bad("alertmanager", str(error), "see RESPONDER_ALERTMANAGER_URL and the network"),)
    answer = _whole(response.body)
    config = answer.get("config")
    text = config.get("original") if isinstance(config, dict) else None
    data = read("alertmanager", text.encode()).data if isinstance(text, str) else None
    if not isinstance(data, dict):
        change = _change(response.status, "RESPONDER_ALERTMANAGER_TOKEN")
        return (bad("alertmanager", f"HTTP {response.status} without a configuration", change),)
    told = answer.get("versionInfo")
    version = text_of(told.get("version")) if isinstance(told, dict) else ""
    heartbeats = patient.book.heartbeats if patient.book else ()
    try:
        found = judge("alertmanager", data, heartbeats, parse, predicate, patient.settings)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return (warn("alertmanager", f"its configuration has a part we cannot read: {error}", "compare it by hand"),)
    return (ok("alertmanager", f"answers, version {version}"), *found)


def _change(status: int, token: str) -> str:
    return (
        f"set {token}, or write USER:PASSWORD@ before the host" if status in {401, 403} else "is it the base address?"
    )


def _whole(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def targets(patient: DoctorContext) -> tuple[Result, ...]:
    """Every address that a probe may ask, asked once: the catalogue's and those of the rule files."""
    from responder.diagnose.contract import ProbeContext, ProbeQuestion, ProbeTools
    from responder.diagnose.prober import Prober
    from responder.diagnose.probes import PROBES
    from responder.model.decision import Subject

    if patient.book is None:
        return (skipped("targets", "the rules cannot be used"),)
    book = patient.book
    asks: dict[str, ProbeQuestion] = {}
    for name, service in book.services.items():
        values = {"service": name, "namespace": service.namespace}
        who = Subject(service=name, namespace=service.namespace, name=name, values=values, why="", rejected=())
        scene = ProbeContext(subject=who, services=book.services, prometheus_url="")
        for probe in book.probes.values():
            if probe.kind != "promql":
                for ask in PROBES[probe.kind].asks(probe, scene):
                    if not ask.skip:
                        asks.setdefault(ask.question, ask)
    if not asks:
        return (skipped("targets", "no probe asks an address"),)
    prober = Prober(PROBES, ProbeTools(outgoing=patient.outgoing, clock=patient.clock))
    try:
        findings = prober.run(list(asks.values()), patient.deadline)
    finally:
        prober.close()
    by_target: dict[str, list[Finding]] = {}
    for finding in findings:
        by_target.setdefault(finding.target, []).append(finding)
    return tuple(_target(name, found) for name, found in by_target.items())


def _target(name: str, findings: Sequence[Finding]) -> Result:
    """What its probes say together: could not be asked, not well, or well."""
    unasked = [each for each in findings if each.verdict is Verdict.UNKNOWN]
    unwell = [each for each in findings if each.verdict is Verdict.BAD]
    probes = ", ".join(each.probe for each in unasked or unwell)
    if unasked:
        what = f"{name} cannot be asked by {probes}: {unasked[0].headline.removeprefix(f'{name}: ')}"
        return bad("targets", what, "see its address in the rule files, and the network from here")
    if unwell:
        what = f"{name} is not well for {probes}: {unwell[0].headline.removeprefix(f'{name}: ')}"
        return warn("targets", what, "is it really so, or is the probe wrong?")
    return ok("targets", f"{name} answers {number_of(len(findings), 'probe')}")
