"""The installed package: what a user has after `pip install`, without a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from responder.standins.processes import responder_serve
from responder.standins.stage import Stage
from tests.real.conftest import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a wheel of this checkout is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "responder", "rules", "runbooks", "examples"):
        (source / name).symlink_to(ROOT / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)], folder)
    (wheel,) = folder.glob("alertmanager_responder-*.whl")
    _run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], folder)
    return folder / "site"


def _run(command: list[str], folder: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    done = subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """`demo`, `dry-run` and `init` need no file besides the installed package, and what `init` wrote is then used."""
    assert not (installed / "tests").exists()

    def responder(*arguments: str) -> str:
        return _run([sys.executable, "-P", "-m", "responder", *arguments], tmp_path, PYTHONPATH=str(installed))

    where = [sys.executable, "-P", "-c", "import responder; print(responder.__file__)"]
    assert _run(where, tmp_path, PYTHONPATH=str(installed)).startswith(str(installed))
    alert = installed / "responder" / "example" / "alerts" / "service-down.json"
    assert "common-issues.md#service-down" in responder("dry-run", str(alert))
    assert "service-down" in responder("demo", "--once")
    assert list(tmp_path.iterdir()) == []
    responder("init", ".", "--preset", "kafka")
    responder("rules", "check", "--strict")
    assert "any-down  (rules/80-meaning.yaml:" in responder("dry-run", str(alert))


def test_what_init_wrote_receives_an_alert_and_pages(stage: Stage, installed: Path, tmp_path: Path) -> None:
    """In an empty folder the wheel's `init` writes rules with which its `serve` takes an alert to PagerDuty."""
    kept = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    folder = tmp_path / "set"
    folder.mkdir()
    _run([sys.executable, "-P", "-m", "responder", "init", ".", "--preset", "postgres"], folder, **kept)
    here = {"RESPONDER_RULES": str(folder / "rules"), "RESPONDER_RUNBOOKS": str(folder / "runbooks")}
    labels = {"alertname": "PostgresqlDown", "instance": "orders-db-0:9187", "severity": "critical"}
    alert = {"status": "firing", "labels": labels, "startsAt": "2026-03-02T10:00:00Z", "fingerprint": f"{1:016x}"}
    body = {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "responder", "alerts": [alert]}
    with responder_serve({**stage.settings, **kept, **here}, folder):
        assert stage.post(json.dumps({**body, "groupLabels": labels, "commonLabels": labels}).encode()).status == 202
        until(stage.pagerduty.open)
        (incident,) = stage.pagerduty.open()
    assert incident.title == "[P1] orders-db-0: PostgreSQL down (prod)"
