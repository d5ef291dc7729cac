"""DNS probe: resolves a name."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, skipped, span, unreachable
from responder.diagnose.plan import HEALTH, Endpoint, check_host, check_target, locate
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.rule import ProbeSpec
from responder.outgoing import UnreachableError, is_ip, split_address

if TYPE_CHECKING:
    import dns.resolver

#: Addresses in a headline.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSpec:
    """A and AAAA records, from the machine's resolver with its search list, or from ``server``."""

    name: str = field(
        default=HEALTH, metadata={"help": "${health}, for the host of the service's health address, or a name"}
    )
    server: str = field(default="", metadata={"help": "ip:port of the name server; empty: the machine's resolver"})


@dataclass(frozen=True, slots=True)
class DnsQuery:
    """Name and server of a lookup. ``port`` is None for a literal name."""

    host: str
    port: int | None
    server: str


def check(spec: DnsSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    problems = () if spec.name == HEALTH else check_host("name", spec.name)
    if spec.server:
        problems += ("server must be ip:port",) if spec.server == HEALTH else check_target("server", spec.server)
        if not problems and not is_ip(split_address(spec.server)[0]):
            problems += (f"server must be ip:port: {spec.server!r} would have to be looked up itself",)
    return problems


def questions(probe: ProbeSpec[DnsSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the lookup of the service's host, or of the literal name."""
    spec = probe.spec
    endpoint: Endpoint | None
    if spec.name == HEALTH:
        target, endpoint, skip = locate(HEALTH, probe_context)
        host, port = (endpoint.host, endpoint.port) if endpoint else (HEALTH, None)
    else:
        target, skip, host, port = spec.name, "", spec.name, None
    at = f" at {spec.server}" if spec.server else ""
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="dns",
            target=target,
            query=f"A and AAAA of {host}{at}",
            timeout=probe.timeout,
            skip=skip,
            wire=DnsQuery(host, port, spec.server),
        ),
    )


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Addresses are ok; a name that does not exist is bad; servers that fail or are silent are unknown."""
    wire: DnsQuery = question.wire
    known = "" if wire.server else _known(wire, tools)
    if known:
        return skipped(replace(question, skip=known))  # nothing was looked at, so nothing is ruled out
    import dns.exception
    import dns.resolver

    began = tools.clock.monotonic()  # after the imports, which take from the time until the deadline too
    try:
        found = _resolver(wire.server).resolve_name(wire.host, lifetime=deadline.left(began), search=not wire.server)
        addresses = tuple(sorted(found.addresses()))
    except dns.resolver.NXDOMAIN:
        return _absent(question, "the name does not exist (NXDOMAIN)", began, deadline, tools)
    except dns.resolver.NoAnswer:
        return _absent(question, "the name has no address", began, deadline, tools)
    except dns.resolver.LifetimeTimeout:
        took = tools.clock.monotonic() - began
        return answer(question, Verdict.UNKNOWN, f"no DNS answer within {span(took)}", duration=took)
    except dns.resolver.NoNameservers as error:
        took = tools.clock.monotonic() - began
        rcodes = "SERVFAIL" if "SERVFAIL" in str(error) else "no usable answer"
        fact = f"the name servers fail ({rcodes}) after {span(took)}"
        return answer(question, Verdict.UNKNOWN, fact, detail=str(error), duration=took)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        took = tools.clock.monotonic() - began
        fact = f"the lookup failed after {span(took)}: {type(error).__name__}"
        return answer(question, Verdict.UNKNOWN, fact, detail=str(error), duration=took)
    took = tools.clock.monotonic() - began
    return answer(
        question,
        Verdict.OK,
        f"name resolves to {_listed(addresses)} in {span(took)}",
        detail="\n".join(addresses),
        duration=took,
    )


def _resolver(server: str) -> "dns.resolver.Resolver":
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=not server)
    if server:
        host, port = split_address(server)
        resolver.nameservers = [host]
        resolver.port = port
    return resolver


def _known(wire: DnsQuery, tools: ProbeTools) -> str:
    """Return why a name needs no DNS: it is an IP address, localhost, or a host in connect_to. Empty if it does."""
    if is_ip(wire.host):
        return f"{wire.host} is an address"
    if wire.host == "localhost" or wire.host.endswith(".localhost"):
        return f"{wire.host} is this machine itself"
    if wire.port is not None:
        host, port = tools.outgoing.mapped(wire.host, wire.port)
        if (host, port) != (wire.host, wire.port):
            return f"RESPONDER_CONNECT_TO leads {wire.host} to {host}"
    return ""


def _absent(question: ProbeQuestion, fact: str, began: float, deadline: Deadline, tools: ProbeTools) -> Finding:
    """DNS has no address: bad, unless the machine's hosts file has one."""
    wire: DnsQuery = question.wire
    took = tools.clock.monotonic() - began
    if not wire.server:
        try:
            addresses = tools.outgoing.resolve(wire.host, wire.port or 0, deadline)
        except UnreachableError:
            return unreachable(question, UnreachableError(fact), took, Verdict.BAD)
        return answer(question, Verdict.OK, f"name resolves to {_listed(addresses)} by the hosts file", duration=took)
    return unreachable(question, UnreachableError(fact), took, Verdict.BAD)


def _listed(addresses: tuple[str, ...]) -> str:
    more = f" and {len(addresses) - _SHOWN} more" if len(addresses) > _SHOWN else ""
    return ", ".join(addresses[:_SHOWN]) + more


KIND = ProbeKind(name="dns", spec=DnsSpec, check=check, questions=questions, run=run, opening=b"")
