"""TCP probe: connects to an address and closes the connection."""

from dataclasses import dataclass, field

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import HEALTH, Endpoint, check_target, locate
from responder.model.clock import Deadline
from responder.model.finding import Finding, Origin, Verdict
from responder.model.rule import ProbeSpec
from responder.outgoing import UnreachableError, join_address


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSpec:
    """A connection is opened and closed; nothing is sent."""

    target: str = field(
        default=HEALTH, metadata={"help": "${health}, for host and port of the service's health address, or host:port"}
    )


def check(spec: TcpSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    return check_target("target", spec.target)


def questions(probe: ProbeSpec[TcpSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the check of the service, or of the literal address."""
    spec = probe.spec
    name, endpoint, skip = locate(spec.target, probe_context)
    where = join_address(endpoint.host, endpoint.port) if endpoint else spec.target
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="tcp",
            origin=Origin.SERVICE,
            target=name,
            query=f"TCP connect {where}",
            timeout=probe.timeout,
            skip=skip,
            wire=endpoint,
            endpoint=where,
        ),
    )


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Connected is ok; refused is bad, for the host did answer; anything else is unknown."""
    endpoint: Endpoint = question.wire
    began = tools.clock.monotonic()
    try:
        tools.outgoing.connect(endpoint.host, endpoint.port, deadline).close()
    except UnreachableError as error:
        verdict = Verdict.BAD if error.refused else Verdict.UNKNOWN
        fact = UnreachableError(f"port {endpoint.port} refuses connections") if error.refused else error
        return unreachable(question, fact, tools.clock.monotonic() - began, verdict)
    took = tools.clock.monotonic() - began
    return answer(question, Verdict.OK, f"port {endpoint.port} accepts connections in {span(took)}", duration=took)


KIND = ProbeKind(name="tcp", spec=TcpSpec, check=check, questions=questions, run=run, opening=b"")
