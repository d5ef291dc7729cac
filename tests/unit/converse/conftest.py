"""The counters of a test, and the refused actions among them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.counters import COUNTERS
from responder.web.multiprocess import CounterFiles


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CounterFiles]:
    """The counters of this process."""
    folder = tmp_path / "counters"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    files = CounterFiles(folder, 0)
    COUNTERS.open(files.open)
    yield files
    COUNTERS.close()


def refused(files: CounterFiles) -> float:
    """The refused actions so far."""
    samples = [sample for family in files.collect() for sample in family.samples]
    name, labels = "responder_actions_total", {"result": "refused"}
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())
