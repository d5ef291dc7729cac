"""Carries out a command of a runbook, and returns its output cleaned and without secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from responder.diagnose.cluster.reader import Reader, SharedReads, UnseenError
from responder.diagnose.steps import kubectl
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.redaction import redact
from responder.model.text import clean
from responder.outgoing import UnreachableError
from responder.outgoing.process import Launch, launch
from responder.runbooks.command import CommandLine, HttpGet, Refusal
from responder.runbooks.document import PlannedCommand
from responder.runbooks.expected import Comparison, Output, Result, compare
from responder.runbooks.kubectl import KubectlCall

#: Bytes of output that are read; the rest is cut off.
MOST_BYTES = 65536


class NotRunError(Exception):
    """A command that could not be carried out. The text says why; it says nothing about the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTools:
    """Dependencies of a running step.

    ``send`` sends a request, ``cluster`` reads the cluster, None without access to one. ``programs`` are those that are
    installed, by name.
    """

    send: Callable[[Request, Deadline, int], Response]
    clock: Clock
    cluster: SharedReads | None = None
    programs: Mapping[str, Launch] = field(default_factory=dict)


def run(command: CommandLine, deadline: Deadline, tools: StepTools) -> Output:
    """Return the output of a command. Raises NotRunError by the deadline, if there is none."""
    match command.action:
        case KubectlCall() as call:
            if tools.cluster is None:
                raise NotRunError("no access to a Kubernetes cluster is configured (RESPONDER_KUBECONFIG)")
            try:
                found = kubectl.run(call, Reader(tools.cluster, tools.clock), deadline, tools.clock.now())
            except UnseenError as error:
                raise NotRunError(error.unseen.why) from None
        case HttpGet() as get:
            found = _get(get, deadline, tools)
        case _:
            found = _start(command.argv, deadline, tools)
    return Output(redact(clean(found.text)), found.status, found.cut)


@dataclass(frozen=True, slots=True)
class StepRun:
    """A command, its output if it ran, and the comparison with what the runbook expects."""

    planned: PlannedCommand
    output: Output | None
    comparison: Comparison

    @property
    def result(self) -> str:
        """The result in one word."""
        return self.comparison.result.value


def carry_out(planned: PlannedCommand, deadline: Deadline, tools: StepTools) -> StepRun:
    """Run a command and compare its output; unknown with the reason if it cannot be run."""
    if isinstance(planned.command, Refusal):
        return StepRun(planned, None, Comparison(Result.UNKNOWN, f"not run: {planned.command}"))
    try:
        output = run(planned.command, deadline, tools)
    except NotRunError as error:
        return StepRun(planned, None, Comparison(Result.UNKNOWN, f"not run: {error}"))
    match, lines = (planned.expected.match, planned.expected.lines) if planned.expected else ("none", ())
    return StepRun(planned, output, compare(match, lines, output, planned.values))


def _get(get: HttpGet, deadline: Deadline, tools: StepTools) -> Output:
    request = Request(get.url, b"", {"Accept": "*/*"}, "GET")
    try:
        response = tools.send(request, deadline.earlier(get.seconds, tools.clock.monotonic()), MOST_BYTES)
    except UnreachableError as error:
        raise NotRunError(f"HTTP request: {error}") from None
    text = response.body.decode("utf-8", "replace")
    if get.fail and response.status >= 400:  # as curl: the status instead of the body
        return Output(f"curl: (22) The requested URL returned error: {response.status}", 22)
    return Output(text, 0, len(response.body) >= MOST_BYTES)


def _start(argv: tuple[str, ...], deadline: Deadline, tools: StepTools) -> Output:
    found = tools.programs.get(argv[0])
    if found is None:
        raise NotRunError(f"{argv[0]} is not installed here")
    ended = launch(found, argv[1:], deadline, tools.clock, MOST_BYTES)
    if ended.problem:
        raise NotRunError(f"{argv[0]}: {ended.problem}")
    return Output(ended.output.decode("utf-8", "replace"), ended.status, ended.cut)
