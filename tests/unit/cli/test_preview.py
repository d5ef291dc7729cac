"""The dry-run's element: what others rely upon."""

from __future__ import annotations

import json
from dataclasses import replace

from responder.cli.preview import as_json, cut_off, preview
from responder.cli.samples import Sample
from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import Finding, Verdict
from responder.model.rule import Action, RunbookRef
from responder.notify.delivery.route import named_by_rules
from tests.support.builders import NOW
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_desk
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

LABELS = {"alertname": "ServiceDown", "service": "plato", "severity": "critical"}
FIRING = to_bytes(a_body(alerts=[an_alert(labels=LABELS)]))
OVER = to_bytes(a_body(alerts=[an_alert(labels=LABELS, status="resolved", endsAt="2026-11-23T10:00:00Z")]))


def element(body: bytes, **context: object) -> dict[str, object]:
    """The JSON element of a payload."""
    shown = preview(Sample("x.json", body), a_desk(**context), NOW, None, explain=True)  # type: ignore[arg-type]
    found: dict[str, object] = json.loads(as_json(shown, explain=True))
    return found


def test_the_element_has_the_keys_others_rely_upon() -> None:
    """Scripts read these names: the decision, each channel that rules may name, and problems."""
    decided = ["source", "rule", "severity", "reason", "subject", "runbook", "probes", "page"]
    names = [*decided, *sorted(named_by_rules()), "problems"]
    assert list(element(FIRING))[: len(names)] == names


def test_a_firing_body_shows_the_exact_messages() -> None:
    """A dry run shows the request that serve sends, except for the key."""
    shown = element(FIRING)
    event, message = shown["pagerduty"], shown["slack"]
    assert isinstance(event, dict)
    assert isinstance(message, dict)
    assert (shown["page"], event["event_action"]) == (True, "trigger")
    assert message["blocks"]
    assert json.dumps(shown).count("token") == 0


def test_a_resolved_body_shows_the_resolution() -> None:
    """The end of an incident is tried as if the incident were open."""
    shown = element(OVER)
    event = shown["pagerduty"]
    assert isinstance(event, dict)
    assert (shown["page"], event["event_action"]) == (False, "resolve")


def test_the_runbook_is_the_link_of_the_page() -> None:
    """A template is shown as the address that the page links; a local runbook without an address is its file."""
    template = RunbookRef("https://runbooks.example.com/${alertname|lower}")
    assert element(FIRING, rule=replace(EVERYTHING, runbook=template))["runbook"] == (
        "https://runbooks.example.com/servicedown"
    )
    shown = element(FIRING, rule=replace(EVERYTHING, runbook=RunbookRef("a.md", "b")))
    assert str(shown["runbook"]) in json.dumps(shown["slack"])
    assert element(FIRING, rule=replace(EVERYTHING, runbook=None))["runbook"] is None


def test_alerts_that_were_cut_off_are_spoken_of() -> None:
    """The output says that Alertmanager truncated the payload."""
    body = to_bytes(a_body(alerts=[an_alert(labels=LABELS)], truncatedAlerts=3))
    assert element(body)["truncated"] == 3
    assert "truncated" not in element(FIRING)
    assert cut_off(3).startswith("3 alerts were removed by Alertmanager's max_alerts")
    assert cut_off(1).startswith("1 alert was removed")


def test_a_heartbeat_sends_nothing() -> None:
    """A Watchdog shows that nothing is sent."""
    shown = element(FIRING, rule=replace(EVERYTHING, action=Action.HEARTBEAT))
    assert (shown["page"], shown["pagerduty"], shown["slack"]) == (False, None, None)


def test_a_bad_body_is_a_problem_with_its_field() -> None:
    """The reason is printed for a payload that would be refused."""
    shown = element(b'{"version": "4"}')
    assert shown["rule"] is None
    assert shown["problems"] == ["$.groupKey: is missing: this is no webhook payload of Alertmanager or Grafana"]


def test_probes_really_run_when_asked_for() -> None:
    """With --probe the answers are in the list and in the messages."""

    def run(questions: tuple[ProbeQuestion, ...]) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                probe=question.probe,
                kind=question.kind,
                target=question.target,
                verdict=Verdict.BAD,
                headline="plato: refused after 1 ms",
                query=question.query,
            )
            for question in questions
        )

    shown = json.loads(as_json(preview(Sample("x.json", FIRING), a_desk(), NOW, run), explain=False))
    assert shown["probes"][0]["verdict"] == "bad"
    assert "refused after 1 ms" in json.dumps(shown["pagerduty"])


def test_the_trace_names_each_rule() -> None:
    """The reasons for the chosen rule and against the others."""
    chosen = {"rule": "everything", "matched": True, "failed": None, "got": None, "shadow": False}
    assert element(FIRING)["explain"] == [chosen]


def test_a_rule_in_shadow_is_shown_beside_the_one_that_decides() -> None:
    """The decision of a shadow rule is shown beside the one in force."""
    found = element(FIRING, above=(replace(EVERYTHING, id="on-trial", shadow=True, severity="P2"),))
    assert (found["rule"], found["severity"], found["page"]) == ("everything", "P1", True)
    assert found["shadow"] == "in shadow, rule on-trial would decide: P2 set by the rule"
    steps = found["explain"]
    assert isinstance(steps, list)
    assert [(step["rule"], step["matched"], step["shadow"]) for step in steps] == [
        ("on-trial", False, True),
        ("everything", True, False),
    ]
    assert "on-trial" not in json.dumps([found["slack"], found["pagerduty"]])


def test_without_channels_the_page_is_shown_as_printed() -> None:
    """Without a PagerDuty key the log's page is shown."""
    shown = preview(Sample("x", FIRING), a_desk(channels={"log": CHANNELS_USED["log"]}), NOW, None)
    [sent] = shown.sent
    assert b"plato is down" in sent.requests[0].body
