"""`responder demo` as a visitor meets it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from responder.standins.stage import RUNBOOKS_URL
from tests.real.conftest import EXAMPLES, need, until

pytestmark = pytest.mark.real

COMMAND = (sys.executable, "-m", "responder", "demo")


@pytest.fixture(name="few", scope="module")
def a_few_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An update, an end, a heartbeat and hostile text; the whole collection takes half a minute."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("high-error-rate", "hostile-text", "resolved", "watchdog"):
        shutil.copy(EXAMPLES / f"{name}.json", folder)
    return folder


@pytest.fixture(scope="module")
def ended(few: Path, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A demo of a few examples, in a pipe and without Prometheus and Alertmanager, that has ended by itself."""
    return demo("--once", "--examples", str(few), PATH=str(tmp_path_factory.mktemp("empty")))


def demo(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a demo that ends by itself."""
    env = dict(os.environ) | settings
    return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=100, check=False)


def text_of(url: str) -> str:
    """The page of a URL, empty while nothing answers there."""
    try:
        return str(urlopen(url, timeout=10).read().decode())
    except URLError:
        return ""


def test_the_demo_shows_pages_and_a_real_rule_and_ends_by_itself() -> None:
    """A visitor sees every shipped example become a page, and a real rule; the demo says whether all of them came."""
    need("prometheus", "prometheus-alertmanager")
    ended = demo("--once")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    examples = sorted(path.name for path in EXAMPLES.glob("*.json"))
    assert [name for name in examples if name not in ended.stdout] == []
    assert f"{len(examples)} sample payloads sent" in ended.stdout
    assert f"{RUNBOOKS_URL}/common-issues.md#high-error-rate" in ended.stdout
    assert "Heartbeat: no message." in ended.stdout
    assert "ServiceDown fires in Prometheus" in ended.stdout
    assert "[P1] nexus is down" in ended.stdout
    assert "MISSING" not in ended.stdout


def test_the_demo_expects_what_the_findings_decide(tmp_path: Path) -> None:
    """If a probe shows that a page may wait for the morning, the demo says so and does not count it as missing."""
    shutil.copy(EXAMPLES / "target-down.json", tmp_path)
    ended = demo("--once", "--examples", str(tmp_path), PATH=str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "P3 lowered from P2 to P3 because " in ended.stdout
    assert "0 PagerDuty triggers, 0 resolves" in ended.stdout


def test_the_demo_ends_what_it_began(ended: subprocess.CompletedProcess[str]) -> None:
    """Incidents that the examples open and resolve are resolved at PagerDuty at the end of the demo."""
    assert "4 sample payloads sent" in ended.stdout
    assert "1 PagerDuty triggers, 1 resolves, 0 incidents still open" in ended.stdout


def test_the_demo_says_how_to_get_what_is_missing(ended: subprocess.CompletedProcess[str]) -> None:
    """Without Prometheus and Alertmanager the demo still works, and says which packages to install."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "sudo apt install prometheus prometheus-alertmanager" in ended.stdout


def test_the_demo_cannot_be_steered_by_what_it_shows(ended: subprocess.CompletedProcess[str]) -> None:
    """In a pipe the demo is plain text, hostile alerts or not."""
    assert not [sign for sign in ended.stdout if not sign.isprintable() and sign not in "\n\ufe0f\u200d"]


def test_the_demo_has_a_page_with_buttons_that_work(tmp_path: Path) -> None:
    """A visitor acknowledges in a browser, PagerDuty's stand-in shows it in the terminal, and the console is open."""
    shutil.copy(EXAMPLES / "service-down.json", tmp_path)
    env = dict(os.environ) | {"PATH": str(tmp_path)}
    with subprocess.Popen(
        [*COMMAND, "--examples", str(tmp_path)], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            url = next(line for line in process.stdout if line.startswith("Press Acknowledge")).split()[-1]
            console = next(line for line in process.stdout if line.startswith("Console: ")).split()[-1]
            page = urlopen(url, timeout=10).read().decode()
            form = re.search(
                r'name="token" value="(\w+)"><input type="hidden" name="ts" value="([\d.]+)">\s*'
                r'<input type="hidden" name="action" value="responder_acknowledge">',
                page,
            )
            assert form is not None
            fields = {"token": form[1], "ts": form[2], "action": "responder_acknowledge"}
            assert urlopen(f"{url}page/press", urlencode(fields).encode(), timeout=10).status == 200
            assert next(line for line in process.stdout if "PagerDuty · acknowledged" in line)
            until(lambda: "plato is down" in text_of(console), 30)
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_a_demo_that_cannot_start_says_why(few: Path) -> None:
    """A port in use is named, and the exit status reports it to scripts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = demo("--once", "--examples", str(few), "--port", port)
    assert ended.returncode == 1
    assert port in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_behind(few: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Stopping the demo leaves no process and no file."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    env = dict(os.environ) | {"PATH": str(tmp_path), "TMPDIR": str(folder)}
    with subprocess.Popen([*COMMAND, "--examples", str(few)], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith("Webhook URL: ")).split()[-1]
        process.send_signal(number)
        assert process.wait(30) == 0
        assert "temporary files removed" in process.stdout.read()
    assert list(folder.iterdir()) == []
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port)), 5):
        pass
