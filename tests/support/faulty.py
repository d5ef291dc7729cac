"""Servers that misbehave on purpose, on loopback: silence, drip, reset, garbage, hang-up, refusal."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum

_DRIPPED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nX-Pad: " + b"a" * 100_000
_DRIPPED_BODY = b'{"status":' + b" " * 100_000
_GARBAGE = bytes(range(255, 0, -1)) * 2 + b"\r\n\r\n"


class Fault(StrEnum):
    """Fault of an accepted connection; ``refused`` accepts none.

    ``drip`` sends a byte of the response's header every 20 ms for ever, ``drip-body`` a whole header and then the body
    in that manner. UDP answers nothing, but for ``garbage``.
    """

    SILENCE = "silence"
    DRIP = "drip"
    DRIP_BODY = "drip-body"
    RESET = "reset"
    GARBAGE = "garbage"
    HANG_UP = "hang-up"
    REFUSED = "refused"


@contextlib.contextmanager
def faulty(fault: Fault) -> Iterator[str]:
    """A server on TCP and on the same port of UDP, as ``127.0.0.1:port``, until the block ends."""
    tcp, udp = _pair()
    stop = threading.Event()
    address = f"127.0.0.1:{tcp.getsockname()[1]}"
    if fault is Fault.REFUSED:
        tcp.close()
        udp.close()
        yield address
        return
    threads = [
        threading.Thread(target=_accept, args=(tcp, fault, stop), daemon=True),
        threading.Thread(target=_datagrams, args=(udp, fault, stop), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield address
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        tcp.close()
        udp.close()


def refused_address() -> str:
    """An address on loopback without a listener."""
    with faulty(Fault.REFUSED) as address:
        return address


def _pair() -> tuple[socket.socket, socket.socket]:
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:  # another process has that UDP port
            tcp.close()
            udp.close()
            continue
        tcp.settimeout(0.05)
        udp.settimeout(0.05)
        return tcp, udp


def _accept(server: socket.socket, fault: Fault, stop: threading.Event) -> None:
    visits: list[threading.Thread] = []
    while not stop.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        visit = threading.Thread(target=_visit, args=(connection, fault, stop), daemon=True)
        visit.start()
        visits.append(visit)
    for visit in visits:
        visit.join()


def _visit(connection: socket.socket, fault: Fault, stop: threading.Event) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        _MANNERS[fault](connection, stop)


def _silence(_connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def _drip(connection: socket.socket, stop: threading.Event) -> None:
    _drop_by_drop(connection, _DRIPPED, stop)


def _drip_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_DRIPPED_BODY)
    )
    _drop_by_drop(connection, _DRIPPED_BODY, stop)


def _drop_by_drop(connection: socket.socket, data: bytes, stop: threading.Event) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        if stop.wait(0.02):
            return


def _reset(connection: socket.socket, _stop: threading.Event) -> None:
    connection.recv(1)
    # Lingering for no time makes close() send RST.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _garbage(connection: socket.socket, stop: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(_GARBAGE)
    stop.wait(0.2)


def _hang_up(connection: socket.socket, _stop: threading.Event) -> None:
    connection.recv(65536)


def _datagrams(server: socket.socket, fault: Fault, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            _, asker = server.recvfrom(4096)
            if fault is Fault.GARBAGE:
                server.sendto(_GARBAGE, asker)


_MANNERS: dict[Fault, Callable[[socket.socket, threading.Event], None]] = {
    Fault.SILENCE: _silence,
    Fault.DRIP: _drip,
    Fault.DRIP_BODY: _drip_body,
    Fault.RESET: _reset,
    Fault.GARBAGE: _garbage,
    Fault.HANG_UP: _hang_up,
}
