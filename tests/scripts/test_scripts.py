"""Commands and their output: each ``*.txt`` holds a command line, its exit status and everything that it prints.

UPDATE_SCRIPTS=1 writes what the commands print now into the files, for review. What differs from run to run (times,
versions, hashes) is replaced by a word in capitals.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from responder.store.database import Database
from responder.store.schema.migrate import migrate

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.glob("*.txt"))

CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC|\+00:00)"), "TIME"),
    (re.compile(r"#incident-\d{4}-\d\d-\d\d"), "#incident-DATE"),
    (re.compile(r"\d\d:\d\d(Z| UTC)"), "TIME"),
    (re.compile(r"(from|to)=\d{13}"), r"\1=EPOCH"),
    (re.compile(r"\b\d+ (d( \d+ h)?|h \d+ min|minutes?|seconds?)\b( \(\d+ (d( \d+ h)?|h \d+ min)\))?"), "AWHILE"),
    (re.compile(r"rules [0-9a-f]{12}|revision [0-9a-f]{12}"), "rules REVISION"),
    (re.compile(r"INC-[0-9A-Z]{10}"), "INC-ID"),
    (re.compile(r"(responder|version) \d+\.\d+\.\d+(\.dev\d+)?"), "responder VERSION"),
    (re.compile(r"\d[\d,]* of 512,000 bytes"), "SOME of 512,000 bytes"),
    (re.compile(r"blocks, \d+ characters"), "blocks, SOME characters"),
)


def settled(text: str) -> str:
    """Output of a command without the parts that change from run to run."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def run(command: str, folder: Path) -> str:
    """The transcript of a command line: ``NAME=value`` words before it are settings, ``< file`` is its input.

    ``folder`` holds the database.
    """
    line, _, source = command.partition(" < ")
    words = shlex.split(line)
    settings = dict(word.split("=", 1) for word in words if re.match(r"RESPONDER_\w+=", word))
    arguments = [word for word in words if not re.match(r"RESPONDER_\w+=", word)]
    own = ("RESPONDER_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith(own)}
    env |= {"RESPONDER_DATABASE_URL": f"sqlite:///{folder / 'responder.db'}", "NO_COLOR": "1", "COLUMNS": "100"}
    env |= settings
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=env,
        cwd=ROOT,
        input=(ROOT / source.strip()).read_text() if source else "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    parts = [f"$ {command}", f"exit status {done.returncode}"]
    for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        parts += [f"--- {name}", settled(text.replace(f"{ROOT}/", "HERE/"))] if text else []
    return "\n".join(parts) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of an empty database."""
    found = tmp_path_factory.mktemp("scripts")
    database = Database(f"sqlite:///{found / 'responder.db'}")
    migrate(database)
    database.close()
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.stem))
def test_a_command_prints_what_its_script_says(path: Path, folder: Path) -> None:
    """The output of each command equals the one on file."""
    expected = path.read_text()
    command = expected.splitlines()[0].removeprefix("$ ")
    found = run(command, folder)
    if os.environ.get("UPDATE_SCRIPTS"):
        path.write_text(found)
        return
    assert found == expected


def test_help_imports_nothing_heavy() -> None:
    """`responder --help` answers at once, since it loads none of the libraries that take their time."""
    heavy = ("flask", "sqlalchemy", "http.client", "pydantic", "re2", "structlog", "gunicorn", "msgspec", "yaml")
    code = (
        "import sys, contextlib\n"
        "from responder.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_serve_loads_no_library_for_terminals(tmp_path: Path) -> None:
    """A server does not keep rich and pygments in memory, which structlog and httpx load where they are installed."""
    code = (
        "import sys, contextlib\n"
        "from responder.cli import main\n"
        "command = ['serve', '--insecure', '--listen', '127.0.0.1:8199', '--rules', 'missing']\n"
        "with contextlib.suppress(SystemExit): main(command)\n"
        "import responder.outgoing.session\n"
        "print([name for name in ('structlog', 'httpx', 'rich', 'pygments') if sys.modules.get(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "['structlog', 'httpx']", done.stderr


def test_there_are_scripts() -> None:
    """An empty folder would pass silently."""
    assert len(SCRIPTS) >= 12
