"""Findings become one conclusion, and nothing unknown is hidden."""

from __future__ import annotations

import pytest

from responder.diagnose.conclude import conclude
from responder.model.clue import Certainty, Clue, Role
from responder.model.finding import Conclusion, Verdict, worst_first
from tests.support.builders import a_finding, a_subject

HEALTH = a_finding(Verdict.BAD)
WARNING = a_finding(Verdict.BAD, probe="heap", kind="promql", warning=True, headline="plato: heap 91%")
CAPSULE = a_finding(Verdict.BAD, probe="dependencies", target="capsule", headline="capsule: 503 DOWN in 9 ms")
SILENT = a_finding(Verdict.UNKNOWN, probe="certificate", kind="tls")
SKIPPED = a_finding(Verdict.SKIPPED, probe="kafka-lag", kind="promql")
DNS = a_finding(Verdict.OK, probe="dns", kind="dns")
ODYSSEY = a_finding(Verdict.OK, probe="dependencies", target="odyssey")
NEXUS = a_finding(Verdict.OK, probe="dependencies", target="nexus")
CHANGE = a_finding(
    Verdict.BAD, warning=True, probe="recent-changes", kind="promql", headline="plato: last rollout 22 min ago"
)


def test_the_worst_comes_first() -> None:
    """Bad results come before good ones."""
    assert worst_first((DNS, SKIPPED, SILENT, WARNING, HEALTH)) == (HEALTH, WARNING, SILENT, SKIPPED, DNS)


def test_the_conclusion_names_its_evidence() -> None:
    """The conclusion states the likely cause without names of probes; the rest is sorted by meaning."""
    said = conclude((DNS, NEXUS, WARNING, CHANGE, SILENT, CAPSULE, ODYSSEY, HEALTH, SKIPPED), a_subject())
    assert said == Conclusion(
        likely="503 DOWN in 41 ms, db DOWN; capsule: 503 DOWN in 9 ms; heap 91%",
        changed="last rollout 22 min ago",
        ruled_out="200 UP in 12 ms · nexus, odyssey healthy",
        unknown="no answer within 3.0 s; 1 check skipped",
    )


def test_a_figure_of_kube_state_metrics_names_its_source() -> None:
    """Without a look at the cluster each such figure says where it is from; with one only what is bad does."""
    query = 'sum(kube_pod_status_phase{namespace="shop", phase="Pending"})'
    pending = a_finding(Verdict.OK, probe="pending", kind="promql", headline="plato: 0 pods pending", query=query)
    restarts = a_finding(
        probe="restarts", kind="promql", headline="plato: 7 restarts", query="increase(kube_pod_restarts_total[1h])"
    )
    alone = conclude((pending, restarts), a_subject())
    assert alone.likely == "7 restarts, from kube-state-metrics"
    assert alone.ruled_out == "0 pods pending, from kube-state-metrics"
    clue = Clue(code="pods-ready", role=Role.FINE, entity="Deployment/plato", says="3 of 3 pods of plato ready")
    seen = a_finding(Verdict.OK, kind="kubernetes", headline=clue.says, clue=clue)
    assert conclude((pending, seen), a_subject()).ruled_out == "0 pods pending"


def test_a_figure_that_nothing_judged_rules_nothing_out() -> None:
    """The origin of errors is shown as found; only values compared with a limit count as ruled out."""
    where = a_finding(
        Verdict.OK,
        probe="error-where",
        kind="promql",
        judged=False,
        headline="nexus: errors a second 11.3, POST /plans",
    )
    said = conclude((DNS, where), a_subject())
    assert (said.ruled_out, said.seen) == ("200 UP in 12 ms", "nexus: errors a second 11.3, POST /plans")


@pytest.mark.parametrize("other", [Verdict.BAD, Verdict.UNKNOWN])
def test_a_probe_with_several_answers_is_not_ok_as_a_whole(other: Verdict) -> None:
    """If every dependency was probed, each healthy one is named, so that no "all ok" hides one that is down."""
    own = a_finding(Verdict.OK, probe="all-health")
    said = conclude((own, a_finding(other, probe="all-health", target="capsule")), a_subject())
    assert said.ruled_out == "plato healthy"


def test_without_findings_nothing_is_claimed() -> None:
    """No evidence, no conclusion."""
    assert conclude((), a_subject()) == Conclusion(likely="", changed="", ruled_out="", unknown="")


def test_no_change_is_said_as_such() -> None:
    """The absence of a recent rollout is shown as the recent changes."""
    old = a_finding(Verdict.OK, probe="recent-changes", kind="promql", headline="plato: last rollout 9 days ago")
    assert conclude((old,), a_subject()).changed == "no recent changes (last rollout 9 days ago)"


def test_a_change_that_could_not_be_seen_is_unknown() -> None:
    """Not knowing about rollouts is not the same as no rollout."""
    said = conclude((a_finding(Verdict.UNKNOWN, probe="recent-changes"),), a_subject())
    assert said.changed == ""
    assert said.unknown == "no answer within 3.0 s"


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("no route to plato-7d9fc6b5d4-x2x4z:8080", "no route to plato-5f6b7c8d9e-q8w7v:8080", True),
        (
            "request 3f2a9c1e-0000-4000-8000-1234567890ab failed",
            "request 1a1b1c1d-2222-4333-8444-abcdef012345 failed",
            True,
        ),
        (
            "HikariPool-1 - Connection is not available, 30001ms",
            "HikariPool-2 - Connection is not available, 30005ms",
            True,
        ),
        ("Could not resolve placeholder 'DB_URL'", "Could not resolve placeholder 'DB_USER'", False),
    ],
)
def test_equal_causes_have_equal_signatures(first: str, second: str, *, alike: bool) -> None:
    """A cause is recognized in another workload and after a rollout: names of instances and numbers do not count."""

    def signature(name: str, reason: str) -> str:
        """The signature of a crash loop for this reason."""
        clue = Clue(code="crash", role=Role.CAUSE, entity=f"Deployment/{name}", says=f"{name}: {reason}", reason=reason)
        return conclude((a_finding(Verdict.BAD, clue=clue),), a_subject()).signature

    assert (signature("plato", first) == signature("nexus", second)) is alike


def test_without_a_reason_the_object_is_part_of_the_signature() -> None:
    """Two programs that were killed for their memory have no cause in common; what only coincides is no cause."""
    clue = Clue(code="crash-memory", role=Role.CAUSE, entity="Deployment/plato", says="plato was OOM-killed")
    guess = Clue(code="x", role=Role.CAUSE, entity="Node/a", says="a", certainty=Certainty.COINCIDES)
    found = [conclude((a_finding(Verdict.BAD, clue=each),), a_subject()).signature for each in (clue, guess)]
    assert found == ["crash-memory butterfly/Deployment/plato", ""]


def test_the_cluster_says_best_that_nothing_changed() -> None:
    """The sentence of the cluster comes before the figure of a probe, but never before a rollout that one found."""
    says = "no change of plato in the 2 h before the alert, last rollout 12 days ago"
    quiet = a_finding(
        Verdict.OK,
        kind="kubernetes",
        judged=False,
        clue=Clue(code="change-none", role=Role.FACT, entity="Deployment/plato", says=says),
    )
    figure = a_finding(Verdict.OK, probe="recent-changes", kind="promql", headline="plato: last rollout 12 days ago")
    assert conclude((figure, quiet), a_subject()).changed == says
    assert conclude((CHANGE, quiet), a_subject()).changed == "last rollout 22 min ago"
    assert conclude((figure,), a_subject()).changed == "no recent changes (last rollout 12 days ago)"


def test_a_figure_without_data_is_not_missed_where_the_cluster_was_read() -> None:
    """Prometheus without data about a subject is unknown only if the cluster did not show it."""
    figure = a_finding(Verdict.UNKNOWN, probe="restarts", kind="promql", headline="plato: number of restarts: no data")
    clue = Clue(code="pods-ready", role=Role.FINE, entity="Deployment/plato", says="all 3 pods of plato ready")
    looked = a_finding(Verdict.OK, kind="kubernetes", clue=clue)
    assert "restarts" in conclude((figure,), a_subject()).unknown
    assert conclude((figure, looked), a_subject()).unknown == ""


def test_a_runbook_step_does_not_repeat_the_cause() -> None:
    """A list of pods that differs from the runbook's is context only as long as no cause says why."""
    step = a_finding(kind="runbook-step", headline="step 1 of 6 differs", query="kubectl get pods", judged=False)
    cause = Clue(code="crash", role=Role.CAUSE, entity="Deployment/plato", says="all 3 pods of plato crash-loop")
    seen = a_finding(kind="kubernetes", headline=cause.says, clue=cause)
    assert conclude((step,), a_subject()).seen == "step 1 of 6 differs"
    assert conclude((step, seen), a_subject()).seen == ""


def test_a_look_at_the_cluster_is_no_runbook_step() -> None:
    """A finding of the API server without a clue stays context beside a cause: only runbook steps repeat it."""
    other = a_finding(kind="kubernetes", headline="9 events of plato", query="kubectl get events", judged=False)
    cause = Clue(code="crash", role=Role.CAUSE, entity="Deployment/plato", says="all 3 pods of plato crash-loop")
    seen = a_finding(kind="kubernetes", headline=cause.says, clue=cause)
    assert conclude((other, seen), a_subject()).seen == "9 events of plato"
