"""Findings become one conclusion, and nothing unknown is hidden."""

from __future__ import annotations

import pytest

from responder.diagnose.conclude import conclude
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
        likely="503 DOWN in 41 ms, db DOWN; capsule: 503 DOWN in 9 ms; and 1 more",
        changed="last rollout 22 min ago",
        ruled_out="200 UP in 12 ms · nexus, odyssey healthy",
        unknown="no answer within 3.0 s; 1 check skipped",
    )


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
    old = a_finding(Verdict.OK, probe="recent-changes", kind="promql", headline="plato: last rollout 9.0 days ago")
    assert conclude((old,), a_subject()).changed == "no recent changes (last rollout 9.0 days ago)"


def test_a_change_that_could_not_be_seen_is_unknown() -> None:
    """Not knowing about rollouts is not the same as no rollout."""
    said = conclude((a_finding(Verdict.UNKNOWN, probe="recent-changes"),), a_subject())
    assert said.changed == ""
    assert said.unknown == "no answer within 3.0 s"
