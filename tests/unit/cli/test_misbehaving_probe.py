"""Output of commands that run probes when a probe misbehaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from click.testing import CliRunner

from responder.cli import main
from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.make_finding import answer
from responder.diagnose.probes import PROBES
from responder.model.finding import Finding, Verdict

ROOT = Path(__file__).parents[3]
SECRET = "plato"  # a word that every line about a probe of this service would hold


def overruns(question: ProbeQuestion, *_: Any) -> Finding:
    """A look that does not heed its deadline."""
    time.sleep(1.0)
    return answer(question, Verdict.UNKNOWN, "far too late")


def breaks(*_: Any) -> NoReturn:
    """A look with a bug."""
    raise RuntimeError("a bug of the probe")


@dataclass(frozen=True)
class Unruly:
    """A probe kind with the targets of the shipped kind and its own behaviour."""

    shipped: Any
    run: Callable[..., Any]

    def questions(self, *given: Any) -> tuple[ProbeQuestion, ...]:
        """The targets of the shipped kind."""
        found: tuple[ProbeQuestion, ...] = self.shipped.questions(*given)
        return found

    def findings(self, *given: Any) -> tuple[Finding, ...]:
        """The findings of its own behaviour."""
        return (self.run(*given),)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shipped, name)


@pytest.fixture
def _plain_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_plain_log")
@pytest.mark.parametrize(
    ("command", "run", "event"),
    [
        (("health", "--timeout", "0.2"), overruns, "probe given up"),
        (("dry-run", "--probe", str(ROOT / "examples/alerts/service-down.json")), breaks, "probe.failed"),
        (("doctor", "--timeout", "0.2"), overruns, "probe given up"),
    ],
    ids=("health", "dry-run", "doctor"),
)
def test_a_probe_that_misbehaves_leaves_the_output_readable(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], run: Callable[..., Any], event: str
) -> None:
    """A script that reads the JSON is not broken by what is logged beside it, and the log shows no secret."""
    for name, shipped in list(PROBES.items()):
        monkeypatch.setitem(PROBES, name, Unruly(shipped, run))
    env = {
        "RESPONDER_RULES": str(ROOT / "rules"),
        "RESPONDER_RUNBOOKS": str(ROOT / "runbooks"),
        "RESPONDER_DATABASE_URL": "sqlite:///missing/responder.db",
        "RESPONDER_WEBHOOK_TOKEN": SECRET,
        "RESPONDER_LOG_FORMAT": "json",
    }
    done = CliRunner().invoke(main, [*command, "--output", "json"], env=env)
    assert json.loads(done.stdout)
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert event in {line["event"] for line in logged}
    assert SECRET not in " ".join(str(line.get("target")) for line in logged)
