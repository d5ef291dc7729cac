"""`responder rules explain`: each step from the labels of an alert to the channels notified."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select

from responder import bootstrap
from responder.cli.rules import rules
from responder.engine.workers.triage import IncidentWriter, TriageWorker
from responder.standins.server import Call, Reply, StandIn, as_json
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.schema.tables import incidents, payloads
from tests.conftest import HandClock
from tests.support.builders import NOW

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))


def _explain(*arguments: str, body: str = "") -> Result:
    return CliRunner().invoke(rules, ["explain", *HERE, *arguments], input=body)


def _labels(**labels: str) -> list[str]:
    return [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]


def _element(*arguments: str) -> dict[str, Any]:
    [found] = json.loads(_explain(*arguments, "--output", "json").output)
    assert isinstance(found, dict)
    return found


def test_alerts_that_were_cut_off_are_counted() -> None:
    """The output says that the group has more alerts than the payload."""
    body = str(ROOT / "examples" / "alerts" / "truncated.json")
    assert "and 1 removed by max_alerts" in _explain(body).output
    assert (_element(body)["alerts"], _element(body)["truncated"]) == (1, 1)
    assert "cut off" not in _explain(*_labels(alertname="X")).output.partition("SUBJECT")[0]


def test_an_explanation_has_every_step() -> None:
    """One command shows rule, severity, runbook, probes and channels, with the reasons."""
    done = _explain(
        *_labels(alertname="ServiceDown", service="plato", severity="critical", pod="kube-state-metrics-5f")
    )
    assert done.exit_code == 0, done.output
    text = done.output
    for heading in ("ALERT", "SUBJECT", "RULES", "SEVERITY", "RUNBOOK", "PROBES", "ROUTE", "DEDUP", "TITLE", "WHY"):
        assert f"\n{heading}" in text, heading
    assert 'rejected pod: "kube-state-metrics-5f" is an exporter' in text
    assert "  1 watchdog" in text
    assert "got 'ServiceDown'" in text
    assert "<- chosen (rules/20-spring-boot.yaml:" in text
    assert "would match as well" in text
    assert "common-issues.md#service-down  ok" in text
    assert "GET http://plato:8080/actuator/health" in text
    assert "pagerduty critical, slack; pages on-call" in text


def test_scripts_read_the_same() -> None:
    """JSON output has the content of the text output."""
    found = _element(*_labels(alertname="KubeHpaMaxedOut", severity="warning"))
    assert (found["rule"], found["severity"], found["page"], found["route"]) == (
        "autoscaler-at-its-limit",
        "P3",
        False,
        ["slack"],
    )
    assert found["runbook"] | {"by_conclusion": {}} == {
        "target": "scaling.md#autoscaler-at-its-limit",
        "found": "ok",
        "by_conclusion": {},
    }
    assert [step["rule"] for step in found["rules"] if step["would_match"]] == ["autoscaler-at-its-limit", "unknown"]
    assert found["dedup"]["group_key"] == '{}:{alertname="KubeHpaMaxedOut"}'


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "alerts").glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_can_be_explained(path: Path) -> None:
    """Any payload of Alertmanager, also a hostile one, is explained without control sequences."""
    done = _explain(str(path))
    assert done.exit_code == 0, done.output
    assert all(sign.isprintable() or sign == "\n" for sign in done.output)
    assert len(_element(str(path))["rules"]) == len(bootstrap.load_rules(*HERE[1::2]).rules)


def test_a_body_may_come_on_standard_input() -> None:
    """A captured payload can be piped in."""
    assert "from rule unknown" in _explain("-", body='{"labels": {"alertname": "NeverSeen"}}').output
    wrong = _explain("-", body="nonsense")
    assert wrong.exit_code == 1
    assert "PROBLEM" in wrong.output


def test_a_wrong_command_line_is_told() -> None:
    """Missing or malformed labels are an error that shows the correct form."""
    assert _explain().exit_code == 2
    assert _explain("--label", "alertname").exit_code == 2


class _Alertmanager(StandIn):
    """Answers /api/v2/alerts/groups with two groups, the second of which has no alert left."""

    asked: str
    authorization: str

    def answer(self, call: Call) -> Reply:
        """The groups, as ``gettableAlerts`` of openapi.yaml."""
        self.authorization = call.headers.get("authorization", "")
        self.asked = unquote(call.path)
        if "nonsense" in self.asked:
            return as_json(400, "bad matcher format: nonsense")
        alert = {
            "labels": {"alertname": "ServiceDown", "service": "plato", "severity": "critical"},
            "annotations": {"summary": "down"},
            "startsAt": "2026-11-23T10:00:00Z",
            "endsAt": "2036-11-23T10:04:00Z",
            "updatedAt": "2026-11-23T10:00:00Z",
            "fingerprint": "0123456789abcdef",
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        }
        labels = {"alertname": "ServiceDown", "service": "plato"}
        empty = {"labels": {}, "receiver": {"name": "other"}, "alerts": []}
        found = [{"labels": labels, "receiver": {"name": "team"}, "alerts": [alert]}, empty]
        return as_json(200, [empty] if "Nothing" in self.asked else found)


def test_what_fires_in_a_live_alertmanager_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """On call, one command says why what fires right now gets what it gets; silenced alerts are left out."""
    with _Alertmanager() as server:
        found = _element("--alertmanager", server.url + "/", "--filter", 'service="plato"')
        assert server.asked.startswith("/api/v2/alerts/groups?active=true&silenced=false&inhibited=false")
        assert server.asked.endswith('&filter=service="plato"')
        wrong = _explain("--alertmanager", server.url, "--filter", "nonsense")
        none = _explain("--alertmanager", server.url, "--filter", "alertname=Nothing")
        monkeypatch.setenv("RESPONDER_ALERTMANAGER_URL", f"prod-eu={server.url}")
        configured = _element("--alertmanager")
        assert "sha256(prod-eu and {}:{" in _explain("--alertmanager").output
    assert (found["rule"], found["severity"], found["alert"]["firing"]) == ("service-down", "P1", True)
    assert found["dedup"]["group_key"] == '{}:{alertname="ServiceDown", service="plato"}'
    assert found["source"].endswith('{alertname="ServiceDown", service="plato"} to team')
    assert configured["dedup"]["cluster"] == "prod-eu"
    assert configured["dedup"]["key"] != found["dedup"]["key"]
    assert (wrong.exit_code, none.exit_code) == (1, 1)
    assert "status 400: bad matcher format: nonsense" in wrong.stderr
    assert "no active alert matches --filter" in none.stderr


def test_an_alertmanager_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong or missing address, and an answer of something else, are said to be that."""
    assert "http://127.0.0.1:1/api/v2/alerts/groups: " in _explain("--alertmanager", "http://127.0.0.1:1").stderr
    monkeypatch.delenv("RESPONDER_ALERTMANAGER_URL", raising=False)
    assert "no Alertmanager is configured: use --alertmanager URL" in _explain("--alertmanager").stderr
    with _Other() as server:
        assert "unexpected response from /api/v2/alerts/groups" in _explain("--alertmanager", server.url).stderr


class _Other(StandIn):
    """Some other JSON API."""

    def answer(self, call: Call) -> Reply:
        """A list of something."""
        return as_json(200, [{"id": 1}])


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a stored incident that was opened, repeated and resolved under the shipped rules."""
    monkeypatch.setenv("RESPONDER_DATABASE_URL", f"sqlite:///{tmp_path}/responder.db")
    settings = bootstrap.settings_from_environment()
    book = bootstrap.load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    context = bootstrap.context(settings, book, bootstrap.shown_channels(settings))
    firing = json.loads((ROOT / "examples" / "alerts" / "service-down.json").read_text())
    over = json.loads(json.dumps(firing).replace('"firing"', '"resolved"').replace("0001-01-01", "2026-11-23"))
    bootstrap.prepare_store(settings)
    with bootstrap.database(settings) as database:
        for body in (firing, firing, over):
            Inbox(database).keep(json.dumps(body).encode(), "prod-eu", NOW)
        TriageWorker(IncidentWriter(database, HandClock()), lambda: context).step()
        with database.read() as connection:
            return str(connection.execute(select(incidents.c.id)).scalar_one())


def test_a_stored_incident_is_explained_then_and_now(opened: str, tmp_path: Path) -> None:
    """A past incident is explained, and compared with the current rules."""
    found = _element("--incident", opened.lower())
    assert found["source"].startswith(f"{opened}, notification 2 of ")
    assert found["dedup"]["cluster"] == "prod-eu"
    assert found["stored"]["changed"] is False
    assert found["stored"]["then"] == found["stored"]["now"]
    assert found["stored"]["then"]["severity"] == "P1"
    rules = tmp_path / "rules"
    rules.mkdir()
    for path in (ROOT / "rules").glob("*.yaml"):
        (rules / path.name).write_text(path.read_text().replace("critical: P1, warning: P2", "critical: P3"))
    changed = ("--rules", str(rules), "--incident", opened)
    text = _explain(*changed).output
    assert re.search(r"THEN      P1 from rule service-down, rules [0-9a-f]{12}\n", text)
    assert re.search(r"NOW       P3 from rule service-down, rules [0-9a-f]{12}: changed", text)
    assert "NOW       P1 from rule service-down, same rules: unchanged" in (_explain("--incident", opened).output)


def test_an_incident_that_is_not_there_is_told(opened: str, tmp_path: Path) -> None:
    """A slip in an id, and an incident whose webhooks are gone, are said in a sentence."""
    assert "no incident INC-NOPE in the database" in _explain("--incident", "INC-NOPE").stderr
    database = Database(f"sqlite:///{tmp_path}/responder.db")
    with database.write() as connection:
        connection.execute(delete(payloads))
    database.close()
    gone = _explain("--incident", opened)
    assert gone.exit_code == 1
    assert f"all notifications of {opened} with a firing alert have been pruned" in gone.stderr


def test_only_one_source_is_taken() -> None:
    """Two sources are an error that lists the sources."""
    assert _explain("--incident", "INC-1", "--label", "a=b").exit_code == 2
    assert _explain("--label", "a=b", "--filter", "c=d").exit_code == 2


def test_a_password_in_an_address_is_sent_and_not_shown() -> None:
    """An Alertmanager with basic authentication can be read, and no password is printed."""
    with _Alertmanager() as server:
        url = server.url.replace("http://", "http://me:hunter2@")
        done = _explain("--alertmanager", url)
        wrong = _explain("--alertmanager", url, "--filter", "nonsense")
    assert done.exit_code == 0
    assert server.authorization == "Basic bWU6aHVudGVyMg=="
    assert "hunter2" not in done.output + wrong.output
    assert "status 400" in wrong.stderr


SHORT_OF_REPLICAS = _labels(alertname="KubeDeploymentReplicasMismatch", deployment="plato", severity="warning")


def test_it_says_what_findings_would_make_of_it() -> None:
    """Possible severity changes by findings are shown; with given results they are applied."""
    text = _explain(*SHORT_OF_REPLICAS).output
    assert "raises the severity to P1 if replicas-ready is bad and health is bad\n" in text
    assert "waits up to 8 s for probes" in text
    found = _element(*SHORT_OF_REPLICAS, "--finding", "replicas-ready=bad", "--finding", "health=bad")
    assert (found["severity"], found["findings"]["severity"], found["page"]) == ("P3", "P1", True)
    assert "raised from P3 to P1 because plato: replicas-ready is bad" in found["findings"]["reason"]
    assert found["route"] == ["slack", "pagerduty"]
    assert found["title"].startswith("[P1] plato: kube deployment replicas mismatch")


def test_a_label_in_the_place_of_a_file_is_understood() -> None:
    """Labels without --label, as in amtool, are an error that shows the correct form."""
    done = _explain("alertname=ServiceDown")
    assert done.exit_code == 2
    assert "write --label alertname=ServiceDown" in done.output


def test_a_finding_that_nobody_asks_for_is_a_problem() -> None:
    """A misspelt probe does not look like a finding without effect."""
    unused_answers = _explain(*SHORT_OF_REPLICAS, "--finding", "replicas-redy=bad")
    assert "the rule does not run replicas-redy" in unused_answers.output
    assert "did you mean 'replicas-ready'?" in unused_answers.output
    assert unused_answers.exit_code == 1
    assert _explain(*SHORT_OF_REPLICAS, "--finding", "health=down").exit_code == 2
    assert _explain(*SHORT_OF_REPLICAS, "--at", "tonight").exit_code == 2


@pytest.mark.parametrize(("moment", "page"), [("2026-03-01T02:00:00Z", False), ("2026-03-02T10:00:00", True)])
def test_it_says_what_another_time_makes_of_it(moment: str, *, page: bool) -> None:
    """The time of day can be set, so that a paging window can be checked at any time."""
    labels = _labels(alertname="CertificateExpiry", service="plato", severity="warning")
    found = _element(*labels, "--finding", "certificate-days=bad", "--at", moment)
    assert found["page"] is page
    assert ("opens Mon 2026-03-02 08:00 (UTC)" in (found["held"] or "")) is not page


def test_a_dropped_alert_is_explained(tmp_path: Path) -> None:
    """An alert that a rule drops shows the rule and its reason, in explain, dry-run and coverage."""
    arguments = ["--label", "alertname=InfoInhibitor", *HERE]
    done = CliRunner().invoke(rules, ["explain", *arguments])
    assert "DROPPED   1 alert by rule info-inhibitor: It only lets Alertmanager mute alerts" in done.output
    [found] = json.loads(CliRunner().invoke(rules, ["explain", *arguments, "--output", "json"]).output)
    assert (found["action"], found["route"], found["page"]) == ("drop", [], False)
    assert found["dropped"] == ["info-inhibitor: It only lets Alertmanager mute alerts of severity info."]
    path = tmp_path / "a.json"
    path.write_text('{"groups": [{"name": "g", "rules": [{"alert": "InfoInhibitor", "expr": "x"}]}]}')
    done = CliRunner().invoke(rules, ["coverage", str(path), *HERE])
    assert "info-inhibitor  1  dropped: It only lets Alertmanager mute alerts of severity info.\n" in done.output
    assert "0 may page, 1 dropped\n" in done.output
