"""Annotations of deployments become changes before the alert."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from responder.diagnose.conclude import conclude
from responder.diagnose.contract import ProbeContext, Sources
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.grafana import GrafanaSpec
from responder.model.finding import Verdict
from tests.support.builders import a_finding
from tests.unit.diagnose.conftest import Canned, Look, a_probe, a_scene

BEGAN = datetime.now(UTC) - timedelta(minutes=3)


def an_annotation(minutes: float, text: str = "", *tags: str) -> dict[str, Any]:
    """An annotation this long before the alert, as Grafana lists it."""
    at = int((BEGAN - timedelta(minutes=minutes)).timestamp() * 1000)
    return {"id": 7, "time": at, "timeEnd": at, "text": text, "tags": list(tags), "dashboardUID": "", "userId": 1}


def scene(canned: Canned, *annotations: dict[str, Any]) -> ProbeContext:
    """The usual subject, with these annotations in Grafana."""
    canned.body = json.dumps(annotations).encode()
    return dataclasses.replace(a_scene(), sources=Sources(grafana=f"http://{canned.address}/"), began=BEGAN)


def test_deployments_before_the_alert_are_changes(canned: Canned, run: Look) -> None:
    """A deployment of the subject or of a dependency is named with its minutes; those of others are left out."""
    probe_context = scene(
        canned,
        an_annotation(7.2, "<b>v1.8.2</b> by ci, password=hunter2", "deploy", "service:plato"),
        an_annotation(4, "capsule 2.0.0", "deployment"),
        an_annotation(2, "platonic 3", "deploy"),
        an_annotation(-1.1, "plato hotfix", "release"),
    )
    found = run("grafana", GrafanaSpec(), probe_context)
    assert [each.headline for each in found] == [
        "Grafana: release of plato 1 min after the alert began: plato hotfix",
        "Grafana: deploy of plato 7 min before the alert: v1.8.2 by ci, password=[REDACTED:secret]",
        "Grafana: deployment of capsule 4 min before the alert: capsule 2.0.0",
    ]
    said = conclude(found, probe_context.subject)
    assert said.changed == "; ".join(each.headline for each in found)
    assert (said.code, said.likely) == ("change-deploy", "")
    asked = parse_qs(urlsplit(canned.asked[0][1]).query)
    assert asked["tags"] == ["deploy", "deployment", "release"]
    assert int(asked["from"][0]) == round((BEGAN - timedelta(hours=2)).timestamp() * 1000)


def test_a_deployment_hides_no_other_change_and_no_missing_data(canned: Canned, run: Look) -> None:
    """Without access to the cluster a page still says what Prometheus knows of rollouts, and what has no data."""
    rollout = a_finding(Verdict.BAD, probe="recent-changes", kind="promql", headline="plato: rolled out 8 min ago")
    silent = a_finding(Verdict.UNKNOWN, kind="promql", headline="plato: no data")
    probe_context = scene(canned, an_annotation(7.2, "", "deploy", "plato"))
    said = conclude((*run("grafana", GrafanaSpec(), probe_context), rollout, silent), probe_context.subject)
    assert said.changed == "rolled out 8 min ago; Grafana: deploy of plato 7 min before the alert"
    assert said.unknown == "no data"


def test_without_an_annotation_a_page_says_so(canned: Canned, run: Look) -> None:
    """No annotation is a fact with its window, and rules nothing out; without a Grafana nothing is asked."""
    (finding,) = run("grafana", GrafanaSpec(), scene(canned))
    assert finding.headline == "plato: 0 deployments annotated in Grafana in the 2h before the alert"
    assert (finding.verdict, finding.judged) == (Verdict.OK, False)
    assert PROBES["grafana"].questions(a_probe("grafana", GrafanaSpec()), a_scene()) == ()


def test_times_beyond_the_calendar_are_unknown(canned: Canned, run: Look) -> None:
    """An answer that makes no sense costs its own finding."""
    (finding,) = run("grafana", GrafanaSpec(), scene(canned, {"time": 10**18, "text": "plato"}))
    assert finding.verdict is Verdict.UNKNOWN
