"""Runbook step probe: runs the read-only steps of the section that the rule links, and compares their output."""

import shlex
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer
from responder.diagnose.plan import subject_name
from responder.diagnose.steps.run import StepTools, carry_out
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.rule import ProbeSpec
from responder.runbooks.command import CommandLine, HttpGet, Refusal
from responder.runbooks.document import PlannedCommand, planned
from responder.runbooks.expected import Result
from responder.runbooks.kubectl import KubectlCall
from responder.runbooks.words import is_value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStepSpec:
    """Steps that are marked read-only, of one section of a runbook; docs/runbooks.md says what may be run."""

    section: str = field(
        default="", metadata={"help": "FILE#SECTION in the folder of the runbooks; empty: the runbook of the rule"}
    )


def check(spec: RunbookStepSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    file, _, anchor = spec.section.partition("#")
    if spec.section and (not file.endswith(".md") or not anchor or ".." in file.split("/") or file.startswith("/")):
        return (f"section must be FILE.md#SECTION below the folder of the runbooks, not {spec.section!r}",)
    return ()


def questions(probe: ProbeSpec[RunbookStepSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan a check for each read-only command of the section that has an output to compare with.

    There are none where the rule links no section that was loaded, and none of kubectl without access to a cluster.
    """
    file, _, anchor = (probe.spec.section or probe_context.runbook).partition("#")
    document = probe_context.runbooks.documents.get(file)
    if document is None or not anchor:
        return ()
    steps = planned(document, _values(probe_context), probe_context.runbooks.scope, anchor)
    return tuple(
        _question(probe, each, probe_context) for each in steps if each.compared and _can_run(each, probe_context)
    )


def _can_run(step: PlannedCommand, probe_context: ProbeContext) -> bool:
    command = step.command
    return probe_context.cluster or isinstance(command, Refusal) or not isinstance(command.action, KubectlCall)


def _values(probe_context: ProbeContext) -> dict[str, str]:
    """Return the values of placeholders: the service from the catalog, and labels whose values are names."""
    subject = probe_context.subject
    values = {label: value for label, value in subject.values.items() if is_value(value)}
    values.pop("service", None)
    if subject.service is not None:
        values["service"] = subject.service
    if subject.namespace in probe_context.runbooks.scope.namespaces:
        values["namespace"] = subject.namespace
    return values


def _question(probe: ProbeSpec[RunbookStepSpec], step: PlannedCommand, probe_context: ProbeContext) -> ProbeQuestion:
    command = step.command
    return ProbeQuestion(
        probe=probe.name,
        kind="runbook-step",
        target=subject_name(probe_context),
        query="" if isinstance(command, Refusal) else shlex.join(command.argv),
        timeout=min(probe.timeout, step.seconds),
        skip=f"{step.step}: {command}" if isinstance(command, Refusal) else "",
        wire=step,
        endpoint="" if isinstance(command, Refusal) else _endpoint(command),
    )


def _endpoint(command: CommandLine) -> str:
    """Return the server that answers a command."""
    match command.action:
        case KubectlCall():
            return "the Kubernetes API server"
        case HttpGet(url):
            return urlsplit(url).netloc
    return command.argv[0]


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Run a command. One that could not be run is unknown; one whose output differs is a warning, and no cause."""
    step: PlannedCommand = question.wire
    began = tools.clock.monotonic()
    own = StepTools(send=tools.outgoing.send, clock=tools.clock, cluster=tools.cluster, programs=tools.programs)
    ran = carry_out(step, deadline, own)
    took, difference = tools.clock.monotonic() - began, ran.comparison.difference
    # A page may link the section for its conclusion instead of this one.
    named = ": ".join(filter(None, (step.case, step.title)))
    match ran.comparison.result:
        case Result.MATCH:  # the page needs no output that is as expected
            return answer(question, Verdict.OK, f"{step.step} as expected ({named})", duration=took, judged=False)
        case Result.MISMATCH:
            fact, verdict = f"{step.step} differs ({named}): {difference}", Verdict.BAD
        case Result.UNKNOWN:
            why = f"unknown: {difference}" if ran.output else difference  # without output: not run, and why
            fact, verdict = f"{step.step} {why}", Verdict.UNKNOWN
    detail = ran.output.text if ran.output else ""
    return answer(question, verdict, fact, detail=detail, duration=took, warning=verdict is Verdict.BAD, judged=False)


KIND = ProbeKind(
    name="runbook-step",
    spec=RunbookStepSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"\x16\x03",
    of_group=False,
    of_runbooks=True,
)
