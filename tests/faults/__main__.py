"""``python -m tests.faults``: plays seeds, some at once, and prints what each showed. ``make faults`` calls it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import click

from responder.standins.monitoring import missing
from tests.faults import page
from tests.faults.disk import small_disk
from tests.faults.play import Result, play
from tests.support.postgres import PACKAGE, programs

_SEED = click.IntRange(min=1)


@click.command()
@click.option("--seed", type=_SEED, help="Play this seed only, and print its timeline.")
@click.option("--seeds", type=_SEED, default=10, show_default=True, help="Play so many seeds.")
@click.option("--first", type=_SEED, default=1, show_default=True, help="The first of them.")
@click.option("--jobs", type=_SEED, default=2, show_default=True, help="Seeds played at once.")
@click.option("--floods", is_flag=True, help="Let each seed be a flood: digests in place of most pages.")
def main(seed: int | None, seeds: int, first: int, jobs: int, *, floods: bool) -> None:
    """Send a known stream of alerts through a real pair of Alertmanagers while things break.

    A hundred seeds or more are written into docs/reliability.md. Exit status: 0 where every seed kept the promise, 1
    where one broke it, 2 for a wrong command line.
    """
    need_servers()
    folder = Path(tempfile.mkdtemp(prefix="responder-faults-"))
    with small_disk(folder / "try") as granted:
        if not granted:
            click.echo("left out: disk full (mounting a small disk takes root)")
    chosen = [seed] if seed else range(first, first + seeds)
    results = _play(chosen, jobs, folder, verbose=bool(seed), floods=floods)
    if len(results) >= page.ENOUGH and not floods:
        page.write(results, datetime.now(UTC).date())
        click.echo(f"figures: {page.PAGE}")
    sys.exit(_sum_up(results, " FLOODS=1" if floods else ""))


def need_servers() -> None:
    """Raise ClickException if a server that the suite needs is not installed."""
    packages = [name for name in missing() if name == "prometheus-alertmanager"]
    packages += [] if programs() else [PACKAGE]
    if packages:
        raise click.ClickException(f"these Debian packages are missing: sudo apt install {' '.join(packages)}")


def _play(seeds: Sequence[int], jobs: int, folder: Path, *, verbose: bool, floods: bool) -> list[Result]:
    """Each seed in a process of its own kind, so that one that measures is not held up by another."""
    results: list[Result] = []
    with ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(play, seed, folder / f"seed-{seed}", floods=floods) for seed in seeds]
        for ended in as_completed(running):
            results.append(ended.result())
            _tell(results[-1], f"{len(results)}/{len(seeds)}", folder, verbose=verbose)
    return results


def _tell(result: Result, progress: str, folder: Path, *, verbose: bool) -> None:
    latest = max((each.seconds - each.budget for each in result.pages if each.seconds is not None), default=0.0)
    verdict = click.style("FAILED", fg="red", bold=True) if result.problems else click.style("passed", fg="green")
    click.echo(
        f"{progress:>8}  seed {result.seed} on {result.engine} {verdict} in {result.seconds:.0f} s:"
        f" {result.alerts} alerts, {result.acknowledged} webhooks, {len(result.pages)} pages,"
        f" the latest {latest:+.2f} s from its budget"
    )
    place = folder / f"seed-{result.seed}"
    if result.problems or verbose:
        click.echo(f"  faults: {'; '.join(f'{each.name} at {each.at:.1f} s' for each in result.planned)}")
        click.echo(result.timeline)
        click.echo(f"  logs: {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)
    for problem in result.problems:
        click.secho(f"  PROBLEM  {problem}", fg="red")


def _sum_up(results: Sequence[Result], more: str) -> int:
    failed = sorted(result.seed for result in results if result.problems)
    click.echo(f"{len(results) - len(failed)} of {len(results)} seeds passed")
    for seed in failed:
        click.echo(f"again: make faults SEED={seed}{more}")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
