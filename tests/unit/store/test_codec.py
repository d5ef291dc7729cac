"""Nouns are read back by many threads at once."""

from __future__ import annotations

import subprocess
import sys

CROWD = """
import dataclasses, sys, threading
from responder.store.codec import to_bytes, to_noun

sys.setswitchinterval(1e-6)
for _ in range(60):
    inner = dataclasses.make_dataclass("Inner", [(f"b{n}", int) for n in range(10)])
    noun = dataclasses.make_dataclass("Noun", [(f"a{n}", inner | None) for n in range(30)])
    data = to_bytes({f"a{n}": None for n in range(30)})
    start = threading.Barrier(6)

    def read():
        start.wait()
        assert isinstance(to_noun(noun, data), noun)

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
