"""Certificates that are valid, expiring, for another name, or of an untrusted authority."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from responder.bootstrap import SystemClock
from responder.diagnose.contract import ProbeTools
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.tls import TlsSpec
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.outgoing import Outgoing
from tests.unit.diagnose.conftest import a_probe, a_scene

Serve = Callable[..., "contextlib.AbstractContextManager[str]"]


class Authority:
    """A certificate authority of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Butterfly Test CA")])
        self.folder = folder
        root = self._build(self.name, self.key.public_key(), days=(-1000, 1000), ca=True).sign(
            self.key, hashes.SHA256()
        )
        self.root = folder / "ca.pem"
        self.root.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[float, float], *, ca: bool
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )

    def certificate(self, days: tuple[float, float], ip: str) -> Path:
        """Certificate and key for an IP address, valid between two days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plato")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip)), x509.DNSName("plato")])
        made = self._build(subject, key.public_key(), days, ca=False).add_extension(names, critical=False)
        path = self.folder / "leaf.pem"
        path.write_bytes(
            made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority."""
    return Authority(tmp_path)


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[str]:
    """A TLS server on loopback with that certificate, as host:port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            """Shake hands until stopped."""
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    connection.settimeout(2)
                    with connection, context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def run(address: str, trusted: Path | None) -> Finding:
    """Result of the probe at an address, trusting the system's authorities or the given one."""
    clock = SystemClock()
    tools = ProbeTools(outgoing=Outgoing(clock, ca_file=str(trusted or "")), clock=clock)
    (question,) = PROBES["tls"].questions(a_probe("tls", TlsSpec(target=address)), a_scene())
    return PROBES["tls"].findings(question, Deadline(clock.monotonic() + 5), tools)[0]


@pytest.mark.parametrize(
    ("days", "ip", "verdict", "warning", "words"),
    [
        ((-1, 80), "127.0.0.1", Verdict.OK, False, "certificate valid, 80 days left"),
        ((-1, 15), "127.0.0.1", Verdict.BAD, True, "expires soon: 15 days left"),
        ((-1, 3), "127.0.0.1", Verdict.BAD, False, "expires soon: 3 days left"),
        ((-90, -2), "127.0.0.1", Verdict.BAD, False, "expired 2 days ago"),
        ((2, 80), "127.0.0.1", Verdict.BAD, False, "not valid before"),
        ((-1, 80), "127.0.0.2", Verdict.BAD, False, "certificate is not for 127.0.0.1, 80 days left"),
    ],
)
def test_a_certificate_is_judged_by_date_and_name(
    authority: Authority, days: tuple[float, float], ip: str, verdict: Verdict, *, warning: bool, words: str
) -> None:
    """An expiring certificate is reported in time, and one for another name at once."""
    shift = 0.001 if days[1] > 0 else 0
    with serving(authority.certificate((days[0], days[1] + shift), ip)) as address:
        finding = run(address, authority.root)
    assert (finding.verdict, finding.warning) == (verdict, warning), finding
    assert words in finding.headline
    assert "issuer: Butterfly Test CA" in finding.detail


def test_an_authority_nobody_trusts_is_bad(authority: Authority) -> None:
    """A certificate that browsers would refuse is reported as such."""
    with serving(authority.certificate((-1, 80), "127.0.0.1")) as address:
        finding = run(address, None)
    assert finding.verdict is Verdict.BAD
    assert "not trusted" in finding.headline


def test_a_plain_address_has_no_certificate() -> None:
    """A service reached without TLS is skipped, not judged."""
    (question,) = PROBES["tls"].questions(a_probe("tls", TlsSpec()), a_scene())
    assert question.skip == "no TLS on http://"
