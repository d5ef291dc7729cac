"""Steps of runbooks as a probe: which are run, and what a page says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from responder.bootstrap import SystemClock
from responder.bootstrap.runbooks import runbook_set
from responder.diagnose.cluster.reader import TABLE, SharedReads
from responder.diagnose.contract import ProbeContext, ProbeTools
from responder.diagnose.probes.runbook_step import KIND, RunbookStepSpec
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.model.message import Response
from responder.model.problem import Position
from responder.model.rule import ProbeSpec
from responder.outgoing import Outgoing
from responder.runbooks.command import Scope
from responder.runbooks.document import RunbookSet, parse, planned
from responder.settings import Settings
from responder.standins.cluster.running import Scenario
from tests.support.builders import a_service, a_subject
from tests.support.platform import a_book

CLOCK = SystemClock()
RUNBOOK = """# Test

## Procedure

### Service down

#### Step 1: Look

```sh {"name":"pods","tag":"readonly"}
kubectl get pods -l app={{ service }}
```

```text {"for":"pods","match":"lines"}
NAME * (glob)
{{ service }}-* 1/1 Running * (glob+)
```

#### Step 2: Roll back

```sh {"name":"undo","tag":"mutating"}
kubectl rollout undo deployment/{{ service }}
```

#### Step 3: Unmarked

```sh
kubectl get pods
```

```sh {"name":"top","tag":"readonly"}
kubectl top pods
```

```text {"for":"top","match":"none"}
plato-0 1m 1Mi
```

#### Step 4: Log

```sh {"name":"log","tag":"readonly"}
kubectl logs {{ pod }}
```

```text {"for":"log"}
*
```

### Other

#### Step 1: Nodes

```sh {"name":"nodes","tag":"readonly"}
kubectl get nodes
```
"""
SPEC = ProbeSpec(
    name="steps", kind="runbook-step", timeout=2.0, spec=RunbookStepSpec(), position=Position("rules/x.yaml", 1, 1)
)
SET = RunbookSet(
    documents={"test.md": parse("test.md", RUNBOOK)},
    scope=Scope(namespace="butterfly", namespaces=frozenset({"butterfly"})),
)


def known(runbook: str = "test.md#service-down", *, cluster: bool = True, **labels: str) -> ProbeContext:
    """Return the context of an alert about plato."""
    return ProbeContext(
        subject=a_subject(name="plato", values=labels),
        services={"plato": a_service("plato")},
        prometheus_url="",
        cluster=cluster,
        runbooks=SET,
        runbook=runbook,
    )


def findings(scenario: Scenario, context: ProbeContext) -> list[Finding]:
    """Run the planned steps against a scenario."""
    cluster = scenario.cluster()

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - those of Fetch
        return Response(*cluster.answer(target, as_table=accept == TABLE))

    outgoing = Outgoing(CLOCK)
    tools = ProbeTools(outgoing=outgoing, clock=CLOCK, cluster=SharedReads(fetch, CLOCK))
    try:
        return [
            found
            for question in KIND.questions(SPEC, context)
            if not question.skip
            for found in KIND.findings(question, Deadline(CLOCK.monotonic() + 5), tools)
        ]
    finally:
        outgoing.close()


def test_only_marked_steps_of_the_linked_section_are_planned() -> None:
    """Steps of other sections, unmarked ones, and those that change something or are not compared are no questions."""
    found = KIND.questions(SPEC, known(pod="plato-0"))
    assert [each.query for each in found] == [
        "kubectl --namespace=butterfly get pods -l app=plato",
        "kubectl --namespace=butterfly logs plato-0",
    ]
    assert KIND.questions(SPEC, known("")) == ()
    assert KIND.questions(SPEC, known("test.md")) == ()
    assert KIND.questions(SPEC, known("test.md#nothing")) == ()
    assert KIND.questions(SPEC, known("https://example.org/test.md#service-down")) == ()


def test_a_fence_that_is_not_closed_is_never_run() -> None:
    """Without its end, text below a command would be part of it."""
    text = '# T\n\n## A\n\n```sh {"name":"a","tag":"readonly"}\nkubectl get pods\n'
    scope = Scope(namespace="shop", namespaces=frozenset({"shop"}))
    assert [each.name for each in planned(parse("a.md", f"{text}```\n"), {}, scope)] == ["a"]
    assert planned(parse("a.md", text), {}, scope) == ()


@pytest.mark.parametrize("value", ["--kubeconfig=/x", "a b", "$(id)", "../../x", "", "x" * 300])
def test_a_step_whose_value_is_missing_or_hostile_is_skipped(value: str) -> None:
    """The reason is given, and nothing of the value is in the command."""
    found = KIND.questions(SPEC, known(pod=value))[1]
    assert found.skip == "step 4 of 4: there is no value for {{ pod }}"
    assert found.query == ""


def test_without_access_to_a_cluster_steps_of_kubectl_are_left_out() -> None:
    """Nothing is asked, as by `kind: kubernetes`; steps of other programs are."""
    assert KIND.questions(SPEC, known(cluster=False, pod="plato-0")) == ()


def test_a_page_says_which_step_is_as_expected_and_which_differs() -> None:
    """A match is a fact without a verdict, a difference a warning with the output."""
    pod = Scenario("healthy", {"plato": "butterfly"}).values("plato")["pod"]
    first, log = findings(Scenario("healthy", {"plato": "butterfly"}), known(pod=pod))
    assert (first.verdict, first.judged, first.headline) == (
        Verdict.OK,
        False,
        "plato: step 1 of 4 as expected (Service down: Look)",
    )
    assert log.headline == "plato: step 4 of 4 as expected (Service down: Log)"
    assert first.detail == ""
    differs, _ = findings(Scenario("failing", {"plato": "butterfly"}, failing=True), known(pod=pod))
    assert (differs.verdict, differs.warning, differs.judged) == (Verdict.BAD, True, False)
    assert differs.headline.startswith(
        "plato: step 1 of 4 differs (Service down: Look): line 2 is 'plato-6f9d8c7b5-x7k2p 0/1 CrashLoop"
    )
    assert "Pending" in differs.detail


def test_runbooks_are_run_as_they_were_loaded(tmp_path: Path) -> None:
    """A file that changes has no effect, and a link out of the folder is not loaded."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "test.md").write_text(RUNBOOK, "utf-8")
    (tmp_path / "outside.md").write_text(RUNBOOK, "utf-8")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    loaded = runbook_set(Settings(runbooks=str(folder)), a_book())
    (folder / "test.md").write_text(RUNBOOK.replace("get pods", "get nodes"), "utf-8")
    assert set(loaded.documents) == {"test.md"}
    assert loaded.documents["test.md"].commands[0].fence.content == "kubectl get pods -l app={{ service }}\n"
