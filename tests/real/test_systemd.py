"""The systemd unit: valid, hardened, and with what it sets the installed package pages."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from responder.standins.processes import responder_serve
from responder.standins.stage import Stage
from tests.real.conftest import ROOT, example, until
from tests.real.test_wheel import installed, wheel

pytestmark = pytest.mark.real
__all__ = ["installed", "wheel"]  # fixtures

UNIT = ROOT / "deploy" / "systemd" / "responder.service"
#: Highest exposure of `systemd-analyze security`, in tenths: a unit without hardening has more than 90.
MOST_EXPOSURE = 20


def values(key: str) -> list[str]:
    """The values of a key of the unit, in their order."""
    lines = UNIT.read_text("utf-8").splitlines()
    return [line.partition("=")[2].removeprefix("-") for line in lines if line.startswith(f"{key}=")]


def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    """Systemd knows every key of the unit, and rates what a broken responder could reach as low."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("sudo apt install systemd")
    unit = tmp_path / "responder.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/responder/bin/responder", "/bin/true"), "utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    # It exits with 0 for an unknown key and only prints it.
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)]
    done = subprocess.run(rated, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_what_the_unit_starts_is_ready_and_pages(stage: Stage, installed: Path, tmp_path: Path) -> None:
    """From nothing: the wheel, started with the unit's variables and credentials, tells systemd READY and pages."""
    etc, state, credentials = tmp_path / "etc", tmp_path / "state", tmp_path / "credentials"
    for folder in (etc, state / "responder", credentials):
        folder.mkdir(parents=True)
    shutil.copytree(ROOT / "rules", etc / "rules")
    shutil.copytree(ROOT / "runbooks", etc / "runbooks")
    for line in values("LoadCredential"):
        name, _, path = line.partition(":")
        assert path == f"/etc/responder/secrets/{name}"
        (credentials / name).write_text(stage.settings[f"RESPONDER_{name.replace('-', '_').upper()}"])
    places = {"%S": str(state), "%d": str(credentials), "/etc/responder": str(etc)}
    env = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    for line in values("Environment"):
        name, _, value = line.partition("=")
        for place, path in places.items():
            value = value.replace(place, path)
        env[name] = value
    # Of the file /etc/responder/environment: where the vendors are, here.
    env |= {name: value for name, value in stage.settings.items() if name.endswith(("_URL", "_CHANNEL", "_TO"))} | {
        name: env[name] for name in ("RESPONDER_DATABASE_URL", "RESPONDER_RULES", "RESPONDER_RUNBOOKS")
    }
    env["RESPONDER_LISTEN"] = stage.settings["RESPONDER_LISTEN"]
    assert values("ExecStart") == ["/opt/responder/bin/responder serve"]
    assert values("Type") == ["notify"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(60)
        with responder_serve({**env, "NOTIFY_SOCKET": str(tmp_path / "notify")}, state / "responder"):
            assert b"READY=1" in notified.recv(4096)
            assert stage.post(example("service-down")).status == 202
            until(stage.pagerduty.open)
    assert (state / "responder" / "responder.db").stat().st_mode & 0o077 == 0
