"""Alerts around the subject become one sentence, by what they share with it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from responder.diagnose.contract import ProbeContext, Sources
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.alertmanager import AlertmanagerSpec
from responder.model.finding import Verdict
from responder.triage.subject import subject
from tests.support.builders import a_book
from tests.support.faulty import refused_address
from tests.unit.diagnose.conftest import Canned, Look, a_probe, a_scene


def an_alert(number: int, silences: tuple[str, ...] = (), inhibitors: tuple[str, ...] = (), **labels: str) -> Any:
    """An alert as API v2 lists it."""
    state = "suppressed" if silences or inhibitors else "active"
    status = {"state": state, "silencedBy": silences, "inhibitedBy": inhibitors}
    return {"fingerprint": f"{number:016}", "status": status, "labels": labels}


def scene(*urls: str, **labels: str) -> ProbeContext:
    """The usual subject, with Alertmanager at these addresses."""
    values = {"alertname": "ServiceDown", "node": "n1"} | labels
    return dataclasses.replace(a_scene(**values), sources=Sources(alertmanager={"": urls}))


def test_other_alerts_are_grouped_by_what_they_share(canned: Canned, run: Look) -> None:
    """On-call sees at once that a node or a namespace is the common part; the page's own alert is not counted."""
    own = an_alert(1, alertname="ServiceDown", service="plato", node="n1", namespace="butterfly")
    node = an_alert(2, alertname="NodeDiskPressure", node="n1")
    near = [an_alert(3 + n, alertname="KubePodNotReady", namespace="butterfly", pod=f"capsule-{n}") for n in range(2)]
    canned.bodies = {
        "service": json.dumps([own]).encode(),
        "node": json.dumps([own, node]).encode(),
        "namespace": json.dumps([own, *near]).encode(),
    }
    (finding,) = run("alertmanager", AlertmanagerSpec(), scene(f"http://{canned.address}"))
    assert (finding.verdict, finding.judged) == (Verdict.OK, False)
    assert finding.headline == (
        "plato: 3 other alerts firing: node n1: NodeDiskPressure; namespace butterfly: KubePodNotReady (2)"
    )
    assert [path for _, path, _ in canned.asked] == [
        "/api/v2/alerts?filter=service%3D%22plato%22",
        "/api/v2/alerts?filter=node%3D%22n1%22",
        "/api/v2/alerts?filter=namespace%3D%22butterfly%22",
    ]


def test_the_alert_itself_is_not_counted_where_an_exporter_reports_it(canned: Canned, run: Look) -> None:
    """The subject takes the labels of the series (``exported_pod``); the alert still counts as the page's own."""
    labels: Any = {"alertname": "ServiceDown", "namespace": "butterfly", "pod": "exporter-1", "exported_pod": "plato-1"}
    labels |= {"exported_service": "plato", "service": "exporter"}
    about = dataclasses.replace(scene(f"http://{canned.address}"), subject=subject(labels, a_book()))
    canned.body = json.dumps([an_alert(1, **labels), an_alert(2, **labels | {"exported_pod": "plato-2"})]).encode()
    (finding,) = run("alertmanager", AlertmanagerSpec(by=("namespace",)), about)
    assert finding.headline.endswith("1 other alert firing: namespace butterfly: ServiceDown")


def test_silences_and_inhibitions_are_named(canned: Canned, run: Look) -> None:
    """A silence around the subject names its author, end and comment: it is maintenance, or hides the cause."""
    canned.bodies = {
        "silence/": json.dumps(
            {
                "id": "s1",
                "endsAt": "2031-02-28T05:00:00Z",
                "createdBy": "alice",
                "comment": "plan, password=hunter2",
            }
        ).encode()
    }
    alerts = [an_alert(1, ("s1",), alertname="HighLatency"), an_alert(2, (), ("x",), alertname="PodNotReady")]
    canned.body = json.dumps(alerts).encode()
    (finding,) = run("alertmanager", AlertmanagerSpec(by=("namespace",)), scene(f"http://{canned.address}"))
    assert finding.headline.startswith(
        "plato: 0 other alerts firing with namespace butterfly; 1 silenced by alice until 2031-02-28 05:00 UTC (plan"
    )
    assert finding.headline.endswith("): HighLatency; 1 inhibited: PodNotReady")
    assert "hunter2" not in finding.headline


def test_the_other_of_a_pair_answers(canned: Canned, run: Look) -> None:
    """One Alertmanager that is down does not hide what the other knows."""
    canned.body = b"[]"
    urls = (f"http://{refused_address()}", f"http://{canned.address}")
    (finding,) = run("alertmanager", AlertmanagerSpec(by=("namespace",)), scene(*urls))
    assert finding.headline == "plato: 0 other alerts firing with namespace butterfly"


def test_an_error_is_unknown(canned: Canned, run: Look) -> None:
    """An answer that is none of API v2 says nothing about other alerts."""
    canned.status, canned.body = 403, b"{}"
    (finding,) = run("alertmanager", AlertmanagerSpec(), scene(f"http://{canned.address}"))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.headline.startswith("plato: Alertmanager: HTTP 403 for /api/v2/alerts after ")


def test_the_alertmanager_is_that_of_the_cluster() -> None:
    """With several clusters the label of the alert decides; without it the question is skipped with a reason."""
    sources = Sources(alertmanager={"eu": ("http://eu",), "us": ("http://us",)})
    probe = a_probe("alertmanager", AlertmanagerSpec())
    (known,) = PROBES["alertmanager"].questions(probe, dataclasses.replace(scene(cluster="us"), sources=sources))
    (unclear,) = PROBES["alertmanager"].questions(probe, dataclasses.replace(scene(), sources=sources))
    assert (known.endpoint, known.skip) == ("http://us", "")
    assert "several Alertmanagers" in unclear.skip
    assert PROBES["alertmanager"].questions(probe, dataclasses.replace(scene(), sources=Sources())) == ()
