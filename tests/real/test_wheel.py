"""The package as users install it, by pipx and by uv, without a checkout."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from responder import __version__
from responder.standins.processes import responder_serve
from responder.standins.stage import Stage
from scripts.package import lay_out
from tests.real.conftest import until

ROOT = Path(__file__).parents[2]
ADDRESS = "https://git.example.com/responder"
#: Programs of the development tools.
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.timeout(600)


def _run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PIP: tuple[str | Path, ...] = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    lay_out(source, ADDRESS)
    _run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], folder)
    (found,) = folder.glob("alertmanager_responder-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder in which the wheel is installed alone; the packages it needs are those of the tests."""
    _run([*PIP, "install", "--no-deps", "--target", wheel.parent / "site", wheel], wheel.parent)
    return wheel.parent / "site"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the locked packages, whose hashes pip has checked, and of pip, which pipx installs beside them."""
    folder = tmp_path_factory.mktemp("locked")
    pins = (ROOT / "requirements-dev.txt").read_text()
    (folder / "pip.txt").write_text("pip==" + pins.partition("\npip==")[2].partition("    # via")[0])
    files: list[str | Path] = ["-r", ROOT / "requirements.txt", "-r", folder / "pip.txt"]
    _run([*PIP, "download", "--require-hashes", "--only-binary=:all:", "--dest", folder, *files], folder)
    return folder


def _install(tool: str, wheel: Path, locked: Path, folder: Path) -> Path:
    """Install the wheel with a tool, without any index; return the command."""
    command: list[str | Path]
    if tool == "uv":
        command = [BIN / "uv", "tool", "install", "--python", sys.executable, "--no-index", "--find-links", locked]
        _run([*command, wheel], folder, UV_TOOL_DIR=f"{folder}/tools", UV_TOOL_BIN_DIR=f"{folder}/bin")
    else:
        command = [BIN / "pipx", "install", "--python", sys.executable]
        command += [f"--pip-args=--no-compile --no-index --find-links={locked}", wheel]
        _run(command, folder, PIPX_HOME=f"{folder}/tools", PIPX_BIN_DIR=f"{folder}/bin", PIPX_MAN_DIR=f"{folder}/man")
    return folder / "bin" / "responder"


def test_the_wheel_is_described(wheel: Path) -> None:
    """Licence, classifiers, addresses and types are declared; presets and the demo's files are included, tests not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = (each for each in names if each.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(archive.read(path))
    assert (about["License-Expression"], about["Version"]) == ("Apache-2.0", __version__)
    addresses = dict(each.split(", ") for each in about.get_all("Project-URL", []))
    assert {*addresses} == {"Source", "Changelog", "Documentation", "Issues"}
    assert all(each.startswith(ADDRESS) for each in addresses.values())
    assert f"(https://git.example.com/responder/raw/v{__version__}/docs/images/slack-page.png)" in about.get_payload()
    assert "Typing :: Typed" in about.get_all("Classifier", [])
    assert about["Author"]
    assert {"responder/py.typed", "responder/presets/kafka.yaml"} <= set(names)
    assert "responder/example/alerts/service-down.json" in names
    assert [each for each in names if each.startswith(("tests/", "scripts/", "benchmarks/"))] == []


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_an_installed_wheel_runs_in_an_empty_folder(tool: str, wheel: Path, locked: Path, tmp_path: Path) -> None:
    """`demo`, `dry-run` and `init` need no file besides the package, and what `init` wrote is then used."""
    command = _install(tool, wheel, locked, tmp_path)
    folder = tmp_path / "empty"
    folder.mkdir()

    def responder(*arguments: str | Path) -> str:
        return _run([command, *arguments], folder)

    assert responder("--version") == f"responder, version {__version__}\n"
    (alert,) = tmp_path.glob("tools/**/site-packages/responder/example/alerts/service-down.json")
    assert "common-issues.md#service-down" in responder("dry-run", str(alert))
    if tool == "pipx":  # the longest command, and the same program with either tool
        few = tmp_path / "few"
        few.mkdir()
        shutil.copy(alert, few)
        assert "service-down" in responder("demo", "--once", "--examples", few)
    assert list(folder.iterdir()) == []
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
