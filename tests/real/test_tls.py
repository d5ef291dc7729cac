"""TLS of the listener: webhooks arrive, certificates are renewed, and slow handshakes cost only themselves."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.support.kubernetes.server import self_signed
from tests.support.slow_clients import SlowClients

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

#: Connections of each kind that never end their handshake.
MANY = 300
#: The first bytes of a ClientHello that is 512 bytes long.
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"


def ask(address: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
    """Status of a request over TLS on a connection of its own; 0 without an answer."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, timeout=20, context=unverified)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def shown(address: str) -> str:
    """The certificate that a new connection gets, as PEM."""
    host, _, port = address.partition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=20)


@pytest.fixture(name="serving")
def _serving(stage: Stage, tmp_path: Path) -> Iterator[tuple[Stage, Path, Path]]:
    """`serve` with TLS, its certificate with the key, and its log."""
    pem = self_signed(tmp_path, 30)
    inherited = {"PATH": "/usr/bin:/bin", **stage.settings}
    env = inherited | {"RESPONDER_TLS_CERT": str(pem), "RESPONDER_TLS_KEY": str(pem)}
    log = tmp_path / "serve.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "responder", "serve"],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    program = Program("responder", "", log, process)
    try:
        until(lambda: ask(stage.settings["RESPONDER_LISTEN"], "GET", "/readyz") == 200)
        yield stage, pem, log
    finally:
        program.stop()


def test_a_webhook_over_tls_pages_and_a_renewed_certificate_is_used(serving: tuple[Stage, Path, Path]) -> None:
    """An alert over TLS becomes a page; a renewed certificate is used, and a broken one is not."""
    stage, pem, log = serving
    address, headers = stage.settings["RESPONDER_LISTEN"], {"Authorization": f"Bearer {stage.token}"}
    headers["Content-Type"] = "application/json"
    assert ask(address, "POST", "/webhook/alertmanager", example("service-down"), headers) == 202
    until(stage.pagerduty.open)
    first = shown(address)
    assert first in pem.read_text()
    pem.write_text("-----BEGIN CERTIFICATE-----\nbroken\n")
    until(lambda: shown(address) and log.read_text().count("tls.not_renewed"))
    assert shown(address) == first
    (pem.parent / "renewed").mkdir()
    shutil.copy(self_signed(pem.parent / "renewed", 60), pem)
    until(lambda: all(shown(address) in pem.read_text() for _ in range(8)))  # each worker looks by itself
    assert ask(address, "GET", "/healthz") == 200


def test_handshakes_that_never_end_delay_no_webhook(serving: tuple[Stage, Path, Path]) -> None:
    """Beside connections that are silent, half in a ClientHello or without TLS, webhooks are answered in a second."""
    stage, _, _ = serving
    address, headers = stage.settings["RESPONDER_LISTEN"], {"Authorization": f"Bearer {stage.token}"}
    headers["Content-Type"] = "application/json"
    with contextlib.ExitStack() as clients:
        for begin, drip in ((b"", b""), (HELLO, b""), (HELLO, b"\x00"), (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n")):
            slow = clients.enter_context(SlowClients(address, begin, drip, MANY, 50))
            assert slow.connected.wait(60)
        took = []
        for _ in range(40):
            started = time.monotonic()
            assert ask(address, "POST", "/webhook/alertmanager", example("watchdog"), headers) == 202
            took.append(time.monotonic() - started)
    assert sorted(took)[len(took) // 2] < 1.0


def test_plain_http_to_the_tls_port_is_closed(serving: tuple[Stage, Path, Path]) -> None:
    """A client without TLS gets no answer, and the worker goes on."""
    stage, _, _ = serving
    connection = http.client.HTTPConnection(stage.settings["RESPONDER_LISTEN"], timeout=20)
    connection.request("GET", "/healthz")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
    assert ask(stage.settings["RESPONDER_LISTEN"], "GET", "/healthz") == 200
