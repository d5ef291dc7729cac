"""Clients that send half a request, or never close, as many as wanted."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Self

#: Head of a webhook, without its end.
HEAD = b"POST /webhook/alertmanager HTTP/1.1\r\nHost: responder\r\nContent-Type: application/json\r\n"
#: What each kind of client sends at first, and then every half second.
KINDS = {
    "silent": (b"", b""),
    "dripping a head": (b"POST /webhook/alertmanager HTTP/1.1\r\n", b"X-A: b\r\n"),
    "dripping a body without a token": (HEAD + b"Content-Length: 100000\r\n\r\n{", b" "),
    "dripping chunks without a token": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    "finished but left open": (b"GET /healthz HTTP/1.1\r\nHost: responder\r\nConnection: close\r\n\r\n", b""),
    "answered and kept alive": (b"GET /healthz HTTP/1.1\r\nHost: responder\r\n\r\n", b""),
    "empty lines": (b"\r\n\r\n", b"\r\n"),
}


class SlowClients:
    """Connections that send ``begin`` and then ``drip`` every half second; a closed one is replaced."""

    def __init__(self, address: str, begin: bytes, drip: bytes, many: int, addresses: int = 1) -> None:
        host, _, port = address.rpartition(":")
        self._to, self._begin, self._drip, self._many = (host, int(port)), begin, drip, many
        self._from = itertools.cycle([f"127.0.0.{2 + number}" for number in range(addresses)])
        self._open: set[socket.socket] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.connected = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(20)
        for each in self._open:
            each.close()

    def _connect(self) -> None:
        made = socket.socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.bind((next(self._from), 0))
            made.settimeout(5)
            made.connect(self._to)
            made.setblocking(False)
            made.send(self._begin)
        except OSError:
            made.close()
        else:
            self._open.add(made)

    def _run(self) -> None:
        while not self._ending.is_set():
            while len(self._open) < self._many and not self._ending.is_set():
                self._connect()
            self.connected.set()
            for each in list(self._open):
                try:
                    if self._drip:
                        each.send(self._drip)
                except BlockingIOError:
                    continue
                except OSError:
                    self._open.discard(each)
                    each.close()
            self._ending.wait(0.5)
