"""``responder health``: check every service in the catalog, and list the pods of their namespaces like kubectl."""

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.bootstrap.kubernetes import AccessError
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import OUTPUT, TIMEOUT
from responder.cli.table import Column, print_rows
from responder.model.clock import Deadline
from responder.model.finding import Finding, Origin, Verdict
from responder.model.incident import Subject
from responder.model.problem import Position
from responder.model.rule import ProbeSpec, RuleBook
from responder.runbooks.command import CommandLine
from responder.runbooks.kubectl import KubectlCall
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.steps.run import StepTools

_COLOURS = {"ok": "green", "bad": "red", "unknown": "yellow", "skipped": "white"}
#: Phases and reasons of a pod that has done its work.
_DONE = frozenset({"Completed", "Succeeded"})
_CELLS = re.compile(r" {3,}")


@click.command()
@click.option(
    "--timeout", metavar="SECONDS", type=TIMEOUT, default=5.0, show_default=True, help="Total for all services."
)
@OUTPUT
def health(*, timeout: float, output: str) -> None:
    """Check the health of every service in the catalog, in parallel, and the pods of their namespaces.

    Pods are those of `kubectl get pods -o wide` and `kubectl top pods`, if access to a cluster is configured.

    Exit status: 0 if all are healthy, 1 if a service is unhealthy or unknown or a pod is not ready, 2 for a wrong
    command line.
    """
    from responder import telemetry

    with named_failures():
        settings = bootstrap.settings_from_environment()
        telemetry.configure(settings.log_format, settings.secrets(), for_good=False)
        book = bootstrap.load_rules(settings.rules, settings.runbooks)
        findings = _ask_all(settings, book, timeout)
        pods, note = pod_rows(settings, book, timeout)
    columns = (
        *(
            Column("SERVICE" if not pods else "SERVICE OR POD"),
            Column("STATUS", colours=_COLOURS),
            Column("SECONDS", right=True),
        ),
        Column("FINDING"),
    )
    print_rows((*findings, *pods), output, columns, _cells, _fields)
    well, ready = (sum(found.verdict.value == "ok" for found in each) for each in (findings, pods))
    click.echo(f"{well} of {len(findings)} services healthy", err=True)
    click.echo(note or f"{ready} of {len(pods)} pods ready", err=True)
    if well < len(findings) or ready < len(pods):
        sys.exit(FAILED)


def _ask_all(settings: Settings, book: RuleBook, timeout: float) -> tuple[Finding, ...]:
    from responder.diagnose.contract import ProbeContext
    from responder.diagnose.probes.http import KIND, HttpSpec

    spec = ProbeSpec(
        name="health",
        kind="http",
        timeout=timeout,
        spec=HttpSpec(url="${health}", of="all", health=True),
        position=Position("responder health", 1, 1),
    )
    everyone = Subject(service=None, namespace=book.namespace, name="", values={})
    questions = KIND.questions(spec, ProbeContext(subject=everyone, services=book.services, prometheus_url=""))
    return bootstrap.probe_once(questions, settings, timeout)


def _cells(found: Finding) -> tuple[str, ...]:
    headline = found.headline.removeprefix(f"{found.target}: ")
    return found.target, found.verdict.value, f"{found.duration:.2f}", headline


def _fields(found: Finding) -> dict[str, Any]:
    """Element of ``--output json``. Scripts rely on its keys: add, never rename."""
    return {
        ("pod" if found.origin is Origin.CLUSTER else "service"): found.target,
        "verdict": found.verdict.value,
        "headline": found.headline,
        "seconds": round(found.duration, 3),
    }


def pod_rows(settings: Settings, book: RuleBook, timeout: float) -> tuple[tuple[Finding, ...], str]:
    """Return a finding for each pod, and a note if the pods, or their usage, could not be read. Raises FatalError."""
    from responder.diagnose.steps.run import NotRunError

    scope = bootstrap.scope_of(settings, book)
    try:
        with bootstrap.step_tools(settings, bootstrap.SystemClock()) as tools:
            if tools.cluster is None:
                return (), "pods not checked: no access to a Kubernetes cluster is configured (RESPONDER_KUBECONFIG)"
            return tuple(row for each in sorted(scope.namespaces) for row in _pods(each, timeout, tools)), ""
    except AccessError as error:
        raise FatalError(str(error)) from error
    except NotRunError as error:
        return (), f"pods not checked: {error}"


def _pods(namespace: str, timeout: float, tools: "StepTools") -> list[Finding]:
    """Return a finding for each pod of a namespace. Raises NotRunError if they cannot be listed."""
    from responder.diagnose.steps.run import NotRunError

    began = tools.clock.monotonic()
    listed = _rows("get", {"-o": "wide", "--no-headers": ""}, namespace, timeout, tools)
    took = tools.clock.monotonic() - began
    try:
        used = {row[0]: row[1:] for row in _rows("top", {"--no-headers": ""}, namespace, timeout, tools)}
    except NotRunError:  # no metrics server: the pods themselves are known
        used = {}
    over = _leftovers(namespace, timeout, tools) if any(len(row) > 2 and _has_ended(row[2]) for row in listed) else {}
    found = []
    for name, ready, status, restarts, age, _, node, *_ in (row for row in listed if len(row) >= 7):
        here, _, wanted = ready.partition("/")
        well = status in _DONE or name in over or (status == "Running" and here == wanted)
        usage = f", CPU {used[name][0]}, memory {used[name][1]}" if len(used.get(name, ())) == 2 else ""
        note = f" ({over[name]})" if name in over else ""
        said = f"{ready} {status}, restarts {restarts}, age {age}, on {node}{usage}{note}"
        found.append(
            Finding(
                probe="pods",
                kind="kubernetes",
                target=name,
                verdict=Verdict.OK if well else Verdict.BAD,
                headline=said,
                origin=Origin.CLUSTER,
                query=f"kubectl --namespace={namespace} get pods -o wide",
                duration=took,
            )
        )
    return found


def _has_ended(status: str) -> bool:
    """Return True if a pod with this status may have ended. One that runs or starts has another status."""
    return status not in _DONE | {"Running", "Pending", "ContainerCreating", "PodInitializing", "Terminating"}


def _leftovers(namespace: str, timeout: float, tools: "StepTools") -> Mapping[str, str]:
    """Return why ended pods are no fault, by name; nothing if the pods or Jobs could not be read."""
    from responder.diagnose.cluster.leftovers import leftovers
    from responder.diagnose.cluster.reader import Reader, UnseenError, listing

    if tools.cluster is None:
        return {}
    reader, until = Reader(tools.cluster, tools.clock), Deadline(tools.clock.monotonic() + timeout)
    try:
        pods, jobs = (reader.objects(listing(kind, namespace), until) for kind in ("Pod", "Job"))
    except UnseenError:
        return {}
    return leftovers(pods, jobs)


def _rows(verb: str, options: dict[str, str], namespace: str, timeout: float, tools: "StepTools") -> list[list[str]]:
    from responder.diagnose.steps.run import run

    command = CommandLine(("kubectl", verb, "pods"), KubectlCall(verb, "Pod", (), namespace, options))
    output = run(command, Deadline(tools.clock.monotonic() + timeout), tools)
    return [_CELLS.split(line) for line in output.text.splitlines()]
