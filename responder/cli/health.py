"""``responder health``: the service health quick check of the runbooks, for all services at once."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.fail import FAILED, named_failures

if TYPE_CHECKING:
    from responder.model.finding import Finding

_COLOURS = {"ok": "green", "bad": "red", "unknown": "yellow", "skipped": "white"}


@click.command()
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for all of them together.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def health(*, timeout: float, output: str) -> None:
    """Ask every service of the catalogue how it is, all at once.

    Exit status: 0 when all are well, 1 when one is not or could not be asked, 2 for a wrong command line.
    """
    with named_failures():
        findings = _ask_all(timeout)
    if output == "json":
        rows = [
            {"service": f.target, "verdict": f.verdict.value, "headline": f.headline, "seconds": round(f.duration, 3)}
            for f in findings
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _table(findings)
    if any(found.verdict.value != "ok" for found in findings):
        sys.exit(FAILED)


def _ask_all(timeout: float) -> tuple[Finding, ...]:
    from responder.diagnose.contract import Scene
    from responder.diagnose.probes import PROBES
    from responder.diagnose.probes.http import HttpSpec
    from responder.model.clock import Deadline
    from responder.model.decision import Subject
    from responder.model.problem import Place
    from responder.model.rule import ProbeSpec

    settings = bootstrap.settings_from_environment()
    book = bootstrap.load_rules(settings.rules, settings.runbooks)
    clock = bootstrap.SystemClock()
    spec = ProbeSpec(
        name="health",
        kind="http",
        timeout=timeout,
        spec=HttpSpec(url="${health}", of="all", health=True),
        place=Place("responder health", 1, 1),
    )
    everyone = Subject(service=None, namespace=book.namespace, name="", values={}, why="", rejected=())
    asks = PROBES["http"].asks(spec, Scene(subject=everyone, services=book.services, prometheus_url=""))
    prober = bootstrap.prober(settings, clock)
    try:
        return prober.run(asks, Deadline(clock.monotonic() + timeout))
    finally:
        prober.close()


def _table(findings: tuple[Finding, ...]) -> None:
    width = max([len(found.target) for found in findings] + [7])
    click.echo(click.style(f"{'SERVICE':<{width}}  {'STATUS':<8} {'SECONDS':>7}  FINDING", bold=True))
    for found in findings:
        status = click.style(f"{found.verdict.value:<8}", fg=_COLOURS[found.verdict.value])
        click.echo(f"{found.target:<{width}}  {status} {found.duration:>7.2f}  {found.headline}")
    well = sum(found.verdict.value == "ok" for found in findings)
    click.echo(f"{well} of {len(findings)} services are well", err=True)
