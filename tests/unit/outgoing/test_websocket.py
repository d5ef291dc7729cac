"""WebSockets leave like everything else: through the proxy, with verified certificates, by a deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from responder.bootstrap import SystemClock
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.websocket import ConnectionClosed, open_websocket
from tests.unit.diagnose.test_tls import Authority
from tests.unit.outgoing.test_proxy import PASSWORD, Proxy, through, within

HOST = "10.1.2.3"


@contextlib.contextmanager
def echo(authority: Authority | None = None, name: str = HOST) -> Iterator[str]:
    """A WebSocket server that returns what it gets, as host:port; with a certificate for ``name``."""
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate((-1, 80), name))

    def handle(connection: ServerConnection) -> None:
        for text in connection:
            connection.send(text)

    with serve(handle, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def direct(ca_file: str = "", **connect_to: str) -> Iterator[Outgoing]:
    """A client without a proxy."""
    with contextlib.closing(Outgoing(SystemClock(), connect_to=connect_to, ca_file=ca_file)) as outgoing:
        yield outgoing


def said(outgoing: Outgoing, url: str) -> str:
    """Send a text over a new connection and return the answer."""
    connection = open_websocket(outgoing, url, within(5), 1000)
    try:
        connection.send("hello")
        return str(connection.recv(5))
    finally:
        connection.close()


def test_a_socket_passes_through_the_proxy_encrypted(tmp_path: Path) -> None:
    """The proxy gets its login and the host; the certificate is checked behind it."""
    authority = Authority(tmp_path)
    with (
        echo(authority) as target,
        Proxy(target) as proxy,
        through(proxy.address, str(authority.root)) as outgoing,
    ):
        assert said(outgoing, f"wss://{HOST}/link") == "hello"
    [head] = proxy.heads
    assert head.startswith(b"CONNECT 10.1.2.3:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + b64encode(f"responder:{PASSWORD}".encode()) in head


def test_a_wrong_certificate_is_refused(tmp_path: Path) -> None:
    """An address that leads elsewhere gets nothing, with and without a proxy."""
    authority = Authority(tmp_path)
    with echo(authority, "10.9.9.9") as target, Proxy(target) as proxy:
        with through(proxy.address, str(authority.root)) as outgoing, pytest.raises(UnreachableError, match="TLS"):
            open_websocket(outgoing, f"wss://{HOST}/", within(5), 1000)
        mapped = direct(str(authority.root), **{f"{HOST}:443": target})
        with mapped as outgoing, pytest.raises(UnreachableError, match="TLS"):
            open_websocket(outgoing, f"wss://{HOST}/", within(5), 1000)


def test_a_connection_is_mapped_like_all_others(tmp_path: Path) -> None:
    """``connect_to`` leads elsewhere, and the certificate is that of the name."""
    authority = Authority(tmp_path)
    with echo(authority) as target, direct(str(authority.root), **{f"{HOST}:443": target}) as outgoing:
        assert said(outgoing, f"wss://{HOST}/") == "hello"


def test_a_large_message_ends_the_connection() -> None:
    """No message fills the memory."""
    with echo() as target, direct() as outgoing:
        connection = open_websocket(outgoing, f"ws://{target}/", within(5), 1000)
        connection.send("x" * 2000)
        with pytest.raises(ConnectionClosed):
            connection.recv(5)
        connection.close()


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 S"], ids=["silent", "dripping"])
def test_a_handshake_ends_by_its_deadline(answer: bytes, secure: bool) -> None:
    """A server that accepts and says nothing, or a byte at a time, costs its deadline only."""
    with socket.create_server(("127.0.0.1", 0)) as server, direct() as outgoing:

        def drip() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as accepted:
                for byte in answer * 10:
                    accepted.sendall(bytes([byte]))
                    threading.Event().wait(0.1)
                threading.Event().wait(3)

        threading.Thread(target=drip, daemon=True).start()
        url = f"{'wss' if secure else 'ws'}://127.0.0.1:{server.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            open_websocket(outgoing, url, within(1), 1000)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("url", ["ws://169.254.169.254/", "wss://[fd00:ec2::254]/"])
def test_forbidden_addresses_are_not_called(url: str) -> None:
    """Metadata services get no WebSocket, either."""
    with direct() as outgoing, pytest.raises(UnreachableError, match="forbidden"):
        open_websocket(outgoing, url, within(5), 1000)
