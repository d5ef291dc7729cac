"""Nouns are read back by many threads at once, and by replicas of another version."""

from __future__ import annotations

import subprocess
import sys

from responder.model.finding import Verdict
from responder.model.report import MessageKind, Report, Status
from responder.store.schema.serialization import from_bytes, to_bytes
from tests.support.builders import a_report

CROWD = """
import dataclasses, sys, threading
from responder.store.schema.serialization import to_bytes, from_bytes

sys.setswitchinterval(1e-6)
for _ in range(60):
    inner = dataclasses.make_dataclass("Inner", [(f"b{n}", int) for n in range(10)])
    noun = dataclasses.make_dataclass("Noun", [(f"a{n}", inner | None) for n in range(30)])
    data = to_bytes({f"a{n}": None for n in range(30)})
    start = threading.Barrier(6)

    def read():
        start.wait()
        assert isinstance(from_bytes(noun, data), noun)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_read_a_noun_for_the_first_time_at_once_do_not_end_the_process() -> None:
    """A worker survives its first seconds, when all its threads read their first messages together."""
    done = subprocess.run([sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_newer_replica_wrote_can_be_read_and_told() -> None:
    """During a rollout the old version sends the pages of the new one, whatever words it does not know yet."""
    newer = to_bytes(a_report(kind=MessageKind.LATE))
    for word in (b'"late"', b'"Investigating"', b'"bad"'):
        assert word in newer
        newer = newer.replace(word, b'"of a later version"')
    report = from_bytes(Report, newer.replace(b"{", b'{"added":1,', 1))
    assert (report.kind, report.status) == (MessageKind.UPDATE, Status.INVESTIGATING)
    assert report.findings[0].verdict is Verdict.UNKNOWN
