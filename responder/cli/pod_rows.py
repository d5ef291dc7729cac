"""Pods of the catalog's namespaces for ``responder health``, as ``kubectl get pods -o wide`` and ``top pods`` say."""

import re
from typing import TYPE_CHECKING

from responder import bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from responder.diagnose.steps.run import StepTools
    from responder.model.finding import Finding
    from responder.model.rule import RuleBook
    from responder.settings import Settings

#: Phases and reasons of a pod that has done its work.
_DONE = frozenset({"Completed", "Succeeded"})
_CELLS = re.compile(r" {3,}")


def pod_rows(settings: "Settings", book: "RuleBook", timeout: float) -> "tuple[tuple[Finding, ...], str]":
    """Return a finding for each pod, and a note if the pods, or their usage, could not be read. Raises FatalError."""
    from responder.bootstrap.kubernetes import AccessError
    from responder.cli.errors import FatalError
    from responder.diagnose.steps.run import NotRunError

    scope = bootstrap.scope_of(settings, book)
    try:
        with bootstrap.step_tools(settings, bootstrap.SystemClock()) as tools:
            if tools.cluster is None:
                return (), "pods not checked: no access to a Kubernetes cluster is configured (RESPONDER_KUBECONFIG)"
            return tuple(row for each in sorted(scope.namespaces) for row in _pods(each, timeout, tools)), ""
    except AccessError as error:
        raise FatalError(str(error)) from error
    except NotRunError as error:
        return (), f"pods not checked: {error}"


def _pods(namespace: str, timeout: float, tools: "StepTools") -> "list[Finding]":
    """Return a finding for each pod of a namespace. Raises NotRunError if they cannot be listed."""
    from responder.diagnose.steps.run import NotRunError
    from responder.model.finding import Finding, Verdict

    began = tools.clock.monotonic()
    listed = _rows("get", {"-o": "wide", "--no-headers": ""}, namespace, timeout, tools)
    took = tools.clock.monotonic() - began
    try:
        used = {row[0]: row[1:] for row in _rows("top", {"--no-headers": ""}, namespace, timeout, tools)}
    except NotRunError:  # no metrics server: the pods themselves are known
        used = {}
    over = _leftovers(namespace, timeout, tools) if any(len(row) > 2 and _has_ended(row[2]) for row in listed) else {}
    found = []
    for name, ready, status, restarts, age, _, node, *_ in (row for row in listed if len(row) >= 7):
        here, _, wanted = ready.partition("/")
        well = status in _DONE or name in over or (status == "Running" and here == wanted)
        usage = f", CPU {used[name][0]}, memory {used[name][1]}" if len(used.get(name, ())) == 2 else ""
        note = f" ({over[name]})" if name in over else ""
        said = f"{ready} {status}, restarts {restarts}, age {age}, on {node}{usage}{note}"
        found.append(
            Finding(
                probe="pods",
                kind="kubernetes",
                target=name,
                verdict=Verdict.OK if well else Verdict.BAD,
                headline=said,
                query=f"kubectl --namespace={namespace} get pods -o wide",
                duration=took,
            )
        )
    return found


def _has_ended(status: str) -> bool:
    """Return True if a pod with this status may have ended. One that runs or starts has another status."""
    return status not in _DONE | {"Running", "Pending", "ContainerCreating", "PodInitializing", "Terminating"}


def _leftovers(namespace: str, timeout: float, tools: "StepTools") -> "Mapping[str, str]":
    """Return why ended pods are no fault, by name; nothing if the pods or Jobs could not be read."""
    from responder.diagnose.cluster.leftovers import leftovers
    from responder.diagnose.cluster.reader import Reader, UnseenError, listing
    from responder.model.clock import Deadline

    if tools.cluster is None:
        return {}
    reader, until = Reader(tools.cluster, tools.clock), Deadline(tools.clock.monotonic() + timeout)
    try:
        pods, jobs = (reader.objects(listing(kind, namespace), until) for kind in ("Pod", "Job"))
    except UnseenError:
        return {}
    return leftovers(pods, jobs)


def _rows(verb: str, options: dict[str, str], namespace: str, timeout: float, tools: "StepTools") -> list[list[str]]:
    from responder.diagnose.steps.run import run
    from responder.model.clock import Deadline
    from responder.runbooks.command import CommandLine
    from responder.runbooks.kubectl import KubectlCall

    command = CommandLine(("kubectl", verb, "pods"), KubectlCall(verb, "Pod", (), namespace, options))
    output = run(command, Deadline(tools.clock.monotonic() + timeout), tools)
    return [_CELLS.split(line) for line in output.text.splitlines()]
