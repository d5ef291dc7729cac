"""Fixtures of the tests with real processes: a folder of their own, and programs that CI requires."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from responder.standins.stage import Stage, stage

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "alerts"


def need(*programs: str) -> None:
    """Skip where a program is missing and say which Debian package has it; under CI it must be there."""
    absent = [name for name in programs if shutil.which(name) is None]
    if absent and os.environ.get("CI"):
        pytest.fail(f"CI must have these Debian packages: {' '.join(absent)}")
    if absent:
        pytest.skip(f"sudo apt install {' '.join(absent)}")


def example(name: str) -> bytes:
    """A sample payload."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds; a test that waits in vain fails here."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"did not happen within {seconds:g} s")
        time.sleep(0.02)


@pytest.fixture(name="stage")
def a_stage(tmp_path: Path) -> Iterator[Stage]:
    """Stand-ins for everything around `serve`, with the shipped rules and runbooks."""
    with stage(tmp_path, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as found:
        yield found
