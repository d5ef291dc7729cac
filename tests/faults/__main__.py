"""``python -m tests.faults``: plays seeds, some at once, and prints what each showed. ``make faults`` calls it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.faults import page
from tests.faults.disk import small_disk
from tests.faults.play import Result, play


def main() -> int:
    """Exit status 1 where a seed broke the promise."""
    wanted = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="responder-faults-"))
    seeds = [wanted.seed] if wanted.seed else list(range(1, wanted.seeds + 1))
    results = []
    with small_disk(folder / "try") as granted:
        if not granted:
            print("left out: disk full (mounting a small disk takes root)")
    with ProcessPoolExecutor(min(wanted.jobs, len(seeds)), mp_context=get_context("spawn")) as pool:
        running = {pool.submit(partial(play, seed, _place(folder, seed))): seed for seed in seeds}
        for ended in as_completed(running):
            result = ended.result()
            results.append(result)
            _tell(result, folder, verbose=bool(wanted.seed))
    if len(results) >= page.ENOUGH:
        page.write(results, datetime.now(UTC).date())
        print(f"figures: {page.PAGE}")
    return _sum_up(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, help="play this seed only, and print its timeline")
    parser.add_argument("--seeds", type=int, default=10, help="play the seeds 1 to N (default 10)")
    parser.add_argument("--jobs", type=int, default=2, help="seeds played at once (default 2)")
    return parser.parse_args()


def _place(folder: Path, seed: int) -> Path:
    place = folder / f"seed-{seed}"
    place.mkdir()
    return place


def _tell(result: Result, folder: Path, *, verbose: bool) -> None:
    worst = max((page.seconds - page.budget for page in result.pages if page.seconds is not None), default=0.0)
    print(
        f"seed {result.seed:4} {result.engine:10}"
        f" {'FAILED' if result.problems else 'passed'} in {result.seconds:4.0f} s:"
        f" {result.alerts} alerts, {result.acknowledged} webhooks, {len(result.pages)} pages,"
        f" the latest {worst:+.2f} s from its budget",
        flush=True,
    )
    if result.problems or verbose:
        print(f"  faults: {'; '.join(f'{each.name} at {each.at:.1f} s' for each in result.planned)}")
        print(result.timeline)
        print(f"  logs: {folder / f'seed-{result.seed}'}")
    for problem in result.problems:
        print(f"  PROBLEM  {problem}", flush=True)


def _sum_up(results: Sequence[Result]) -> int:
    failed = sorted(result.seed for result in results if result.problems)
    print(f"{len(results) - len(failed)} of {len(results)} seeds passed")
    for seed in failed:
        print(f"again: make faults SEED={seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
