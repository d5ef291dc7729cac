"""`responder rules coverage` says which rule each alert of a Prometheus meets, and its numbers add up."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.bootstrap import rule_references
from responder.cli.rules import rules
from responder.cli.rules.links import LinkStatus, check_link
from responder.cli.rules.online import dead_links
from responder.cli.rules.weight import FiringStats, share_weights
from responder.model.problem import Level
from responder.model.rule import LinkAnnotations
from responder.rulebook.load import gather, required
from responder.rulebook.prometheus_rules import AlertRule, NotReadableError, read_file
from responder.rulebook.rule_files import RuleFiles
from responder.settings import Settings
from responder.standins.server import Call, Reply, StandIn, as_json
from tests.unit.rulebook.test_advice import HEAD

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))

PLAIN = """\
groups:
  - name: ours
    labels: {team: core}
    rules:
      - record: job:up
        expr: sum(up)
      - alert: ServiceDown
        expr: up == 0
        labels: &critical {severity: critical}
        annotations: {runbook_url: "https://example.com/<b>"}
      - alert: PrometheusRuleFailures
        expr: x > 0
        labels: *critical
  - name: more
    rules:
      - alert: NobodyKnows
        expr: y
        labels: {severity: "{{ $labels.level }}"}
      - {alert: "<script>alert(1)</script>", expr: z}
"""
MANIFEST = """\
apiVersion: v1
kind: ConfigMap
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - {name: a, rules: [{alert: KubePodCrashLooping, expr: x, labels: {severity: warning}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rule files, some in it about something else."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "plain.yml").write_text(PLAIN)
    (tmp_path / "deep" / "manifest.yaml").write_text(MANIFEST)
    (tmp_path / "other.yaml").write_text("groups: [{name: r, rules: [{record: a:b, expr: x}]}]\n")
    return tmp_path


def _coverage(*arguments: str) -> Result:
    return CliRunner().invoke(rules, ["coverage", *HERE, *arguments])


def _json(*arguments: str) -> dict[str, Any]:
    found = json.loads(_coverage(*arguments, "--output", "json").output)
    assert isinstance(found, dict)
    return found


def _adds_up(found: dict[str, Any]) -> None:
    numbers = found["summary"]
    assert numbers["alerts"] == len(found["alerts"]) == numbers["matched"] + numbers["caught"]
    assert numbers["alerts"] == sum(numbers["severities"].values()) == sum(numbers["rules"].values())
    assert numbers["caught"] == sum(each["catch_all"] for each in found["alerts"]) == numbers["rules"]["unknown"]
    assert numbers["paging"] == sum(each["pages"] for each in found["alerts"])
    used = [rule for rule, count in numbers["rules"].items() if count]
    assert len(numbers["rules"]) == len(set(used) | {"unknown"}) + len(numbers["idle"])
    assert numbers["alerts"] == sum(numbers["runbook_urls"].values())
    if "fired" in numbers:
        assert numbers["fired"] == round(sum(each["fired"] for each in found["alerts"]))
        assert numbers["fired_caught"] == round(sum(each["fired"] for each in found["alerts"] if each["catch_all"]))
        assert numbers["hours"] == round(sum(each["hours"] for each in found["alerts"]), 1)


def test_each_alert_is_shown_with_what_it_gets(folder: Path) -> None:
    """A team sees for each of its alerts the rule, the severity and the runbook before the first one fires."""
    found = _json(str(folder))
    _adds_up(found)
    assert {(each["alert"], each["rule"], each["severity"], each["runbook"]) for each in found["alerts"]} == {
        ("ServiceDown", "service-down", "P1", "common-issues.md#service-down"),
        ("PrometheusRuleFailures", "monitoring", "P2", "common-issues.md#monitoring"),
        ("NobodyKnows", "unknown", "P1", "common-issues.md#unknown-alert"),
        ("<script>alert(1)</script>", "unknown", "P3", "common-issues.md#unknown-alert"),
        ("KubePodCrashLooping", "crash-loop", "P2", "common-issues.md#crash-loop"),
    }
    assert found["summary"]["sources"] == 2
    assert found["summary"]["without_runbook_url"] == 4
    lines = {each["alert"]: each["line"] for each in found["alerts"] if each["source"].endswith("plain.yml")}
    assert PLAIN.splitlines()[lines["ServiceDown"] - 1] == "      - alert: ServiceDown"


def test_people_read_the_numbers_last(folder: Path) -> None:
    """The summary is at the end: the number of alerts without a rule."""
    done = _coverage(str(folder))
    assert done.exit_code == 0, done.output
    assert "5 alerts from 2 sources: 3 matched by a rule (60 %), 2 by the catch-all only\n" in done.output
    assert "rules: 4 of " in done.output
    assert "<script>" not in done.output
    assert "<script>" in _coverage(str(folder), "--all").output


def test_a_file_whose_rules_match_no_alert_is_one_line(folder: Path) -> None:
    """The presets of products that a team does not run do not hide what it has to do."""
    short, whole = (_coverage(str(folder), *more).output for more in ((), ("--all",)))
    assert re.search(r"^  all \d+ of \S+30-dependencies\.yaml  \(--all lists them\)$", short, re.MULTILINE)
    assert "  kafka-lag  (" not in short
    assert "  kafka-lag  (" in whole


def test_labels_that_series_bring_can_be_given(tmp_path: Path) -> None:
    """Rules that match labels of the series can be tried, since a rule file does not name those."""
    (tmp_path / "a.yaml").write_text("groups: [{name: a, rules: [{alert: TargetDown, expr: x}]}]")
    assert [each["rule"] for each in _json(str(tmp_path))["alerts"]] == ["target-down"]
    assert [each["rule"] for each in _json(str(tmp_path), "--label", "service=plato")["alerts"]] == [
        "target-down-service"
    ]


def test_what_yaml_can_do_with_anchors_is_read_as_prometheus_reads_it(tmp_path: Path) -> None:
    """Labels that are merged in count, a list of manifests is read, and a file that holds itself does no harm."""
    (tmp_path / "merged.yaml").write_text(
        "common: &common {severity: critical, team: core}\n"
        "groups: [{name: a, rules: [{alert: ServiceDown, expr: x, labels: {<<: *common, team: ours}}]}]\n"
    )
    inside = "kind: PrometheusRule, spec: {groups: [{name: a, rules: [{alert: TargetDown, expr: x}]}]}"
    (tmp_path / "list.yaml").write_text(f"kind: List\nitems: [{{{inside}}}, 7]\n")
    (tmp_path / "itself.yaml").write_text("&all\nitems: [*all]\ngroups: &groups [{name: a, rules: *groups}]\n")
    found = {each["alert"]: each["severity_label"] for each in _json(str(tmp_path))["alerts"]}
    assert found == {"ServiceDown": "critical", "TargetDown": None}


def test_the_page_stands_alone_and_is_inert(folder: Path) -> None:
    """The HTML page can be mailed and opened anywhere: it loads nothing, and runs nothing out of a rule file."""
    page = _coverage(str(folder), "--output", "html").output
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://example.com/&lt;b&gt;"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("NobodyKnows") == 4


def test_the_page_begins_with_what_no_rule_knows(folder: Path) -> None:
    """The report starts with the alerts without a rule, with a bar for their number."""
    page = _coverage(str(folder), "--output", "html").output
    names = re.findall(r'<summary style="--share: ([0-9.]+)%"><b class="(bad|good|warn)">([a-z-]+)</b>', page)
    assert names[0] == ("100.0", "bad", "unknown")
    assert {mark for _, mark, _ in names[1:4]} == {"good"}
    assert names[-1][0] == "0.0"
    assert '<dt>catch-all only</dt><dd class="bad">2</dd>' in page


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """A broken file does not hide the others, and does not pass unnoticed."""
    (folder / "broken.yaml").write_text("groups: [")
    (folder / "empty").mkdir()
    done = _coverage(str(folder), str(folder / "missing.yaml"), str(folder / "empty"))
    assert done.exit_code == 1
    assert "broken.yaml: line " in done.output
    assert "missing.yaml: No such file or directory" in done.output
    assert "empty: no .yaml, .yml, .rules, .json file in this folder" in done.output
    assert "5 alerts from 2 sources" in done.output
    assert _coverage().exit_code == 2


class _Prometheus(StandIn):
    """Server for the two queries of coverage."""

    def answer(self, call: Call) -> Reply:
        """Three rules, one of which fired."""
        if call.path.startswith("/api/v1/rules"):
            listed = [
                {"type": "alerting", "name": "ServiceDown", "labels": {"severity": "critical"}, "annotations": {}},
                {"type": "alerting", "name": "NobodyKnows", "labels": {}, "annotations": {}},
                {"type": "recording", "name": "job:up"},
            ]
            return as_json(200, {"status": "success", "data": {"groups": [{"name": "g", "rules": listed}]}})
        often = {"NobodyKnows": ("41", "12.5"), "Gone": ("2", "1")}
        series = [
            {"metric": {"alertname": name}, "value": [0, value["count_over_time" in call.path]]}
            for name, value in often.items()
        ]
        return as_json(200, {"status": "success", "data": {"resultType": "vector", "result": series}})


def test_a_live_prometheus_is_asked_what_fired() -> None:
    """With a Prometheus at hand the alerts that really fire come first, with how often and how long they did."""
    with _Prometheus() as server:
        found = _json("--prometheus", server.url)
        text = _coverage("--prometheus", server.url, "--all").output
        page = _coverage("--prometheus", server.url, "--output", "html").output
    _adds_up(found)
    assert {(each["alert"], each["fired"], each["hours"]) for each in found["alerts"]} == {
        ("ServiceDown", 0.0, 0.0),
        ("NobodyKnows", 41.0, 12.5),
    }
    assert "fired in 7d: 41 times, 12.5 h; of these 41 times, 12.5 h by the catch-all only" in text
    assert "other alerts: 2 times, 1.0 h" in text
    assert '<section class="view by-times">' in page


def test_rule_files_are_weighed_by_what_fired(folder: Path) -> None:
    """The rules in a repository are weighed by a running Prometheus, and its own rules are not counted beside them."""
    with _Prometheus() as server:
        found = _json(str(folder), "--prometheus", server.url, "--since", "30d")
    _adds_up(found)
    assert {(each["alert"], each["fired"]) for each in found["alerts"] if each["fired"]} == {("NobodyKnows", 41.0)}
    assert found["summary"]["alerts"] == 5


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y"])), max_size=6),
    st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y"])), st.integers(1, 9), max_size=6),
)
def test_no_firing_is_lost_or_counted_twice(alerts: list[tuple[str, str]], fired: dict[tuple[str, str], int]) -> None:
    """However many alerts share a name, the times add up to those that Prometheus counted."""
    rules = [
        AlertRule(name=name, source="", line=0, group="", labels={"severity": label} if label else {}, annotations={})
        for name, label in alerts
    ]
    weights, strange = share_weights(rules, {key: FiringStats(times, times / 2) for key, times in fired.items()})
    assert sum(each.times for each in weights) + strange.times == pytest.approx(sum(fired.values()))
    assert len(weights) == len(rules)


LINKS = {
    None: (LinkStatus.MISSING, "no runbook_url"),
    "  ": (LinkStatus.MISSING, "no runbook_url"),
    "a.md#one": (LinkStatus.OK, "in the runbook folder"),
    "./a.md": (LinkStatus.OK, "in the runbook folder"),
    "a.md#three": (LinkStatus.NOWHERE, "no such section in that runbook"),
    "b.md": (LinkStatus.NOWHERE, "no such file in the runbook folder"),
    "../etc/passwd": (LinkStatus.NOWHERE, "no such file in the runbook folder"),
    "https://read.example.com/books/a.md#one": (LinkStatus.OK, "in the runbook folder"),
    "https://read.example.com/books/b.md": (LinkStatus.NOWHERE, "no such file in the runbook folder"),
    "https://other.example.com/a.md": (LinkStatus.UNCHECKED, "not requested"),
    "https://other.example.com/{{ $labels.job }}": (LinkStatus.UNCHECKED, "contains a template"),
    "ftp://example.com/a.md": (LinkStatus.NOWHERE, "not an http(s) URL"),
    "https://": (LinkStatus.NOWHERE, "not an http(s) URL"),
    "https://[": (LinkStatus.NOWHERE, "not a valid URL"),
    "https://example.com/a b": (LinkStatus.NOWHERE, "not an http(s) URL"),
    "javascript:alert(1)//": (LinkStatus.NOWHERE, "not an http(s) URL"),
}


@pytest.mark.parametrize("url", LINKS)
def test_a_runbook_that_nobody_can_open_is_found(url: str | None) -> None:
    """A missing runbook is reported; its link is not fetched."""
    assert check_link(url, {"a.md": frozenset({"one", "two"})}, "https://read.example.com/books/") == LINKS[url]


class _Pages(StandIn):
    """A web server with two pages, one of them gone; it records requests."""

    def answer(self, call: Call) -> Reply:
        """200, 302, 404, or 500."""
        with self.lock:
            self.asked.append(call.path)
        return Reply({"/here": 200, "/moved": 302, "/gone": 404}.get(call.path, 500))

    asked: list[str]


def _with_pages(folder: Path, *rules: str) -> RuleFiles:
    """Valid rule files with these rules and a catch-all, one line each from line 7."""
    lines = [f"  - {{severity: P3, first_step: x, {rule}}}\n" for rule in (*rules, "id: unknown, match: []")]
    (folder / "a.yaml").write_text(HEAD + "".join(lines))
    rule_files = gather(folder)
    assert required(rule_files, rule_references(str(folder / "none"))) == ()
    return rule_files


def test_dead_links_of_runbooks_are_reported_where_they_stand(tmp_path: Path) -> None:
    """`rules check --online` requests the runbooks on the web, and only a page that is gone is an error."""
    with _Pages() as server:
        server.asked = []
        paths = ("here#a", "gone", "broken")
        rules = [f"id: r{n}, match: 'a=\"{n}\"', runbook: '{server.url}/{path}'" for n, path in enumerate(paths)]
        rules.append(f"id: last, match: a=\"9\", runbook: {{from: runbook_url, otherwise: '{server.url}/gone'}}")
        found = dead_links(_with_pages(tmp_path, *rules), tmp_path / "tests", Settings())
    assert sorted(server.asked) == ["/broken", "/gone", "/here"]
    assert [(each.position.line, each.level, each.message.partition("/")[2]) for each in found] == [
        (8, Level.ERROR, f"{server.url[6:]}/gone: status 404"),
        (9, Level.WARNING, f"{server.url[6:]}/broken: not checked: status 500"),
        (10, Level.ERROR, f"{server.url[6:]}/gone: status 404"),
    ]


def test_urls_with_labels_are_requested_for_the_alerts_that_are_known(tmp_path: Path) -> None:
    """Names in the matchers and alerts of the test cases give the URLs; a template without any is named."""
    with _Pages() as server:
        server.asked = []
        rule_files = _with_pages(
            tmp_path,
            f"id: named, match: 'alertname=~\"Here|Gone\"', runbook: '{server.url}/${{alertname|lower}}'",
            f"id: cases, match: 'alertname=~\"Kube.*\"', runbook: '{server.url}/${{app}}'",
            f"id: never, match: 'alertname=~\"Node.*\"', runbook: '{server.url}/never/${{app}}'",
        )
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "a.yaml").write_text(
            "tests:\n  - {name: it, alert: {alertname: KubeX, app: moved}, expect: {rule: cases}}\n"
            "  - {name: other, alert: {alertname: KubeY, app: gone}, expect: {rule: cases}}\n"
        )
        found = dead_links(rule_files, tmp_path / "tests", Settings())
    assert sorted(server.asked) == ["/gone", "/here", "/moved"]
    assert [(each.position.line, each.level, each.message.removeprefix(server.url)) for each in found] == [
        (7, Level.ERROR, "/gone: status 404"),
        (8, Level.ERROR, "/gone: status 404"),
        (
            9,
            Level.WARNING,
            "/never/${app}: not checked: no test case of the rule and no matcher gives its labels",
        ),
    ]


def test_the_runbook_of_a_heartbeat_is_requested_for_all_known_alerts(tmp_path: Path) -> None:
    """A heartbeat decides no alert, so that the labels of all of them give the URLs of its runbook."""
    with _Pages() as server:
        server.asked = []
        (tmp_path / "0.yaml").write_text(
            "heartbeats:\n  - {cluster: eu, max_gap: 10m, channels: [slack], "
            f"runbook: '{server.url}/${{alertname|lower}}'}}\n"
            "rules:\n  - {id: watchdog, match: alertname=Here, severity: P3, first_step: x, action: heartbeat}\n"
        )
        assert dead_links(_with_pages(tmp_path), tmp_path / "tests", Settings()) == []
    assert server.asked == ["/here"]


def test_pages_are_asked_for_only_when_wanted(tmp_path: Path) -> None:
    """Each link is fetched once; missing ones are reported, and a failing server counts as unknown."""
    with _Pages() as server:
        server.asked = []
        urls = [f"{server.url}/{path}" for path in ("here#a", "here#b", "moved", "gone", "broken")]
        urls.append("http://127.0.0.1:1/nobody")
        rules = [{"alert": f"A{n}", "expr": "x", "annotations": {"runbook_url": url}} for n, url in enumerate(urls)]
        (tmp_path / "a.yaml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
        unused_answers = _json(str(tmp_path))
        assert server.asked == []
        found = _json(str(tmp_path), "--check-links")
        text = _coverage(str(tmp_path), "--check-links").output
        assert sorted(server.asked) == sorted(2 * ["/here", "/moved", "/gone", "/broken"])
    assert unused_answers["summary"]["runbook_urls"]["unchecked"] == 6
    _adds_up(found)
    leads = [(each["runbook_url_leads"], each["runbook_url_why"]) for each in found["alerts"]]
    assert leads[:5] == [
        ("ok", "status 200"),
        ("ok", "status 200"),
        ("ok", "status 302"),
        ("nowhere", "status 404"),
        ("unchecked", "status 500"),
    ]
    assert leads[5][0] == "unchecked"
    assert f"{server.url}/gone (status 404)" in text


def test_a_prometheus_that_does_not_answer_is_named() -> None:
    """A wrong address is said to be one."""
    done = _coverage("--prometheus", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "http://127.0.0.1:1" in done.output


def test_a_path_that_is_not_there_is_not_hidden_by_a_list() -> None:
    """A slip in a path is the answer, not a list of rules that meet none of no alerts."""
    done = _coverage("nowhere.yaml")
    assert done.exit_code == 1
    assert done.output.startswith("not read: nowhere.yaml: No such file")


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet="ab:-[]{}&*!#|>\n ", max_size=60).map(str.encode)))
def test_no_file_breaks_the_reader(raw: bytes) -> None:
    """Any unreadable file in a folder is reported, and the command continues."""
    with suppress(NotReadableError):
        assert isinstance(read_file("x", raw), tuple)


BOMB = [
    "a0: &a0 [lol, lol]",
    *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)),
    "groups: [{name: *a59, rules: [{alert: *a59}, {alert: A, labels: {x: *a59}, annotations: {y: *a59}}]}]",
]


def test_aliases_that_hold_one_another_are_never_written_out() -> None:
    """A file of sixty lines that would fill every memory as text, or go deeper than Python can, is read in no time."""
    (found,) = read_file("x", "\n".join(BOMB).encode())
    assert (found.name, found.group, found.annotations) == ("A", "", {"y": ""})
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3_000))
    assert read_file("x", (chain + "groups: [{rules: [{alert: A, labels: {x: *a2999}}]}]").encode())


def test_deep_nesting_is_refused() -> None:
    """A file made to break readers is refused."""
    with pytest.raises(NotReadableError, match="nested"):
        read_file("x", b"[" * 100_000)


def test_words_that_no_map_has_are_listed(tmp_path: Path) -> None:
    """Coverage names each word for a severity that the rules do not understand, how often, and what it comes to."""
    words = ["s1", "s2", "s2", "Critical"]
    alerts = [f"{{alert: A{n}, expr: up, labels: {{severity: {word}}}}}" for n, word in enumerate(words)]
    (tmp_path / "alerts.yaml").write_text(f"groups: [{{name: g, rules: [{', '.join(alerts)}]}}]")
    text = _coverage(str(tmp_path)).output
    assert re.search(r'2  severity="s2" +P2 by the rule unknown', text)
    assert re.search(r'1  severity="s1" +P2 by the rule unknown', text)
    assert "Critical" not in text.partition("that no map has")[2].partition("alerts of")[0]
    found = json.loads(_coverage(str(tmp_path), "--output", "json").output)
    assert found["summary"]["unknown_words"] == {'severity="s2"': 2, 'severity="s1"': 1}
    assert {row["alert"]: row["unknown_word"] for row in found["alerts"]}["A3"] is None
    assert "unmapped severity" in _coverage(str(tmp_path), "--output", "html").output


GROUP = "groups: [{name: g, rules: [{alert: %s, expr: up == 0, labels: {severity: critical}}]}]"


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", GROUP % "Found"),
        ("a.rules", GROUP % "Found"),
        ("a.rules.yml", GROUP % "Found"),
        ("a.json", json.dumps({"groups": [{"name": "g", "rules": [{"alert": "Found", "expr": "up"}]}]})),
        ("vm.yaml", "kind: VMRule\nspec:\n" + _indented(GROUP % "Found", 2)),
        ("list.yaml", "kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n" + _indented(GROUP % "Found", 4)),
        ("map.yaml", "kind: ConfigMap\ndata:\n  alerts.rules: |\n" + _indented(GROUP % "Found", 4)),
        ("map2.yaml", "kind: ConfigMap\ndata:\n  alerts.yml: >-\n" + _indented(GROUP % "Found", 4)),
        ("values.yaml", "additionalPrometheusRulesMap:\n  own:\n" + _indented(GROUP % "Found", 4)),
        ("values2.yaml", "serverFiles:\n  alerting_rules.yml:\n" + _indented(GROUP % "Found", 4)),
        ("list2.yaml", "additionalPrometheusRules:\n- name: own\n" + _indented(GROUP % "Found", 2)),
        (
            "grafana.yaml",
            "groups: [{orgId: 1, name: g, folder: f, rules: [{uid: a, title: Found, condition: A, data: []}]}]",
        ),
    ],
)
def test_alerts_are_found_in_whatever_holds_them(tmp_path: Path, name: str, text: str) -> None:
    """A group of rules is read wherever it is, alone and in a folder, and from standard input."""
    path = tmp_path / "deep" / "er" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for place in (path, tmp_path):
        found = _json(str(place))
        assert [each["alert"] for each in found["alerts"]] == ["Found"]
        assert found["problems"] == []
    done = CliRunner().invoke(rules, ["coverage", *HERE, "-", "--output", "json"], input=text)
    assert [each["source"] for each in json.loads(done.stdout)["alerts"]] == ["standard input"]


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.on }}\nkind: PrometheusRule\nspec:\n  groups: []\n{{- end }}\n",
        '{{ include "chart.rules" . }}\n',
        "groups:\n- name: g\n  rules:\n  - alert: {{ .Values.name }}\n    expr: up\n",
        "groups:\n{{- range $rule := $rules }}\n- name: x\n{{- end }}\n",
        GROUP % "A" + "\n# {{ .Release.Name }}\n",
    ],
)
def test_a_helm_template_is_called_one(tmp_path: Path, text: str) -> None:
    """A template of a chart is not reported as broken YAML, and the message says what to read instead."""
    path = tmp_path / "helm.yaml"
    path.write_text(text)
    done = _coverage(str(path))
    assert done.exit_code == 1
    assert f"not read: {path}: a Helm template; read what it renders to: helm template CHART | " in done.output


def test_templates_of_prometheus_are_no_helm_templates(tmp_path: Path) -> None:
    """Annotations with Prometheus' own templates, over several lines too, are read."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    annotations:\n      description: |\n"
        "        {{ if gt $value 1.0 }}\n        {{ $labels.instance }}\n        {{- end }}\n"
    )
    assert [each["alert"] for each in _json(str(path))["alerts"]] == ["A"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "kind: Deployment\n", "groups: []\n", "a: [1, 2]\n---\nb: x\n"])
def test_a_file_without_rules_is_named(tmp_path: Path, text: str) -> None:
    """A file in which nothing was found fails, so that a rename or a new format does not pass for full coverage."""
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(GROUP % "B")
    done = _coverage(str(tmp_path))
    assert done.exit_code == 1
    assert "a.yaml: no alerting rules found in it" in done.output


def test_a_file_of_recording_rules_is_no_failure(tmp_path: Path) -> None:
    """Recording rules are rules: their file has no alert and is fine."""
    (tmp_path / "a.yaml").write_text("groups: [{name: g, rules: [{record: a:b, expr: up}]}]")
    assert _coverage(str(tmp_path)).exit_code == 0


@pytest.mark.parametrize(
    ("template", "severity", "pages"),
    [
        ("{{ if gt $value 90.0 }}critical{{ else }}warning{{ end }}", "P2", True),
        ("{{ if gt $value 90.0 }}warning{{ else }}info{{ end }}", "P3", False),
        ("{{ $labels.sev }}", "P1", True),
        ('{{ printf "%s" $labels.x }}', "P1", True),
    ],
)
def test_a_severity_that_is_decided_when_it_fires_counts_as_the_worst(
    tmp_path: Path, template: str, severity: str, *, pages: bool
) -> None:
    """A template in the severity label is shown, with the worst of the words that it can give."""
    path = tmp_path / "a.yaml"
    rule = {"alert": "Unheard", "expr": "up", "labels": {"severity": template}}
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    found = _json(str(path))
    [alert] = found["alerts"]
    assert (alert["severity"], alert["pages"], alert["severity_template"]) == (severity, pages, template)
    assert found["summary"]["templated"] == 1
    assert f"Unheard{' ' * 42}{severity}{', may page' if pages else ''}, from {{{{" in _coverage(str(path)).output


@pytest.mark.parametrize("name", LinkAnnotations().runbook)
def test_a_runbook_by_another_name_counts(tmp_path: Path, name: str) -> None:
    """An alert whose runbook has one of the names that pages use is not reported as one without."""
    path = tmp_path / "a.yaml"
    rule = {"alert": "A", "expr": "up", "annotations": {name: "https://wiki.example.org/a"}}
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    assert _json(str(path))["summary"]["runbook_urls"] == {"ok": 0, "missing": 0, "nowhere": 0, "unchecked": 1}


@pytest.mark.parametrize(
    "name", ["a.rule", "a.alerts", "a.prom", "a.rules.YML", "A.JSON", "a.ruleset", "a.tmpl", "deep/er/rules", "a.alert"]
)
def test_a_folder_is_read_whatever_its_rule_files_are_called(tmp_path: Path, name: str) -> None:
    """Files with other names count if they hold an alert; other files of the folder are no problem."""
    path = tmp_path / "d" / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up"}]}]}))
    (tmp_path / "d" / "Makefile").write_text("all:\n\ttrue\n")
    (tmp_path / "d" / "README.md").write_text("alert: this is not one\n")
    (tmp_path / "d" / ".git").mkdir()
    (tmp_path / "d" / ".git" / "index").write_text("alert: x")
    assert [each["alert"] for each in _json(str(tmp_path / "d"))["alerts"]] == ["A"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.yaml",
            "groups:\n- name: g\n  rules:\n  - alert: A\n    summary: {{`{{ $labels.x }}`}}\n",
            "a Helm template",
        ),
        ("a.yaml", "{% for x in y %}\ngroups:\n- {rules: [{alert: A}]}\n{% endfor %}\n", "a template; render it"),
        ("a.yaml.j2", "{% if x %}\ngroups:\n- {rules: [{alert: A}]}\n{% endif %}\n", "a template; render it"),
        ("a.erb", "<% @x.each do |x| %>\n- alert: A\n<% end %>\n", "a template; render it"),
        ("a.jsonnet", "{groups: [{rules: [{alert: 'A', expr: 'up'}]}]}", "Jsonnet; read what it renders to"),
        ("a.libsonnet", "{prometheusAlerts+:: {groups+: [{rules: [{alert: 'A'}]}]}}", "Jsonnet; read what it"),
    ],
)
def test_a_template_is_named_as_one(tmp_path: Path, name: str, text: str, said: str) -> None:
    """A template in a folder fails with what to run instead."""
    (tmp_path / name).write_text(text)
    done = _coverage(str(tmp_path))
    assert done.exit_code == 1
    assert f"not read: {tmp_path / name}: {said}" in done.output.replace("\n", " ") or said in done.output


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\ndata:\n  alerting: |\n    groups:\n    - {name: g, rules: [{alert: A, expr: up}]}\n",
        "- {alert: A, expr: up}\n",
        "alert: A\nexpr: up\n",
        "- op: add\n  path: /spec/groups/0/rules/-\n  value: {alert: A, expr: up}\n",
        "kind: VMRuleList\nitems:\n- spec: {groups: [{name: g, rules: [{alert: A, expr: up}]}]}\n",
        "rules:\n- alert: A\n  expr: up\n  annotations:\n    text: |\n      an alert: of: words\n",
    ],
)
def test_rules_are_found_wherever_they_are(tmp_path: Path, text: str) -> None:
    """Rules without groups, in patches, in lists and under any key of a ConfigMap are read; words are not."""
    (tmp_path / "a.yaml").write_text(text)
    assert [each["alert"] for each in _json(str(tmp_path))["alerts"]] == ["A"]


def test_a_stub_has_the_severity_map_of_the_catch_all_and_not_all_words(tmp_path: Path) -> None:
    """Words that ``severity_words`` adds to every map are not repeated in each stub."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "RocketHot", "expr": "up"}]}]}))
    done = _coverage(str(path), "--stubs")
    (line,) = (each for each in done.output.splitlines() if "severity:" in each)
    assert line.count(":") <= 8, line


def test_stubs_are_rules_to_paste(tmp_path: Path) -> None:
    """The stubs of catch-all alerts are a valid rule file with a rule for each family, after which none is left."""
    alerts = ["RocketEngineHot", "RocketTankEmpty", "Odd(<7Days)|x", "rocket_lost", "Ärger"]
    groups = [{"name": "g", "rules": [{"alert": name, "expr": "up"} for name in alerts]}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"groups": groups}))
    done = _coverage(str(path), "--stubs")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    (folder / "95-stubs.yaml").write_text(done.stdout)
    where = ("--rules", str(folder), "--runbooks", str(ROOT / "runbooks"))
    again = CliRunner().invoke(rules, ["coverage", *where, str(path), "--output", "json"])
    assert again.exit_code == 0, again.output
    found = json.loads(again.stdout)
    assert found["summary"]["caught"] == 0
    assert len({each["rule"] for each in found["alerts"] if each["alert"].startswith("Rocket")}) == 1
    assert CliRunner().invoke(rules, ["check", str(folder), "--runbooks", where[3]]).exit_code == 0


def test_catch_all_alerts_that_page_are_counted_by_family(tmp_path: Path) -> None:
    """The first thing for a new team to look at is listed: families of alerts that page and have no rule."""
    names = ["RocketEngineHot", "RocketTankEmpty", "SatelliteLost", "MoonGone"]
    words = ["critical", "critical", "purple", "info"]
    listed = [
        {"alert": name, "expr": "up", "labels": {"severity": word}} for name, word in zip(names, words, strict=True)
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": listed}]}))
    assert _json(str(path))["summary"]["paging_caught"] == {"Rocket": 2, "Satellite": 1}
    output = _coverage(str(path)).output
    assert "by family (--stubs prints rules for them)\n      2  Rocket\n      1  Satellite\n" in output
