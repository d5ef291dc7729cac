"""TLS probe: the certificate's validity, lifetime left, name and trust."""

import contextlib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import HEALTH, Endpoint, check_target, locate
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.rule import ProbeSpec
from responder.model.text import sanitize_line
from responder.outgoing import UnreachableError, join_address

if TYPE_CHECKING:
    from cryptography import x509

_DAY = 86400.0
_HOSTNAME_MISMATCH = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    """Two handshakes: one that reads the certificate whatever it is, one that verifies chain and name."""

    target: str = field(
        default=HEALTH, metadata={"help": "${health}, for host and port of the service's health address, or host:port"}
    )
    warn_days: float = field(default=21.0, metadata={"help": "fewer days left are a warning"})
    bad_days: float = field(default=7.0, metadata={"help": "fewer days left are bad"})


@dataclass(frozen=True, slots=True)
class TlsQuery:
    """Endpoint and thresholds of a handshake."""

    endpoint: Endpoint | None
    spec: TlsSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafCertificate:
    """Fields of the leaf certificate. ``names`` are its subject alternative names."""

    starts: datetime
    ends: datetime
    subject: str
    issuer: str
    names: tuple[str, ...]


def check(spec: TlsSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems = check_target("target", spec.target)
    if not 0 <= spec.bad_days <= spec.warn_days:
        problems += (f"bad_days ({spec.bad_days:g}) must lie between 0 and warn_days ({spec.warn_days:g})",)
    return problems


def questions(probe: ProbeSpec[TlsSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the check of the service, or of the literal address."""
    spec = probe.spec
    name, endpoint, skip = locate(spec.target, probe_context)
    if endpoint and endpoint.secure is False:
        skip = "no TLS on http://"
    where = join_address(endpoint.host, endpoint.port) if endpoint else spec.target
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="tls",
            target=name,
            query=f"TLS handshake with {where}",
            timeout=probe.timeout,
            skip=skip,
            wire=TlsQuery(endpoint, spec),
            endpoint=where,
        ),
    )


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Expired, expiring, for another name or not trusted is bad; no handshake is unknown."""
    wire: TlsQuery = question.wire
    began = tools.clock.monotonic()
    endpoint = wire.endpoint
    if endpoint is None:
        return answer(question, Verdict.UNKNOWN, "no address known")
    try:
        leaf = _leaf(_handshake(endpoint, _anything_goes(), deadline, tools))
        distrust = _distrust(endpoint, deadline, tools)
    except UnreachableError as error:
        return unreachable(question, error, tools.clock.monotonic() - began)
    except ValueError as error:
        took = tools.clock.monotonic() - began
        fact = f"the certificate cannot be read after {span(took)}"
        return answer(question, Verdict.UNKNOWN, fact, detail=str(error), duration=took)
    took = tools.clock.monotonic() - began
    verdict, warning, fact = _judge(leaf, distrust, wire.spec, tools.clock.now())
    return answer(question, verdict, fact, detail=_detail(leaf, distrust), duration=took, warning=warning)


def _judge(leaf: LeafCertificate, distrust: str, spec: TlsSpec, now: datetime) -> tuple[Verdict, bool, str]:
    days = (leaf.ends - now).total_seconds() / _DAY
    ends = f"{leaf.ends:%Y-%m-%d %H:%M} UTC"
    if days < 0:
        return Verdict.BAD, False, f"certificate expired {span(-days * _DAY)} ago ({ends})"
    left = f"{span(days * _DAY)} left ({ends})"
    if leaf.starts > now:
        return Verdict.BAD, False, f"certificate not valid before {leaf.starts:%Y-%m-%d %H:%M} UTC"
    if distrust:
        return Verdict.BAD, False, f"{distrust}, {left}"
    if days < spec.warn_days:
        return Verdict.BAD, days >= spec.bad_days, f"certificate expires soon: {left}, issuer {leaf.issuer}"
    return Verdict.OK, False, f"certificate valid, {left}, issuer {leaf.issuer}"


def _detail(leaf: LeafCertificate, distrust: str) -> str:
    lines = (
        f"subject: {leaf.subject}",
        f"issuer: {leaf.issuer}",
        f"names: {', '.join(leaf.names[:20]) or 'none'}",
        f"valid: {leaf.starts:%Y-%m-%d %H:%M} UTC to {leaf.ends:%Y-%m-%d %H:%M} UTC",
        f"verification: {distrust or 'chain and name are valid'}",
    )
    return "\n".join(lines)


def _handshake(endpoint: Endpoint, context: ssl.SSLContext, deadline: Deadline, tools: ProbeTools) -> bytes:
    """Return the server's certificate in DER. Raises UnreachableError or SSLCertVerificationError."""
    connection = tools.outgoing.connect(endpoint.host, endpoint.port, deadline)
    budget = connection.gettimeout() or 0.0
    try:
        with connection, context.wrap_socket(connection, server_hostname=endpoint.host) as secure:
            return secure.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError:
        raise
    except TimeoutError:
        raise UnreachableError(f"the TLS handshake timed out after {budget:.1f} s") from None
    except ssl.SSLError as error:
        why = (error.reason or "the server closed the connection").replace("_", " ").lower()
        raise UnreachableError(f"no TLS handshake: {why}") from error
    except OSError as error:
        raise UnreachableError(f"no TLS handshake: {(error.strerror or 'connection lost').lower()}") from error


def _distrust(endpoint: Endpoint, deadline: Deadline, tools: ProbeTools) -> str:
    """Return the reason why the verifying handshake fails, empty if it succeeds."""
    try:
        _handshake(endpoint, tools.outgoing.tls, deadline, tools)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _HOSTNAME_MISMATCH:
            return f"certificate is not for {endpoint.host}"
        return f"certificate not trusted: {error.verify_message}"
    return ""


def _anything_goes() -> ssl.SSLContext:
    """A context that reads any certificate: the verifying handshake comes second, and nothing is sent in either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _leaf(der: bytes) -> LeafCertificate:
    """The certificate's dates and names. Raises ValueError."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    names: tuple[str, ...] = ()
    with contextlib.suppress(x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = (
            *found.get_values_for_type(x509.DNSName),
            *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
        )
    return LeafCertificate(
        starts=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        subject=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        names=names,
    )


def _common_name(name: "x509.Name") -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return sanitize_line(str(found[0].value) if found else name.rfc4514_string(), 40) or "unnamed"


KIND = ProbeKind(
    name="tls", spec=TlsSpec, check=check, questions=questions, run=run, opening=b"\x16\x03"
)  # a handshake record
