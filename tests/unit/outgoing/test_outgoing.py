"""Everything that leaves the process keeps its deadline, its cap and its secrets."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from responder.bootstrap import SystemClock
from responder.model.clock import Deadline
from responder.model.message import Request
from responder.outgoing import Outgoing, UnreachableError, is_forbidden, session  # noqa: F401 - loads httpx beforehand
from responder.outgoing.network import DeadlineStream, Exchange, limited
from tests.conftest import HandClock
from tests.support.faulty import Fault, faulty, refused_address
from tests.unit.diagnose.test_tls import Authority

SLACK = 0.5


class _Echo(BaseHTTPRequestHandler):
    """Says what it was asked, in headers; ``/die`` answers once and then drops the kept-alive connection."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str, int]]] = []

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        type(self).seen.append((self.command, self.path, self.client_address[1]))
        body = b"x" * 100_000 if self.path == "/big" else b"hello"
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Set-Cookie", "session=1")
        self.send_header("X-Asked-Host", self.headers.get("Host", ""))
        self.send_header("X-Asked-Cookie", self.headers.get("Cookie", ""))
        self.send_header("X-Asked-Agent", self.headers.get("User-Agent", ""))
        self.send_header("X-Asked-Authorization", self.headers.get("Authorization", ""))
        self.send_header("X-Asked-Length", self.headers.get("Content-Length", ""))
        self.send_header("X-Twice", "one")
        self.send_header("X-Twice", "two")
        self.end_headers()
        with contextlib.suppress(OSError):  # the client hangs up at its cap
            self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    """A well-behaved server on loopback, as host:port."""
    _Echo.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    """The real thing on the real clock."""
    made = Outgoing(SystemClock())
    yield made
    made.close()


def within(seconds: float) -> Deadline:
    """A deadline that many seconds from now."""
    return Deadline(time.monotonic() + seconds)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.SILENCE, "timed out after 0.3 s"),
        (Fault.DRIP, "timed out after 0.3 s"),
        (Fault.DRIP_BODY, "timed out after 0.3 s"),
        (Fault.RESET, "connection reset"),
        (Fault.GARBAGE, "the response is not HTTP"),
        (Fault.HANG_UP, "connection closed before the response was complete"),
        (Fault.REFUSED, "connection refused"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_server_holds_us_beyond_the_deadline(outgoing: Outgoing, fault: Fault, reason: str, method: str) -> None:
    """However a server misbehaves, even a byte at a time, there is one named reason, in time, without the secret."""
    with faulty(fault) as address:
        began = time.monotonic()
        with pytest.raises(UnreachableError) as caught:
            outgoing.send(Request(f"http://u:hunter2@{address}/hunter2?k=hunter2", b"", {}, method), within(0.3))
        took = time.monotonic() - began
    assert str(caught.value) == reason
    assert took < 0.3 + SLACK


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIP, Fault.RESET, Fault.GARBAGE, Fault.HANG_UP])
def test_a_tls_handshake_keeps_the_deadline(outgoing: Outgoing, fault: Fault) -> None:
    """A server that delays the TLS handshake cannot delay the request beyond its deadline."""
    with faulty(fault) as address:
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            outgoing.send(Request(f"https://{address}/", b"", {}, "GET"), within(0.3))
        assert time.monotonic() - began < 0.3 + SLACK


def test_a_deadline_before_the_tls_handshake_closes_the_connection(clock: HandClock) -> None:
    """A connection that was made too late for its handshake is not left open."""
    near, far = socket.socketpair()
    with far, limited(Exchange(Deadline(clock.monotonic()), 1)), pytest.raises(TimeoutError):
        DeadlineStream(near, clock).start_tls(ssl.create_default_context())
    assert near.fileno() == -1


def test_an_answer_is_handed_over_whatever_its_status(outgoing: Outgoing, server: str) -> None:
    """A redirect is an answer: it is not followed, sets no cookie, and says who asked."""
    outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), within(5))
    response = outgoing.send(Request(f"http://{server}/away", b"{}"), within(5))
    assert (response.status, response.body) == (302, b"hello")
    assert response.headers["location"] == "http://169.254.169.254/"
    assert response.headers["x-asked-cookie"] == ""
    assert response.headers["x-asked-agent"].startswith("responder/")
    assert len({port for _, _, port in _Echo.seen}) == 1


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/a%20b/c;d?q=x%2Fy&r=(1+2)#part", "/a%20b/c;d?q=x%2Fy&r=(1+2)"),
        ("/a b/ü?q=100%&r={x}", "/a%20b/%C3%BC?q=100%25&r=%7Bx%7D"),
    ],
)
def test_an_address_is_asked_for_as_it_is_written(outgoing: Outgoing, server: str, asked: str, heard: str) -> None:
    """Characters allowed in a URL are sent unchanged, others are escaped once."""
    outgoing.send(Request(f"http://{server}{asked}", b"", {}, "GET"), within(5))
    assert [path for _, path, _ in _Echo.seen] == [heard]


def test_a_name_and_password_in_an_address_are_basic_authentication(outgoing: Outgoing, server: str) -> None:
    """Prometheus behind a password is asked with it, and its name does not show in the Host header."""
    response = outgoing.send(Request(f"http://ann%40ops:s%3Ae@{server}/", b"", {}, "GET"), within(5))
    assert response.headers["x-asked-authorization"] == f"Basic {b64encode(b'ann@ops:s:e').decode()}"
    assert response.headers["x-asked-host"] == server
    assert response.headers["x-twice"] == "one, two"


def test_an_ipv6_address_is_named_in_brackets(server: str) -> None:
    """A server that looks at the Host header finds the one that RFC 9110 wants."""
    outgoing = Outgoing(SystemClock(), {"[fd00::1]:8080": server})
    response = outgoing.send(Request("http://[fd00::1]:8080/", b"", {}, "GET"), within(5))
    assert response.headers["x-asked-host"] == "[fd00::1]:8080"
    outgoing.close()


def test_an_empty_body_says_that_it_is_empty(outgoing: Outgoing, server: str) -> None:
    """A question without a body is answered by servers that want to know a body's length, too."""
    answer = outgoing.send(Request(f"http://{server}/", b""), within(5))
    assert answer.headers["x-asked-length"] == "0"
    answer = outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), within(5))
    assert answer.headers["x-asked-length"] == ""


def test_a_body_is_capped(outgoing: Outgoing, server: str) -> None:
    """A huge answer costs no more memory than the cap."""
    assert len(outgoing.send(Request(f"http://{server}/big", b"", {}, "GET"), within(5)).body) == 65536
    assert len(outgoing.send(Request(f"http://{server}/big", b"", {}, "GET"), within(5), cap=10).body) == 10


def test_connect_to_changes_the_address_and_nothing_else(server: str) -> None:
    """A demo or a port-forward is reached under the service's own name."""
    outgoing = Outgoing(SystemClock(), {"plato:8080": server})
    response = outgoing.send(Request("http://plato:8080/", b"", {}, "GET"), within(5))
    assert response.headers["x-asked-host"] == "plato:8080"
    outgoing.connect("plato", 8080, within(5)).close()
    outgoing.close()


def test_the_environment_sends_nobody_through_a_proxy(
    outgoing: Outgoing, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable of the machine does not redirect requests."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{refused_address()}")
    assert outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), within(5)).status == 200


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]"],
)
def test_metadata_addresses_are_never_called(outgoing: Outgoing, host: str) -> None:
    """No spelling of a cloud's metadata address gets a connection."""
    with pytest.raises(UnreachableError, match="forbidden"):
        outgoing.send(Request(f"http://{host}/latest/meta-data/", b"", {}, "GET"), within(2))
    with pytest.raises(UnreachableError, match="forbidden"):
        outgoing.connect(host.strip("[]"), 80, within(2))


METADATA = (
    *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("::ffff:169.254.169.254", "::ffff:168.63.129.16", "[::169.254.169.254]"),  # IPv4-mapped, IPv4-compatible
    *(
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:0:a9:fea9:fe00:0",
    ),  # NAT64
    *("2002:a9fe:a9fe::1", "2002:a83f:8110::"),  # 6to4
    "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo: the client's address is inverted
    "2001:0:a9fe:a9fe::1",
    "2001:db8::5efe:a9fe:a9fe",  # ISATAP
)
HARMLESS = (
    *("10.1.2.3", "192.0.0.191", "168.63.129.17", "fd00:ec2::1:254", "::1", "::", "::ffff:10.1.2.3", "::10.1.2.3"),
    *("64:ff9b::a01:203", "64:ff9b:1::a01:203", "2002:a01:203::1", "2001:0:a01:203:8000:63bf:f5fe:fdfc", "2001:db8::1"),
)


def test_connect_to_cannot_lead_to_a_metadata_address() -> None:
    """Nor does a mapping that was set by mistake."""
    outgoing = Outgoing(SystemClock(), {"plato:8080": "169.254.169.254:80"})
    with pytest.raises(UnreachableError, match="forbidden"):
        outgoing.connect("plato", 8080, within(2))


def test_which_addresses_are_out_of_bounds() -> None:
    """Private addresses are where services live; link-local and metadata addresses are not."""
    assert is_forbidden("169.254.1.1")
    assert is_forbidden("64:ff9b::a9fe:a9fe")
    assert [each for each in METADATA if not is_forbidden(each)] == []
    assert [each for each in HARMLESS if is_forbidden(each)] == []
    assert is_forbidden("fe80::1%eth0")
    assert not any(is_forbidden(each) for each in ("10.0.0.1", "127.0.0.1", "::1", "plato", ""))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://x:99999/",
        "http://bücher.example/",
    ],
)
def test_an_address_that_is_none_is_refused_in_words(outgoing: Outgoing, url: str) -> None:
    """A broken address is a reason, not a crash."""
    with pytest.raises(UnreachableError, match="unusable URL"):
        outgoing.send(Request(url, b"", {}, "GET"), within(1))


def test_a_dead_kept_alive_connection_is_replaced_for_reads_only() -> None:
    """A read that meets a dropped connection is repeated; a write is left to the outbox."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            """Answer the first request of each connection and drop the connection at the second."""
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    for adjustment in range(2):
                        data = connection.recv(65536)
                        asked.append(data.split(b" ", 1)[0])
                        if adjustment == 0 and data:
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        outgoing = Outgoing(SystemClock())
        get = Request(f"http://{address}/", b"", {}, "GET")
        assert outgoing.send(get, within(5)).body == b"ok"
        assert outgoing.send(get, within(5)).body == b"ok"
        with pytest.raises(UnreachableError, match=r"connection closed|connection reset"):
            outgoing.send(Request(f"http://{address}/", b"{}"), within(5))
        assert asked == [b"GET", b"GET", b"GET", b"POST"]
        assert outgoing.send(get, within(5)).body == b"ok"
        outgoing.close()
        thread.join(5)


def test_https_is_verified_and_its_connection_is_used_again(tmp_path: Path, server: str) -> None:
    """A handshake is paid once, and a server without a trusted certificate gets no request."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate((-1, 80), "127.0.0.1"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as https:
        https.daemon_threads = True
        https.socket = context.wrap_socket(https.socket, server_side=True)
        threading.Thread(target=https.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        ours = Outgoing(SystemClock(), ca_file=str(authority.root))
        url = f"https://127.0.0.1:{https.server_port}"
        for path in ("/", "/", "/"):
            assert ours.send(Request(f"{url}{path}", b"", {}, "GET"), within(5)).body == b"hello"
        assert len({port for _, _, port in _Echo.seen}) == 1
        assert len(ours.send(Request(f"{url}/big", b"", {}, "GET"), within(5)).body) == 65536
        with pytest.raises(UnreachableError, match="TLS"):
            Outgoing(SystemClock()).send(Request(f"{url}/", b"", {}, "GET"), within(5))
        with pytest.raises(UnreachableError, match="TLS"):
            ours.send(Request(f"https://{server}/", b"", {}, "GET"), within(5))
        ours.close()
        https.shutdown()


@contextlib.contextmanager
def saying(answer: bytes, *, hears: int = 65536) -> Iterator[str]:
    """A server that takes ``hears`` bytes, says just this on each connection and hangs up, as host:port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(hears)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection closed before the response was complete"),
        (b"HTTP/1.1 200", "connection closed before the response was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", "connection closed before the response was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell", "connection closed before the response was complete"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
            "connection closed before the response was complete",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello", "the response is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhello", "the response is not HTTP"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "connection closed before the response was complete"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "the response is not HTTP"),
        (b"HTTP/1.1 OK\r\n\r\n", "the response is not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "the response is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", "the response head is larger than 100 KB"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 50_000 + b"\r\n", "the response head is larger than 100 KB"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000, "the response is too large"),
    ],
)
def test_half_an_answer_is_none(outgoing: Outgoing, answer: bytes, reason: str) -> None:
    """A service that dies in the middle of its answer is never taken for one that is well."""
    with saying(answer) as address, pytest.raises(UnreachableError) as caught:
        outgoing.send(Request(f"http://{address}/", b"", {}, "GET"), within(5))
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 2 + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + b"x" * 90_000 + b"\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + b"X: x\r\n" * 1000 + b"\r\nhello",
        b"HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_every_way_to_end_an_answer_is_understood(outgoing: Outgoing, answer: bytes) -> None:
    """Old servers, proxies and streams are read whole, one after the other."""
    with saying(answer) as address:
        for _ in range(3):
            response = outgoing.send(Request(f"http://{address}/", b"", {}, "GET"), within(5))
            assert (response.status, response.body) == (200, b"hello")


def test_a_redirect_to_an_invalid_address_is_no_crash(outgoing: Outgoing) -> None:
    """Location is read even if httpx follows no redirect: the outcome is a status or a reason."""
    with saying(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://x:port/\r\n\r\n") as address:
        try:
            said = str(outgoing.send(Request(f"http://{address}/", b"", {}, "GET"), within(5)).status)
        except UnreachableError as error:
            said = str(error)
    assert said in {"302", "the response redirects to an unusable URL"}


def test_a_chunk_without_an_end_fills_no_memory(outgoing: Outgoing) -> None:
    """A server that claims a chunk of -1 bytes is not read for ever."""
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 3_000_000
    with saying(endless) as address, pytest.raises(UnreachableError, match="not HTTP"):
        outgoing.send(Request(f"http://{address}/", b"", {}, "GET"), within(5))


def test_a_url_appears_in_no_log(outgoing: Outgoing, server: str, caplog: pytest.LogCaptureFixture) -> None:
    """Libraries log URLs, and the URL of a Slack webhook or a heartbeat is a secret."""
    caplog.set_level(logging.DEBUG)
    outgoing.send(Request(f"http://{server}/hunter2", b"{}"), within(5))
    assert "hunter2" not in caplog.text
    assert server not in caplog.text


def test_an_answer_that_comes_before_the_whole_request_is_read(outgoing: Outgoing) -> None:
    """A 413 from a proxy that then closes is read: the message is made smaller."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(refusal)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert outgoing.send(Request(f"http://{address}/", b"x" * 8_000_000), within(5)).status == 413


def test_a_folded_header_is_one_line(outgoing: Outgoing) -> None:
    """A response header cannot break a line of a page or a log."""
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: one\r\n two\r\n\r\n") as address:
        headers = outgoing.send(Request(f"http://{address}/", b"", {}, "GET"), within(5)).headers
    assert headers["x-long"] == "one two"


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: b"}, {"X\r\nY": "a"}, {"X": "\u20ac"}])
def test_a_header_cannot_carry_another_one(outgoing: Outgoing, server: str, headers: dict[str, str]) -> None:
    """A line break in a value sends nothing at all."""
    with pytest.raises(UnreachableError, match="cannot be sent as HTTP"):
        outgoing.send(Request(f"http://{server}/", b"", headers, "GET"), within(5))
    assert _Echo.seen == []


def test_connections_that_were_not_used_for_long_are_not_trusted(server: str) -> None:
    """Many firewalls forget a connection after a while without a word; a page must not find that out."""
    clock = HandClock()
    outgoing = Outgoing(clock)
    for _ in range(2):
        outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), Deadline(clock.monotonic() + 5))
        clock.move(31)
    assert len({port for _, _, port in _Echo.seen}) == 2
    outgoing.close()


def test_many_threads_share_one_outgoing(outgoing: Outgoing, server: str) -> None:
    """Forty requests at once to one server all get their answer."""
    answers: list[int] = []

    def ask() -> None:
        answers.append(outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), within(10)).status)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40


def test_a_deadline_that_has_passed_asks_nobody(outgoing: Outgoing, server: str) -> None:
    """Without time left nothing is sent."""
    with pytest.raises(UnreachableError, match="timed out"):
        outgoing.send(Request(f"http://{server}/", b"", {}, "GET"), Deadline(time.monotonic() - 1))
    assert _Echo.seen == []
