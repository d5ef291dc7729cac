"""``responder health``: check the health endpoint of every service in the catalog."""

import sys
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FAILED, named_failures
from responder.cli.options import OUTPUT, TIMEOUT
from responder.cli.table import Column, print_rows

if TYPE_CHECKING:
    from responder.model.finding import Finding
    from responder.model.rule import RuleBook
    from responder.settings import Settings

_COLOURS = {"ok": "green", "bad": "red", "unknown": "yellow", "skipped": "white"}


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
    from responder.cli.pod_rows import pod_rows

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


def _ask_all(settings: "Settings", book: "RuleBook", timeout: float) -> "tuple[Finding, ...]":
    from responder.diagnose.contract import ProbeContext
    from responder.diagnose.probes import PROBES
    from responder.diagnose.probes.http import HttpSpec
    from responder.model.decision import Subject
    from responder.model.problem import Position
    from responder.model.rule import ProbeSpec

    spec = ProbeSpec(
        name="health",
        kind="http",
        timeout=timeout,
        spec=HttpSpec(url="${health}", of="all", health=True),
        position=Position("responder health", 1, 1),
    )
    everyone = Subject(service=None, namespace=book.namespace, name="", values={}, why="", rejected=())
    questions = PROBES["http"].questions(
        spec, ProbeContext(subject=everyone, services=book.services, prometheus_url="")
    )
    return bootstrap.probe_once(questions, settings, timeout)


def _cells(found: "Finding") -> tuple[str, ...]:
    headline = found.headline.removeprefix(f"{found.target}: ")
    return found.target, found.verdict.value, f"{found.duration:.2f}", headline


def _fields(found: "Finding") -> dict[str, Any]:
    """Element of ``--output json``. Scripts rely on its keys: add, never rename."""
    return {
        ("pod" if found.kind == "kubernetes" else "service"): found.target,
        "verdict": found.verdict.value,
        "headline": found.headline,
        "seconds": round(found.duration, 3),
    }
