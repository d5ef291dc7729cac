"""Every command of the docs can be run as it stands there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from responder.standins.monitoring import alertmanager, alertmanager_config, prometheus, prometheus_config
from responder.standins.processes import free_port
from responder.standins.stage import Stage, stage
from tests.real.conftest import ROOT, example, need, until
from tests.real.test_sigkill import rows

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

DATA: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "docs_commands.yaml").read_text())
#: A fence of a shell; four spaces before it would make it a block of text.
FENCE = re.compile(r"^ {0,3}```(sh|bash|console)\b[^\n]*\n(.*?)^ {0,3}```$", re.MULTILINE | re.DOTALL)
#: Files that the docs say to write, with the setting, or the text, that they hold.
SECRETS = {
    "secrets/webhook-token": "RESPONDER_WEBHOOK_TOKEN",
    "secrets/pagerduty-key": "RESPONDER_PAGERDUTY_ROUTING_KEY",
    "secrets/slack-token": "RESPONDER_SLACK_BOT_TOKEN",
    "secrets/console-users": "ann:operate:scrypt:32768:8:1$c2FsdA==$a2V5",
    "secrets/oidc-client": "a secret of this test",
    "etc/responder/database-url": "RESPONDER_DATABASE_URL",
}
API_TOKEN = "of-this-test-and-nothing-else"
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if FENCE.search(path.read_text("utf-8"))
]

#: `serve` and `console` run until they are stopped: here until they answer, on another port and database.
PRELUDE = r"""
set -euo pipefail
curl() { command curl -fsS "$@"; }
diff() { command diff "$@" > /dev/null || [ $? = 1 ]; }
until_ready() {
  command responder "$@" & local process=$! tries=0
  until (: < "/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
    [ $((tries += 1)) -lt 600 ] && kill -0 $process && sleep 0.1 || return
  done
  kill $process; wait $process || true
}
responder() {
  case " $* " in
    *" --help "* | *" --check "* | *" --settings "* | *" --hash "*) ;;
    " serve "*)
      RESPONDER_LISTEN=127.0.0.1:$PORT RESPONDER_DATABASE_URL=sqlite:///$OTHER_DATABASE until_ready "$@"
      return ;;
    " console "*) until_ready console --listen "127.0.0.1:$PORT" --insecure; return ;;
  esac
  responder.run "$@"
}
responder.run() { command responder "$@"; }
"""


@dataclass(frozen=True, slots=True)
class World:
    """Servers that the commands reach. ``values`` are those that the data file names."""

    stage: Stage
    values: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A `serve` with its console and one open incident, which Alertmanager holds too."""
    need("prometheus", "prometheus-alertmanager", "curl")
    folder = tmp_path_factory.mktemp("world")
    console = f"127.0.0.1:{free_port()}"
    tokens = {"api_token": f"{'r' * 40} act:{API_TOKEN}", "console_listen": console, "console_auth": "none"}
    with contextlib.ExitStack() as servers:
        here = servers.enter_context(stage(folder, rules=ROOT / "rules", runbooks=ROOT / "runbooks"))
        receiver = servers.enter_context(alertmanager(folder, alertmanager_config(here.webhook_url, here.token)))
        scrape = prometheus_config(here.butterfly.scrape_targets, [receiver.url])
        metrics = servers.enter_context(prometheus(folder, scrape, '{"groups": []}'))
        around = {"alertmanager": receiver.url, "prometheus": metrics.url}
        servers.enter_context(here.serve(**{f"{name}_url": url for name, url in around.items()}, **tokens))
        assert here.post(example("service-down")).status == 202
        until(lambda: rows(here.database, "SELECT 1 FROM incidents"))
        ((incident,),) = rows(here.database, "SELECT id FROM incidents")
        values = {"incident": str(incident), "serve": here.url, "console": f"http://{console}", "api_token": API_TOKEN}
        yield World(here, values | around)


def _stubs() -> str:
    """Functions of the shell in the place of commands that cannot be run."""
    given: dict[str, list[str]] = {}
    for words in DATA["stubs"]:
        program, _, subcommand = words.partition(" ")
        given.setdefault(program, []).append(f'*" {subcommand} "*' if subcommand else "*")
    return "\n".join(
        f"{'responder.run' if program == 'responder' else program}() "
        f'{{ case " $* " in {" | ".join(patterns)}) ;; *) command {program} "$@";; esac; }}'
        for program, patterns in given.items()
    )


def _fences(page: Path) -> list[str]:
    """The commands of each fence of a page. In a fence ``console`` they follow a prompt."""
    return [
        "\n".join(re.findall(r"^\s*\$ (.*)$", text, re.MULTILINE)) if language == "console" else dedent(text)
        for language, text in FENCE.findall(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_succeed(page: Path, world: World, tmp_path: Path) -> None:
    """Each fence of commands ends with status 0, and the settings that it exports are valid."""
    before: dict[str, str] = DATA["before"].get(page.relative_to(ROOT).as_posix(), {})
    fences = _fences(page)
    assert [start for start in before if not any(text.startswith(start) for text in fences)] == []
    for name in ("rules", "runbooks", "examples", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("tmp", "backup", "secrets", "etc/systemd/system", "etc/responder"):
        (tmp_path / name).mkdir(parents=True)
    for name, setting in SECRETS.items():
        (tmp_path / name).write_text(world.stage.settings.get(setting, setting))
    for text in fences:
        env = _environment(world, tmp_path)
        for name in re.findall(r"export (RESPONDER_\w+?)(?:_FILE)?=", text):
            env.pop(name, None)
        script = "".join(f"{setup}\n" for start, setup in before.items() if text.startswith(start)) + text
        if "export RESPONDER_" in text and not re.search(r"^responder ", text, re.MULTILINE):
            script += "\nresponder serve --settings > /dev/null\n"
        for old, new in DATA["replace"].items():
            script = script.replace(old, new)
        for name, value in {**world.values, "folder": str(tmp_path)}.items():
            script = script.replace(f"{{{name}}}", value)
        status, said = _run(f"{PRELUDE}{_stubs()}\n{script}", tmp_path, env)
        assert status == 0, f"{page.name}:\n{text}\n{said[-4000:]}"


def _run(script: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Exit status and output of a script, whose processes all end with it."""
    bash = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = bash.communicate("a password of this test\n" * 2, timeout=100)
    except subprocess.TimeoutExpired:
        os.killpg(bash.pid, signal.SIGKILL)
        said, _ = bash.communicate(timeout=10)
    return bash.returncode, said


def _environment(world: World, folder: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env |= world.stage.settings
    env |= {f"RESPONDER_{name.upper()}_URL": world.values[name] for name in ("alertmanager", "prometheus")}
    env |= {"RESPONDER_RULES": str(folder / "rules"), "RESPONDER_RUNBOOKS": str(folder / "runbooks")}
    env |= {
        "RESPONDER_WORKERS": "1",
        "PORT": str(free_port()),
        "OTHER_DATABASE": str(folder / "other.db"),
        "HOME": str(folder),
    }
    return env | {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}


def test_every_exception_is_needed() -> None:
    """A command that the docs do not have any more is not excused any more."""
    text = "\n".join(fence for page in PAGES for fence in _fences(page))
    called = [words for words in DATA["stubs"] if not re.search(rf"\b{words.replace(' ', '( .*)? ')}\b", text)]
    assert called == []
    assert [old for old in DATA["replace"] if old not in text] == []
    assert set(DATA["before"]) <= {page.relative_to(ROOT).as_posix() for page in PAGES}
