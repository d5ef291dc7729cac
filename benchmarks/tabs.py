"""Open tabs of the console in a process of their own, which takes only the processor time that nothing else wants.

Browsers run on other machines: here they must not take from ``serve`` what they would not take there.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import threading

#: Seconds between two updates of a tab.
POLL_SECONDS = 5.0
_TIMEOUT_SECONDS = 60.0


def tab(port: int, wait: float, done: threading.Event, statuses: list[int]) -> None:
    """Ask for the updates of a page until ``done`` as a browser does: with the tag of what it has."""
    tag = ""
    done.wait(wait)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)) as connection:
        while not done.is_set():
            connection.request("GET", "/", headers={"If-None-Match": tag, "HX-Request": "true"})
            answer = connection.getresponse()
            answer.read()
            tag = answer.headers.get("ETag", "")
            statuses.append(answer.status)
            done.wait(POLL_SECONDS)


def main() -> None:
    """Keep so many tabs open until standard input ends, then print the statuses of their updates."""
    port, count = map(int, sys.argv[1:])
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    done, statuses = threading.Event(), []
    threads = [
        threading.Thread(target=tab, args=(port, POLL_SECONDS * number / count, done, statuses))
        for number in range(count)
    ]
    for each in threads:
        each.start()
    sys.stdin.read()
    done.set()
    for each in threads:
        each.join()
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
