"""`responder rules test` runs declarative cases: it fails when an alert would be treated differently, and says how."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from responder.cli.rules import rules

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))

GOOD = """\
defaults: {labels: {namespace: butterfly, severity: critical}, now: "2026-02-28T02:41:00Z"}
tests:
  - name: plato is down
    alert: {alertname: ServiceDown, service: plato}
    expect:
      rule: service-down  # which decides
      severity: P1
      runbook: common-issues.md#service-down
      probes_include: [health, tcp]
      subject: {service: plato, namespace: butterfly}
      route: [pagerduty, slack]
      page: true
      title: "[P1] plato is down*"
      slack_not_contains: ["<!channel>"]
      action: notify
"""


MANY = {name: [str(number) for number in range(30)] for name in "abc"}


def _test(tmp_path: Path, text: str, *arguments: str) -> Result:
    path = tmp_path / "cases.yaml"
    path.write_text(text)
    return CliRunner().invoke(rules, ["test", *HERE, str(path), *arguments])


def test_the_shipped_cases_pass_and_reach_every_rule() -> None:
    """No shipped rule goes out untested, and its cases notice a change of any value that decides something."""
    done = CliRunner().invoke(rules, ["test", *HERE, "--coverage", "--mutate", "--timeout", "600s"])
    assert done.exit_code == 0, done.output
    assert "coverage: 100.0 % of the rules, minimum 100 %\n" in done.output
    assert "coverage: 100.0 % of the matchers, minimum 100 %\n" in done.output
    assert re.search(r"^mutations: \d+ of \d+ noticed \(\d+\.\d %, minimum 95 %\)", done.output, re.MULTILINE)
    assert "  in rule " not in done.output


def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    """A case that speaks of every field passes where all of them are as expected."""
    done = _test(tmp_path, GOOD)
    assert done.exit_code == 0, done.output
    assert re.match(r"ok   /\S+: 1 case\n1 ok, 0 FAIL, 0 todo; 1 of 41 rules reached", done.output)


def test_only_the_folders_are_read_from_the_environment(tmp_path: Path) -> None:
    """Rules are tested where a secret of the service is named and cannot be read, as on a laptop or in CI."""
    env = {
        "RESPONDER_RULES": str(ROOT / "rules"),
        "RESPONDER_RUNBOOKS": str(ROOT / "runbooks"),
        "RESPONDER_SLACK_BOT_TOKEN_FILE": str(tmp_path / "missing"),
    }
    done = CliRunner().invoke(rules, ["test"], env=env)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("old", "new", "field", "expected", "got"),
    [
        ("rule: service-down ", "rule: other ", "rule", "'other'", "'service-down'"),
        ("severity: P1", "severity: P2", "severity", "'P2'", "'P1'"),
        ("runbook: common", "runbook: x.common", "runbook", "'x.common-issues.md", "'common-issues.md#service-down'"),
        ("probes_include: [health, tcp]", "probes_include: [nothing]", "probes_include", "['nothing']", "['health',"),
        ("probes_include: [health, tcp]", "probes: [health]", "probes", "['health']", "['health', 'replicas-ready'"),
        ("{service: plato, namespace: butterfly}\n      route", "nexus\n      route", "subject", "'nexus'", "'plato'"),
        (
            "{service: plato, namespace: butterfly}\n      r",
            "{name: x}\n      r",
            "subject",
            "{'name': 'x'}",
            "{'name'",
        ),
        ("route: [pagerduty, slack]", "route: [slack]", "route", "['slack']", "['pagerduty', 'slack']"),
        ("page: true", "page: false", "page", "False", "True"),
        ('"[P1] plato is down*"', '"[P1] plato"', "title", "'[P1] plato'", "'[P1] plato is down (prod)'"),
        ('"[P1] plato is down*"', '"~up$"', "title", "'~up$'", "'[P1] plato is down (prod)'"),
        ('["<!channel>"]', '["plato"]', "slack_not_contains", "['plato']", "['plato']"),
        ("action: notify", "action: heartbeat", "action", "'heartbeat'", "'notify'"),
    ],
)
def test_each_field_is_compared(tmp_path: Path, old: str, new: str, field: str, expected: str, got: str) -> None:
    """A difference in any field fails the case, and shows what was expected, what came, and the way to it."""
    assert old in GOOD
    done = _test(tmp_path, GOOD.replace(old, new))
    assert done.exit_code == 1
    assert f"     {field}:\n       expected {expected}" in done.output
    assert f"       got      {got}" in done.output
    assert "     | RULES     the first match decides\n" in done.output


TEAM_RULES = """\
teams:
  payments: {channels: [slack]}
  search: {channels: [pagerduty]}
rules:
  - {id: sales, match: alertname="Sales", severity: P1, first_step: Look., team: {from: team, otherwise: search}}
"""


@pytest.mark.parametrize(
    ("expected", "ok"),
    [
        ("{team: payments, channels: [slack]}", True),
        ("{team: search}", False),
        ("{team: null}", False),
        ("{channels: [pagerduty]}", False),
        ("{team: [payments]}", True),
    ],
)
def test_a_case_says_which_team_and_channels_are_notified(tmp_path: Path, expected: str, ok: bool) -> None:
    """A rule that notifies another team than before fails its case."""
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder, ignore=shutil.ignore_patterns("tests"))
    (folder / "05-teams.yaml").write_text(TEAM_RULES)
    path = tmp_path / "cases.yaml"
    path.write_text(f"tests: [{{name: a, alert: {{alertname: Sales, team: payments}}, expect: {expected}}}]")
    where = ("--rules", str(folder), "--runbooks", str(ROOT / "runbooks"))
    done = CliRunner().invoke(rules, ["test", *where, str(path)])
    assert (done.exit_code == 0) is ok, done.output


def test_a_title_may_be_a_regex(tmp_path: Path) -> None:
    """A title can be compared as strictly as wanted."""
    assert _test(tmp_path, GOOD.replace('"[P1] plato is down*"', '"~^.P1. plato is d"')).exit_code == 0


ROWS = """\
tests:
  - name: rows
    rows: [{alert: Watchdog, rule: watchdog}, {alert: HighLatency, rule: high-latency}]
    matrix: {severity: [critical, warning]}
    alert: {alertname: "${alert}", severity: "${severity}"}
    expect: {rule: "${rule}"}
  - name: a gap
    todo: true
    alert: {alertname: HighLatency}
    expect: {page: true}
  - name: no gap any more
    todo: true
    alert: {alertname: HighLatency}
    expect: {page: false}
"""


def test_rows_become_cases_and_gaps_do_not_fail(tmp_path: Path) -> None:
    """One table tests many alerts, and a known gap is shown without stopping a release."""
    done = _test(tmp_path, ROWS, "--verbose")
    assert done.exit_code == 0, done.output
    assert "ok   rows [critical, HighLatency, high-latency]\n" in done.output
    assert "todo a gap\n" in done.output
    assert "todo no gap any more  (passes now: remove todo)\n" in done.output
    assert "4 ok, 0 FAIL, 2 todo; 2 of 41 rules reached" in done.output


def test_some_cases_can_be_chosen(tmp_path: Path) -> None:
    """While working on one rule one runs its cases only."""
    assert "2 ok, 0 FAIL, 0 todo" in _test(tmp_path, ROWS, "--run", "rows.*Watchdog").output
    assert _test(tmp_path, ROWS, "--run", "(").exit_code == 2
    nothing = _test(tmp_path, ROWS, "--run", "nobody wrote this")
    assert nothing.exit_code == 2
    assert "no case name matches 'nobody wrote this'" in nothing.output


def test_to_have_run_nothing_is_no_success(tmp_path: Path) -> None:
    """A file that was emptied does not pass a gate."""
    empty = _test(tmp_path, "tests: []\n")
    assert (empty.exit_code, empty.stderr) == (1, "error: no test cases in the files\n")


def test_coverage_below_the_wish_fails(tmp_path: Path) -> None:
    """A rule without a case, or a matcher that no case depends on, is named."""
    text = GOOD + "coverage: {min_rules: 100%}\n"
    assert _test(tmp_path, text).exit_code == 0
    done = _test(tmp_path, text, "--coverage")
    assert done.exit_code == 1
    assert "  rule watchdog decides no case (rules/05-watchdog.yaml:" in done.output
    assert '  rule target-down-service: no case depends on service=~"capsule|' in done.output


MATCHERS = """\
tests:
  - {name: the watchdog, alert: {alertname: Watchdog}, expect: {rule: watchdog}}
  - {name: no watchdog, alert: {alertname: Other}, expect: {rule: unknown}}
coverage: {min_matchers: 1%}
"""


def test_matchers_have_a_minimum_of_their_own(tmp_path: Path) -> None:
    """A matcher that no case depends on can be taken out by mistake: a file may forbid that."""
    done = _test(tmp_path, MATCHERS, "--coverage")
    assert done.exit_code == 0, done.output
    share = re.search(r"coverage: (\d+\.\d) % of the matchers, minimum 1 %\n", done.output)
    assert share
    assert 1 < float(share[1]) < 99
    wanted = MATCHERS.replace("1%", "99%")
    assert _test(tmp_path, wanted, "--coverage").exit_code == 1
    assert _test(tmp_path, wanted).exit_code == 0


def test_a_change_of_severity_that_no_case_makes_is_named(tmp_path: Path) -> None:
    """Severity changes by findings and numbers are listed as untested if no case covers them."""
    said = "  rule {}: in no case adjust raises the severity to P1 if {}\n"
    disk = said.format("volume-filling", "volume-eta is bad")
    nodes = said.format("node-not-ready", "3 alerts fire")
    cases = """\
tests:
  - name: findings
    alert: {alertname: KubePersistentVolumeFillingUp, persistentvolumeclaim: data-capsule-0, severity: warning}
    findings: {volume-eta: bad}
    expect: {severity: P1}
  - name: numbers
    alert: {alertname: KubeNodeNotReady, severity: warning}
    alerts: [{node: a}, {node: b}, {node: c}]
    expect: {severity: P1}
"""
    tried = _test(tmp_path, cases, "--coverage").output
    assert disk not in tried
    assert nodes not in tried
    less = cases.replace("volume-eta: bad", "volume-eta: ok").replace(", {node: c}", "").replace("P1", "P3", 1)
    untried = _test(tmp_path, less, "--coverage").output
    assert disk in untried
    assert nodes in untried


def test_ci_reads_the_report(tmp_path: Path) -> None:
    """CI shows which case failed and why."""
    text = GOOD.replace("severity: P1", "severity: P2") + ROWS.partition("tests:\n")[2]
    report = tmp_path / "report.xml"
    assert _test(tmp_path, text, "--junit", str(report)).exit_code == 1
    [suite] = ET.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "1", "2")
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.get("message") == "severity: expected 'P2', got 'P1'"


def test_expectations_can_be_rewritten(tmp_path: Path) -> None:
    """After a change that is meant, the cases are brought up to date for review; comments stay."""
    text = GOOD.replace("rule: service-down ", "rule: é ").replace("[pagerduty, slack]", "\n      - slack\n")
    text = text.replace("severity: P1", "severity: P3").replace("page: true", "page: false")
    text += '  - name: rows\n    matrix: {a: [x, y]}\n    alert: {alertname: "${a}"}\n    expect: {rule: watchdog}\n'
    done = _test(tmp_path, text, "--update")
    assert done.exit_code == 0, done.output
    assert "update manually: " in done.output
    after = (tmp_path / "cases.yaml").read_text()
    assert "rule: service-down  # which decides\n" in after
    assert "route: [pagerduty, slack]" in after
    assert "page: true" in after
    assert after.partition("  - name: rows")[0].split() == GOOD.split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: [{name: x, alert: {a: b}, expect: {rul: x}}]", "unknown key 'rul' (did you mean 'rule'?)"),
        ("tests: [{name: x, expect: {rule: x}}]", "a case has either alert (or alerts) or body"),
        ("tests: [{name: x, alert: {a: '${b}'}, matrix: {c: [d]}, expect: {}}]", "${b} is in neither matrix nor rows"),
        ("tests: [{name: x, alert: {a: 1}, expect: {}}]", "expected a string, got the number 1"),
        ("tests: [{name: x, now: soon, alert: {a: b}, expect: {}}]", "a time has the form"),
        ("coverage: {min_rules: 101}", "whole number of percent"),
        ("coverage: {min_matchers: most}", "whole number of percent"),
        ("tests: [", "tests.yaml:2:1"),
        ("- a", "error[bad-value]"),
        ("tests: [{name: x, alert: {a: b}, expect: {title: }}]", "title has no value"),
        ("tests: [{name: x, alert: {a: b}, expect: {subject: {servce: plato}}}]", "unknown key 'servce'"),
        ('tests: [{name: x, alert: {a: b}, now: "0001-01-01T00:00:00Z", expect: {}}]', "the year must be"),
        ('tests: [{name: x, body: "a\\0b", expect: {rule: x}}]', "cannot be read: embedded null byte"),
        (f"tests: [{{name: x, alert: {{}}, matrix: {MANY}, expect: {{}}}}]", "more than 10,000 cases"),
    ],
)
def test_a_mistake_in_a_case_is_shown_where_it_is(tmp_path: Path, text: str, said: str) -> None:
    """A misspelt expectation is an error, never a case that silently checks nothing."""
    done = _test(tmp_path, text)
    assert done.exit_code == 1
    assert said.replace("tests.yaml", "cases.yaml") in done.output, done.output


def test_a_body_that_is_missing_fails(tmp_path: Path) -> None:
    """A missing payload of a case is reported."""
    done = _test(tmp_path, "tests: [{name: x, body: none.json, expect: {rule: unknown}}]")
    assert done.exit_code == 1
    assert "cannot be read" in done.output


def test_a_folder_without_cases_is_told(tmp_path: Path) -> None:
    """A wrong path does not pass for a success."""
    done = CliRunner().invoke(rules, ["test", "--rules", str(ROOT / "rules"), str(tmp_path / "none.yaml")])
    assert done.exit_code == 1


def test_findings_numbers_and_the_time_decide_as_they_do_at_night(tmp_path: Path) -> None:
    """Cases can assert changes by findings, by several alerts and by the hour, and fail when these change."""
    cases = """\
tests:
  - name: findings
    rows: [{is: bad, severity: P1}, {is: unknown, severity: P3}]
    alert: {alertname: KubePersistentVolumeFillingUp, persistentvolumeclaim: data-capsule-0, severity: warning}
    findings: {volume-eta: "${is}"}
    expect: {severity: "${severity}", owner: team-capsule}
  - name: numbers
    alert: {alertname: KubeNodeNotReady, severity: warning}
    alerts: [{node: a}, {node: b}, {node: c}]
    expect: {severity: P1, reason: "~3 alerts fire"}
  - name: the hour
    now: "2026-03-01T02:00:00Z"
    alert: {alertname: CertificateExpiry, service: plato, severity: warning}
    findings: {certificate-days: bad}
    expect: {severity: P2, page: false, shadow: null, reason: "*not paged outside of business-hours*"}
"""
    done = _test(tmp_path, cases)
    assert done.exit_code == 0, done.output
    wrong = _test(tmp_path, cases.replace("severity: P1, reason", "severity: P2, reason"))
    assert wrong.exit_code == 1
    assert "expected 'P2'" in wrong.output
    said = _test(tmp_path, cases.replace("is: unknown", "is: unknwon"))
    assert "'unknwon' is not a probe result (did you mean 'unknown'?)" in said.output
    nobody = _test(tmp_path, cases.replace("volume-eta", "volume-age"))
    assert "the rule does not run volume-age" in nobody.output


ON_TRIAL = """\
rules:
  - {id: trial, match: 'alertname="ServiceDown"', severity: P2, first_step: Look., channels: [slack], enabled: shadow}
"""


def test_a_rule_in_shadow_is_tested_explained_and_counted(tmp_path: Path) -> None:
    """A case promises what a rule on trial would decide, while the rule below it still decides and pages."""
    copy = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", copy)
    (copy / "01-trial.yaml").write_text(ON_TRIAL)
    where = ("--rules", str(copy), "--runbooks", str(ROOT / "runbooks"))
    path = tmp_path / "cases.yaml"
    good = GOOD.replace("action: notify", "shadow: trial")
    path.write_text(good)
    done = CliRunner().invoke(rules, ["test", *where, str(path), "--coverage"])
    assert done.exit_code == 0, done.output
    assert "trial (" not in done.output
    path.write_text(good.replace("shadow: trial", "shadow: null"))
    wrong = CliRunner().invoke(rules, ["test", *where, str(path)])
    assert wrong.exit_code == 1
    assert "in shadow: would have decided P2 set by the rule" in wrong.output
    assert "SHADOW    in shadow, rule trial would decide: P2 set by the rule" in wrong.output


MUTATED = """\
platform: {environment: test, namespace: shop}
severities:
  P1: &severity
    {meaning: m, response: r, respond_within: 1h, responders: r, pages: true, pagerduty: critical, page_budget: 8s,
     next_update: 1h}
  P2: {meaning: m, response: r, respond_within: 1h, responders: r, pages: false, pagerduty: info, page_budget: 8s,
       next_update: 1h}
channels:
  a-pager: {kind: pagerduty, routing_key: {secret: a}}
  b-pager: {kind: pagerduty, routing_key: {secret: b}}
teams:
  red: {channels: [a-pager]}
  blue: {channels: [b-pager]}
probes:
  one: {kind: dns, name: one.example}
  two: {kind: dns, name: two.example}
windows:
  day: {zone: UTC, days: [mon, tue, wed, thu, fri], hours: "08:00-18:00"}
rules:
  - id: first
    match: [alertname=~"A|B(C|D)", env!~"test|dev"]
    severity: {from: severity, map: {critical: P1, warning: P2}, otherwise: P1}
    adjust: [{when: {probe: one, is: bad}, raise: P1}]
    pages_in: {P1: day}
    runbook: a.md
    first_step: Look.
    probes: [one, two]
    team: {from: team, map: {scarlet: red}, otherwise: blue}
  - id: second
    match: alertname=~"A.*"
    severity: P1
    first_step: Look.
    channels: [a-pager, b-pager]
  - id: last
    match: []
    severity: P2
    first_step: Look.
    channels: [a-pager]
""".replace("&severity", "")

NOTICING = """\
defaults: {now: "2026-03-02T10:00:00Z"}
tests:
  - name: the names
    matrix: {alert: [A, BC, BD]}
    alert: {alertname: "${alert}", severity: critical}
    expect: {rule: first, severity: P1, runbook: a.md, probes: [one, two], route: [b-pager]}
  - name: not in a test environment
    matrix: {env: [test, dev]}
    alert: {alertname: BC, env: "${env}"}
    expect: {rule: last, severity: P2, route: [log]}
  - name: the words
    rows: [{severity: warning, expected: P2}, {severity: purple, expected: P1}, {severity: "", expected: P1}]
    alert: {alertname: A, severity: "${severity}"}
    expect: {severity: "${expected}"}
  - name: a bad probe
    alert: {alertname: A, severity: warning}
    findings: {one: bad}
    expect: {severity: P1, page: true}
  - name: at night
    now: "2026-03-02T02:00:00Z"
    alert: {alertname: A, severity: critical}
    expect: {severity: P1, page: false}
  - name: a team by its other name
    alert: {alertname: A, team: scarlet, severity: critical}
    expect: {route: [a-pager]}
  - name: the second
    alert: {alertname: AA, severity: critical}
    expect: {rule: second, severity: P1, route: [a-pager, b-pager]}
"""


def _mutated(tmp_path: Path, cases: str, *arguments: str) -> Result:
    for name, text in (("rules/a.yaml", MUTATED), ("cases.yaml", cases), ("runbooks/a.md", "# A\n")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    where = ("--rules", str(tmp_path / "rules"), "--runbooks", str(tmp_path / "runbooks"))
    return CliRunner().invoke(rules, ["test", *where, str(tmp_path / "cases.yaml"), "--mutate", *arguments])


def _unnoticed(done: Result) -> list[str]:
    found = json.loads(done.stdout)["mutations"]
    return [f"{each['rule']} {each['kind']} {each['change']}" for each in found["unnoticed"]]


def test_complete_cases_notice_every_change(tmp_path: Path) -> None:
    """Cases that state each result of each rule notice every change of a decision."""
    done = _mutated(tmp_path, NOTICING + "coverage: {min_mutation: 100%}\n")
    assert done.exit_code == 0, done.output
    assert re.search(r"^mutations: (\d+) of \1 noticed \(100\.0 %, minimum 100 %\)", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("old", "new", "unnoticed"),
    [
        (", runbook: a.md", "", {"first runbook a.md -> another.md"}),
        ("probes: [one, two]", "probes_include: [one]", {"first probe two removed"}),
        ("[A, BC, BD]", "[A, BC]", {"first alternative D of alertname removed"}),
        ("[test, dev]", "[dev]", {"first matcher test of env removed"}),
        ("{severity: warning, expected: P2}, ", "", {"first severity warning: P2 -> P1"}),
        (
            ', {severity: purple, expected: P1}, {severity: "", expected: P1}',
            "",
            {"first severity otherwise: P1 -> P2"},
        ),
        (r"  - name: a bad probe\n(    .*\n)+", "", {"first adjust entry 1 removed"}),
        (r"  - name: at night\n(    .*\n)+", "", {"first pages_in removed"}),
        (r"  - name: a team by(.*\n)(    .*\n)+", "", {"first team scarlet: red -> blue"}),
        (r"  - name: the second\n(    .*\n)+", "", {"second severity P1 -> P2", "second channel b-pager removed"}),
    ],
)
def test_a_change_that_no_case_notices_is_named(tmp_path: Path, old: str, new: str, unnoticed: set[str]) -> None:
    """Cases that say less leave the changes that only they would notice, each with an alert to write a case for."""
    cases = re.sub(old if old.startswith(" ") else re.escape(old), new, NOTICING)
    assert cases != NOTICING
    done = _mutated(tmp_path, cases, "--output", "json")
    assert done.exit_code == 0, done.output
    assert unnoticed <= set(_unnoticed(done)), done.stdout


def test_too_few_noticed_changes_fail(tmp_path: Path) -> None:
    """The gate fails, names each change with its position, and an alert for a case that would notice it."""
    done = _mutated(tmp_path, NOTICING.replace(", runbook: a.md", "") + "coverage: {min_mutation: 100%}\n")
    assert done.exit_code == 1
    assert (
        "rules/a.yaml:25:14: first, runbook: a.md -> another.md; write a case with alert: {alertname: " in done.stdout
    )


def test_mutations_end_with_their_time(tmp_path: Path) -> None:
    """A time budget too small for all changes fails, and says how many are left."""
    done = _mutated(tmp_path, NOTICING, "--timeout", "1s")
    if done.exit_code:  # a fast machine tries all within a second
        assert re.search(
            r"^\d+ mutations? not tried: out of time|cases? not run: out of time", done.stdout, re.MULTILINE
        )


def test_failing_cases_are_fixed_first(tmp_path: Path) -> None:
    """Changes are not tried against cases that fail anyway."""
    done = _mutated(tmp_path, NOTICING.replace("rule: second", "rule: last"))
    assert done.exit_code == 1
    assert "mutations:" not in done.stdout
