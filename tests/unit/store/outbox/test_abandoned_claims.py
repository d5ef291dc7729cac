"""A start knows whether anybody else lives who uses the database, and frees what the dead had claimed only then."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from responder import bootstrap
from responder.settings import read
from responder.store.database import Database
from responder.store.outbox import claims, outbox
from responder.store.schema.migrate import migrate
from tests.support.builders import NOW, a_draft

_LOOK = """
import sys
from responder.store.database import Database
with Database(sys.argv[1]).joining() as alone:
    print(alone, flush=True)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A SQLite file."""
    return f"sqlite:///{tmp_path / 'responder.db'}"


def alone(url: str) -> bool:
    """True if a process that checks now, and exits, is the only one."""
    ended = subprocess.run([sys.executable, "-c", _LOOK, url], capture_output=True, check=True, text=True)
    return ended.stdout == "True\n"


def test_what_a_forked_worker_holds_outlives_its_parent(url: str) -> None:
    """A worker whose gunicorn master was killed still works: its messages are not taken before it is gone too."""
    command = [sys.executable, "-c", f"{_LOOK}\nimport os\nif os.fork() == 0: sys.stdin.read()", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "True\n"
        assert parent.wait(10) == 0
        assert not alone(url)
        parent.stdin.close()  # the worker ends
        assert parent.stdout.read() == ""
    assert alone(url)


def test_claims_of_the_dead_are_free_at_once(url: str) -> None:
    """Slack's message that a dead process was sending is sent after the restart, and not six seconds later."""
    database, settings = Database(url), read({"RESPONDER_DATABASE_URL": url})
    migrate(database)
    queue, now = claims.ChannelQueue(("slack",)), bootstrap.SystemClock().now()
    message = a_draft(channel="slack", step="post")
    with database.write() as connection:
        outbox.write(connection, [message], NOW)
        assert claims.claim(connection, queue, now, now + timedelta(hours=1), 1)
    bootstrap.join_store(settings)
    with database.write() as connection:
        later = now + timedelta(seconds=5)
        assert claims.claim(connection, queue, later, later + timedelta(hours=1), 1)
    bootstrap.join_store(settings)  # not alone any more: this process has joined
    with database.write() as connection:
        assert not claims.claim(connection, queue, later, later + timedelta(hours=1), 1)
    database.close()
