"""Vendors are reached through an egress proxy where there is one; probes never are."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from responder import bootstrap
from responder.bootstrap import SystemClock
from responder.cli.doctor.channels import proxy
from responder.cli.doctor.context import DoctorContext
from responder.model.check import Level
from responder.model.clock import Deadline
from responder.model.message import Request
from responder.model.secret import Secret
from responder.outgoing import Outgoing, UnreachableError, session  # noqa: F401 - loads httpx beforehand
from responder.outgoing.network import Proxies
from responder.outgoing.smtp import Mailer
from responder.settings import InvalidSettings, Settings, read
from tests.unit.diagnose.test_tls import Authority

PASSWORD = "s3cret:pass@word"
LOGIN = "responder:s3cret%3Apass%40word"
SLACK = 0.5


class Proxy:
    """A real proxy on loopback. CONNECT leads to ``target``, whatever was asked for; other requests are answered."""

    def __init__(self, target: str = "", *, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._target = target
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            self.heads.append(head)
            connection.sendall(self._answer)
            if not head.startswith(b"CONNECT") or not self._target:
                return
            host, _, port = self._target.partition(":")
            with socket.create_connection((host, int(port))) as upstream:
                threading.Thread(target=_pump, args=(upstream, connection), daemon=True).start()
                _pump(connection, upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@contextlib.contextmanager
def vendor(authority: Authority, name: str, answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTPS server with a certificate for ``name``, as host:port, and the requests that it received."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate((-1, 80), name))
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def handle(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                request = b""
                while data := connection.recv(65536):
                    request += data
                    head, end, body = request.partition(b"\r\n\r\n")
                    if end and len(body) == int(re.findall(rb"Content-Length: (\d+)", head)[0]):
                        received.append(request)
                        connection.sendall(answer)
                        request = b""

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=handle, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", received


PAGER = "10.1.2.3"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def within(seconds: float) -> Deadline:
    """A deadline that many seconds from now."""
    return Deadline(time.monotonic() + seconds)


@contextlib.contextmanager
def through(address: str, ca_file: str = "") -> Iterator[Outgoing]:
    """A client with that proxy for everything."""
    url = Secret(f"http://{LOGIN}@{address}")
    outgoing = Outgoing(SystemClock(), ca_file=ca_file, proxies=Proxies(url, url))
    with contextlib.closing(outgoing):
        yield outgoing


def test_https_passes_through_the_proxy_encrypted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The proxy gets its login and the host, never the request; the vendor gets no login of the proxy."""
    caplog.set_level(logging.DEBUG)
    authority = Authority(tmp_path)
    with (
        vendor(authority, PAGER, OK) as (target, received),
        Proxy(target) as proxy,
        through(proxy.address, str(authority.root)) as outgoing,
    ):
        for _ in range(2):
            response = outgoing.send(Request("https://10.1.2.3/v2/enqueue", b"hunter2"), within(5))
            assert (response.status, response.body) == (200, b"ok")
    [head] = proxy.heads
    assert head.startswith(b"CONNECT 10.1.2.3:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + b64encode(f"responder:{PASSWORD}".encode()) in head
    assert b"hunter2" not in head
    assert b"authorization" not in b"".join(received).lower()
    assert PASSWORD not in caplog.text


def test_the_certificate_of_the_vendor_is_verified_behind_a_proxy(tmp_path: Path) -> None:
    """A proxy that leads elsewhere gets no request."""
    authority = Authority(tmp_path)
    with (
        vendor(authority, "10.9.9.9", OK) as (target, received),
        Proxy(target) as proxy,
        through(proxy.address, str(authority.root)) as outgoing,
    ):
        with pytest.raises(UnreachableError, match="TLS"):
            outgoing.send(Request("https://10.1.2.3/", b"{}"), within(5))
        assert received == []


def test_a_plain_address_is_forwarded() -> None:
    """An http:// address is handed to the proxy in absolute form, as it is written (RFC 9112, 3.2.2)."""
    with Proxy(answer=OK) as proxy, through(proxy.address) as outgoing:
        response = outgoing.send(Request("http://hc.example/ping?a=%7Bx%7D", b"", {}, "GET"), within(5))
    assert response.body == b"ok"
    assert proxy.heads[0].startswith(b"GET http://hc.example/ping?a=%7Bx%7D HTTP/1.1\r\n")
    assert b"\r\nHost: hc.example\r\n" in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_rejects_the_login_is_named(scheme: str) -> None:
    """407 is the proxy's answer, not the vendor's: the message is retried, and no vendor is blamed."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with (
        Proxy(answer=answer) as proxy,
        through(proxy.address) as outgoing,
        pytest.raises(UnreachableError) as caught,
    ):
        outgoing.send(Request(f"{scheme}://10.1.2.3/", b"{}"), within(5))
    assert str(caught.value) == "the proxy answers 407 Proxy Authentication Required"


def test_a_proxy_that_is_down_is_named_without_its_password() -> None:
    """The reason says that the proxy, not the vendor, refuses the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with through(address) as outgoing, pytest.raises(UnreachableError) as caught:
        outgoing.send(Request("https://10.1.2.3/", b"{}"), within(5))
    assert (str(caught.value), caught.value.refused) == (f"proxy {address}: connection refused", False)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 Connection established\r\n\r\n"],
    ids=["silent", "half", "no TLS"],
)
def test_a_proxy_cannot_outlast_the_deadline(answer: bytes) -> None:
    """A request ends in time if the proxy, or the vendor behind it, does not respond."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        with Proxy(target, answer=answer) as proxy, through(proxy.address) as outgoing:
            began = time.monotonic()
            with pytest.raises(UnreachableError, match=r"timed out after 0\.3 s"):
                outgoing.send(Request("https://10.1.2.3/", b"{}"), within(0.3))
            assert time.monotonic() - began < 0.3 + SLACK


def test_queries_and_probes_use_no_proxy() -> None:
    """Prometheus is queried directly also by a client that has a proxy, and the client of probes has none."""
    given = Settings(proxy_url=Secret("http://proxy.example:3128"), http_proxy_url=Secret("http://proxy.example:3128"))
    with Proxy(answer=OK) as proxy, through(proxy.address) as outgoing, pytest.raises(UnreachableError, match="name"):
        outgoing.query(Request("http://prometheus.invalid/", b"", {}, "GET"), within(5))
    with pytest.raises(UnreachableError, match=r"^DNS"):
        bootstrap.outgoing(given, SystemClock()).send(Request("http://plato.invalid/", b"", {}, "GET"), within(5))
    with pytest.raises(UnreachableError, match=r"^proxy proxy\.example:3128: DNS"):
        bootstrap.vendors(given, SystemClock()).send(Request("http://hc.example/", b"", {}, "GET"), within(5))
    assert proxy.heads == []


def test_a_metadata_address_is_not_reached_through_a_proxy() -> None:
    """An address that may not be called directly may not be called through a proxy either."""
    with (
        Proxy(answer=OK) as proxy,
        through(proxy.address) as outgoing,
        pytest.raises(UnreachableError, match="metadata"),
    ):
        outgoing.send(Request("http://169.254.169.254/", b"", {}, "GET"), within(5))
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("", "pager.example", False),
        ("", "127.0.0.1", True),
        ("", "localhost", True),
        ("*", "pager.example", True),
        ("other.example, PAGER.example.", "pager.example", True),
        ("example", "pager.example", True),
        (".example", "pager.example", True),
        ("*.example", "pager.example", True),
        (".pager.example", "pager.example", False),
        ("ager.example", "pager.example", False),
        ("pager.example:443", "pager.example", True),
        ("pager.example:8443", "pager.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "pager.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("[fd00::1]:8443", "fd00::1", False),
    ],
)
def test_what_no_proxy_covers(no_proxy: str, host: str, direct: bool) -> None:
    """NO_PROXY means what it means to Alertmanager: names with their subdomains, addresses, networks, ports, a star."""
    proxies = Proxies(Secret("http://proxy.example"), Secret("http://proxy.example"), no_proxy)
    assert (proxies.proxy_for("https", host, 443) is None) is direct


@pytest.mark.parametrize(
    ("env", "https", "http"),
    [
        ({}, "", ""),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1", ""),
        ({"https_proxy": "a:1", "http_proxy": "b:2"}, "http://a:1", "http://b:2"),
        ({"RESPONDER_PROXY_URL": "http://c:3", "HTTPS_PROXY": "http://a:1", "HTTP_PROXY": "b:2"}, *["http://c:3"] * 2),
        ({"RESPONDER_HTTP_PROXY_URL": "http://d:4", "RESPONDER_PROXY_URL": "http://c:3"}, "http://c:3", "http://d:4"),
    ],
)
def test_where_the_proxy_is_read_from(env: dict[str, str], https: str, http: str) -> None:
    """Settings take precedence over the environment's variables."""
    given = read(env)
    assert (given.proxy_url.reveal(), given.http_proxy_url.reveal()) == (https, http)


def test_a_password_in_a_file_is_for_both_schemes(tmp_path: Path) -> None:
    """A secret mounted as a file is read for http:// addresses, too; NO_PROXY is the machine's."""
    (tmp_path / "proxy").write_text(f"http://{LOGIN}@proxy.example:3128\n")
    given = read({"RESPONDER_PROXY_URL_FILE": str(tmp_path / "proxy"), "NO_PROXY": "hc.example"})
    assert given.proxy_url == given.http_proxy_url
    assert given.no_proxy == "hc.example"
    shown = {name: value for name, value, _ in given.rows()}
    assert shown["RESPONDER_PROXY_URL"] == "http://responder:***@proxy.example:3128"
    assert {"s3cret%3Apass%40word", PASSWORD} <= {each.reveal() for each in given.secrets()}


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"HTTPS_PROXY": "socks5://u:hunter2@a:1"}, "HTTPS_PROXY is not http://HOST:PORT"),
        ({"RESPONDER_PROXY_URL": "https://u:hunter2@a:1"}, "RESPONDER_PROXY_URL is not http://HOST:PORT"),
        ({"RESPONDER_PROXY_URL": "http://u:hunter2@a:port"}, "RESPONDER_PROXY_URL is not http://HOST:PORT"),
        ({"RESPONDER_CA_FILE": "/nowhere/ca.pem"}, "RESPONDER_CA_FILE is /nowhere/ca.pem: the file cannot be read"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_the_start(env: dict[str, str], problem: str) -> None:
    """A wrong proxy or bundle is one sentence that names the variable, and not a page that never leaves."""
    with pytest.raises(InvalidSettings) as caught:
        read(env)
    [found] = caught.value.problems
    assert found.startswith(problem)
    assert "hunter2" not in found


def test_certificates_are_checked_at_the_start(tmp_path: Path) -> None:
    """A file that holds no certificate is named; one that does is trusted beside the system's authorities."""
    (tmp_path / "empty.pem").write_text("not a certificate")
    with pytest.raises(InvalidSettings, match="no certificate in PEM format"):
        read({"RESPONDER_CA_FILE": str(tmp_path / "empty.pem")})
    authority = Authority(tmp_path)
    given = read({"RESPONDER_CA_FILE": str(authority.root)})
    system = len(ssl.create_default_context().get_ca_certs())
    assert len(bootstrap.outgoing(given, SystemClock()).tls.get_ca_certs()) == system + 1


def doctor_context(env: dict[str, str]) -> DoctorContext:
    """Findings of doctor with these settings."""
    clock, given = SystemClock(), read(env)
    outgoing = bootstrap.vendors(given, clock)
    return DoctorContext(
        settings=given,
        environment=env,
        book=None,
        outgoing=outgoing,
        mailer=Mailer(outgoing, clock),
        clock=clock,
        deadline=within(5),
        send=False,
    )


def test_doctor_names_the_proxy_and_not_its_password() -> None:
    """Which vendor is called through which proxy is seen before the first page."""
    pager = {"RESPONDER_PAGERDUTY_ROUTING_KEY": "k" * 32}
    env = {
        "RESPONDER_HEARTBEAT_URL": "https://hc.internal/ping/hunter2",
        "HTTPS_PROXY": f"http://{LOGIN}@proxy.example:3128",
        "NO_PROXY": ".internal",
    }
    [found] = proxy(doctor_context(pager | env))
    assert (found.level, found.what) == (
        Level.OK,
        "events.pagerduty.com, api.pagerduty.com through proxy.example:3128; hc.internal directly; probes use no proxy",
    )
    [none] = proxy(doctor_context(pager))
    assert (none.level, none.what) == (Level.SKIPPED, "no proxy: vendors are reached directly")
