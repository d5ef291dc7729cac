"""Why PostgreSQL lets nobody in, where waiting helps nothing: its error code, which its language does not change.

psycopg's errors of a connection that never was hold a text in the server's language, and no SQLSTATE. libpq's trace of
the connection holds it, so the server is asked once more. Imported only where PostgreSQL is used.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import NotSupportedError, pq
from psycopg.conninfo import make_conninfo

from responder.model.clock import Clock

PASSWORD, USER, DATABASE = "28P01", "28000", "3D000"
_CODE = re.compile(rb'\tErrorResponse\t.*? C "([0-9A-Z]{5})"')


def refusal(parameters: Mapping[str, Any], clock: Clock, seconds: float) -> str:
    """The SQLSTATE with which every host refuses us for what the URL says; empty where one of them may yet let us in.

    Each host is given ``seconds``. Where there is no such trace (it takes Linux) the answer is empty, too.
    """
    if not hasattr(os, "memfd_create"):
        return ""
    codes = [_ask(each, clock, seconds) for each in _hosts(parameters)]
    return codes[0] if all(codes) else ""


def _hosts(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parameters for each host alone: libpq itself would stop at the first that answers."""
    lists = {name: str(parameters[name]).split(",") for name in ("host", "hostaddr", "port") if name in parameters}
    for number in range(max(map(len, lists.values()), default=1)):
        yield {**parameters, **{name: given[min(number, len(given) - 1)] for name, given in lists.items()}}


def _ask(parameters: Mapping[str, Any], clock: Clock, seconds: float) -> str:
    connection = pq.PGconn.connect_start(make_conninfo("", **parameters).encode())
    sink = os.memfd_create("refusal", os.MFD_CLOEXEC)  # in memory: it holds what is sent in proof of the password
    try:
        connection.trace(sink)
        failed = _failed(connection, clock, seconds)
        connection.untrace()  # which writes out what it holds
        codes = _CODE.findall(os.pread(sink, os.fstat(sink).st_size, 0)) if failed else []
        if failed and connection.needs_password:  # the server wants one, and the URL has none
            codes = [PASSWORD.encode()]
    except NotSupportedError:
        codes = []
    finally:
        connection.finish()
        os.close(sink)
    code = codes[-1].decode() if codes else ""
    return code if code in {PASSWORD, USER, DATABASE} else ""


def _failed(connection: pq.abc.PGconn, clock: Clock, seconds: float) -> bool:
    """Whether it came to an answer, and that is no."""
    end = clock.monotonic() + seconds
    while connection.status != pq.ConnStatus.BAD and (left := end - clock.monotonic()) > 0:
        step = connection.connect_poll()
        if step in {pq.PollingStatus.OK, pq.PollingStatus.FAILED}:
            return step == pq.PollingStatus.FAILED
        poll = select.poll()
        poll.register(connection.socket, select.POLLIN if step == pq.PollingStatus.READING else select.POLLOUT)
        poll.poll(left * 1000)
    return False
