"""`responder init` writes valid rules for another platform."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.bootstrap import examine_rules, load_rules
from responder.cli.init import init
from responder.cli.init.presets import names
from responder.cli.rules import rules
from responder.cli.rules.schema import text as schema_text
from responder.triage.decide import severity_of
from responder.triage.rule_index import RuleIndex
from tests.support.builders import an_alert
from tests.unit.test_shipped_rules import without_cluster

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which init has run."""
    done = CliRunner().invoke(init, [str(tmp_path / "mine")])
    assert done.exit_code == 0, done.output
    return tmp_path / "mine"


def test_the_starting_set_passes_its_own_tools(folder: Path) -> None:
    """The written rules have no problems, and their tests pass for every rule."""
    checked = CliRunner().invoke(rules, ["check", str(folder / "rules"), "--strict"])
    assert checked.exit_code == 0, checked.output
    where = ("--rules", str(folder / "rules"), "--runbooks", str(folder / "runbooks"))
    tested = CliRunner().invoke(rules, ["test", *where, "--coverage"])
    assert tested.exit_code == 0, tested.output
    assert "5 of 5 rules reached" in tested.output
    assert "depends on" not in tested.output


def test_nothing_is_overwritten(folder: Path) -> None:
    """A second run, or a run in the wrong folder, destroys no work."""
    (folder / "rules" / "10-services.yaml").write_text("# mine")
    done = CliRunner().invoke(init, [str(folder)])
    assert done.exit_code == 1
    assert "rules/10-services.yaml" in done.output
    assert (folder / "rules" / "10-services.yaml").read_text() == "# mine"


def test_every_file_explains_itself(folder: Path) -> None:
    """A newcomer learns from the files themselves what they are for, and editors help with them."""
    for path in (folder / "rules").glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# "), path
        assert "# yaml-language-server: $schema=schema.json\n" in text, path
    assert (folder / "rules" / "schema.json").read_text() == schema_text()


def test_the_package_holds_the_starting_set() -> None:
    """The command works where the program was installed from a package, not only in a checkout."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["responder"]
    found = {path for pattern in data for path in (ROOT / "responder").glob(pattern) if path.is_file()}
    assert set((ROOT / "responder" / "presets").rglob("*.*")) <= found


def _init(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(init, [str(folder), *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def _tested(folder: Path) -> str:
    where = ("--rules", str(folder / "rules"), "--runbooks", str(folder / "runbooks"))
    checked = CliRunner().invoke(rules, ["check", str(folder / "rules"), "--strict"])
    assert checked.exit_code == 0, checked.output
    tested = CliRunner().invoke(rules, ["test", *where, "--coverage"])
    assert tested.exit_code == 0, tested.output
    return tested.output


def test_all_presets_together_pass_their_tests(tmp_path: Path) -> None:
    """Any choice of presets works: no two use the same name, and each case of one holds beside all others."""
    _init(tmp_path, "--preset", ",".join(names()))
    assert "coverage: 100.0 % of the rules" in _tested(tmp_path)


@pytest.mark.parametrize("name", names())
def test_each_preset_is_complete(name: str, tmp_path: Path) -> None:
    """A preset needs no other one that its user did not choose, and has nothing superfluous."""
    _init(tmp_path, "--preset", name)
    assert examine_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks")).problems == ()
    assert (tmp_path / "rules" / "tests" / f"20-{name}.yaml").is_file()


@pytest.mark.parametrize("presets", [(), ("--preset", ",".join(names()))], ids=["without presets", "all presets"])
def test_every_rule_investigates_the_cluster(presets: tuple[str, ...], tmp_path: Path) -> None:
    """Pages of each rule and severity show what the cluster says, where there is access to one."""
    _init(tmp_path, *presets)
    assert without_cluster(load_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks"))) == []


def test_a_page_of_a_preset_links_one_runbook(tmp_path: Path) -> None:
    """The alert's own runbook takes the place of the preset's and is not linked beside it."""
    _init(tmp_path, "--preset", ",".join(names()))
    book = load_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks"))
    assert [rule.id for rule in book.rules if rule.runbook and rule.matchers and not rule.runbook_from] == []


def test_an_outage_states_its_impact(tmp_path: Path) -> None:
    """A page for an outage says what it means for users; a rule about anything else states none by default."""
    _init(tmp_path, "--preset", ",".join(names()))
    book = load_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks"))
    stated = {rule.id for rule in book.rules if rule.impact or rule.service_impact}
    outages = {
        "host-down",
        "postgres-down",
        "kafka-outage",
        "probe-failed",
        "spring-errors",
        "ingress-down",
        "dns-down",
    }
    assert outages | {"service-down", "high-error-rate", "alertmanager-outage"} <= stated
    assert stated.isdisjoint({"kube-volume-filling-up", "probe-certificate", "kafka-deprecated", "unknown"})


@pytest.mark.parametrize("alert", ["ServiceDown", "ApplicationDown", "HighErrorRate", "HighLatency", "HighThreadUsage"])
def test_a_page_about_a_service_shows_what_it_waits_for(alert: str, tmp_path: Path) -> None:
    """Alerts about a service query its connection pool, its database and its CPU limit."""
    _init(tmp_path, "--preset", ",".join(names()))
    index = RuleIndex(load_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks")).rules)
    found = index.first({"alertname": alert, "service": "orders", "namespace": "shop"})
    assert {"pool-in-use", "pool-waiting", "database-states", "cpu-throttled"} <= set(found.probes)


def test_an_unknown_preset_is_named(tmp_path: Path) -> None:
    """A mistyped preset lists those that exist and writes nothing."""
    done = CliRunner().invoke(init, [str(tmp_path / "mine"), "--preset", "kafka,postgrex"])
    assert done.exit_code == 2
    assert "postgrex; the presets are argocd" in done.output
    assert not (tmp_path / "mine").exists()


#: Alerts of products without a preset, each with the rule that its words mean; "unknown" for the catch-all.
MEANINGS = {
    "CassandraNodeDown": "any-down",
    "ClickHouseReplicationQueueTooLarge": "any-replication",
    "GitlabServiceLatencyHigh": "any-slow",
    "HarborComponentUnavailable": "any-down",
    "JenkinsOffline": "any-down",
    "KeycloakLoginFailuresHigh": "any-errors",
    "MemcachedConnectionLimitReached": "any-saturation",
    "NatsJetStreamQuorumLost": "any-quorum",
    "OpenLdapReplicationLagging": "any-replication",
    "PaymentsQueueBacklog": "any-backlog",
    "PulsarBookieDiskFull": "any-disk-space",
    "SnmpInterfaceErrors": "any-errors",
    "UPSOnBattery": "any-hardware",
    "VeleroBackupFailed": "any-backup",
    "WebhookCertificateExpiresSoon": "any-certificate",
    "ZookeeperOutstandingRequests": "any-backlog",
    "checkout_http_errors": "any-errors",
    "disk space low": "any-disk-space",
    "etcd-operator-deprecated-api": "any-deprecated",
    "Foo": "unknown",
}


@pytest.mark.parametrize(("alert", "rule"), MEANINGS.items())
def test_an_alert_of_another_product_is_understood_by_its_words(alert: str, rule: str, meaning: RuleIndex) -> None:
    """Alerts without a rule of their own get the first step and the severity of what their name means."""
    assert meaning.first({"alertname": alert}).id == rule


@pytest.fixture(scope="module")
def meaning(tmp_path_factory: pytest.TempPathFactory) -> RuleIndex:
    """The rules of a set with one preset."""
    folder = tmp_path_factory.mktemp("meaning")
    _init(folder, "--preset", "docker")
    return RuleIndex(load_rules(str(folder / "rules"), str(folder / "runbooks")).rules)


def test_words_inside_other_words_mean_nothing(meaning: RuleIndex) -> None:
    """`Usage` holds "age" and `Downstream` holds "down", but neither is slow or down."""
    assert meaning.first({"alertname": "DownstreamFoo"}).id == "unknown"
    assert meaning.first({"alertname": "PageCacheUsage"}).id == "any-saturation"


def test_deprecations_of_kafka_do_not_page(tmp_path: Path) -> None:
    """A warning about Kafka is as urgent as its label says; only lost brokers and partitions are an outage."""
    _init(tmp_path, "--preset", "kafka")
    book = load_rules(str(tmp_path / "rules"), str(tmp_path / "runbooks"))
    index, explained = RuleIndex(book.rules), {}
    for name in ("KafkaTopicDeprecated", "KafkaUserWarnings", "KafkaConnectorNotReady", "KafkaLagIsTooHigh"):
        labels = {"alertname": name, "severity": "warning"}
        rule = index.first(labels)
        severity, _ = severity_of(rule, replace(an_alert(), labels=labels), book)
        explained[name] = (rule.id, severity.name)
    assert explained == {
        "KafkaTopicDeprecated": ("kafka-deprecated", "P4"),
        "KafkaUserWarnings": ("kafka-deprecated", "P4"),
        "KafkaConnectorNotReady": ("kafka-connect", "P3"),
        "KafkaLagIsTooHigh": ("kafka-consumer-lag", "P3"),
    }


ALERTS = """\
groups:
  - name: ours
    rules:
      - {alert: KubePodCrashLooping, expr: x, labels: {severity: warning}}
      - {alert: RedisDown, expr: x, labels: {severity: critical}}
      - {alert: 'Moon "phase" (full)', expr: x, labels: {severity: page}}
      - {alert: moon phase FULL, expr: x}
      - {alert: Foo, expr: x}
      - {alert: foo, expr: x}
"""


def test_alerts_of_rule_files_choose_the_presets_and_get_stubs(tmp_path: Path) -> None:
    """`--from` adds the presets that know one of the alerts, and a stub for each alert that nothing matches."""
    (tmp_path / "alerts.yaml").write_text(ALERTS)
    output = _init(tmp_path / "mine", "--from", str(tmp_path / "alerts.yaml"))
    assert "with the presets kube-prometheus, redis" in output
    assert "Stubs for 4 alerts without a rule" in output
    _tested(tmp_path / "mine")
    index = RuleIndex(load_rules(str(tmp_path / "mine" / "rules"), str(tmp_path / "mine" / "runbooks")).rules)
    assert [index.first({"alertname": name}).id for name in ("Foo", "foo")] == ["stub-foo", "stub-foo-2"]


def test_a_source_that_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    """A wrong path is named, and no half of a set is left behind."""
    done = CliRunner().invoke(init, [str(tmp_path / "mine"), "--from", str(tmp_path / "none.yaml")])
    assert done.exit_code == 1
    assert "none.yaml: No such file" in done.output
    assert not (tmp_path / "mine").exists()


ALERTMANAGER = """\
route:
  receiver: platform
  routes:
    - receiver: payments-slack
      matchers: ['team="payments"']
      routes:
        - {receiver: payments-pager, matchers: ['severity=~"critical|page"']}
    - {receiver: data, match_re: {service: "etl|warehouse"}, continue: true}
    - {receiver: search, match: {team: search}}
    - {receiver: data, matchers: ['namespace=~"data-.*"', 'cluster!="x"']}
    - {receiver: search-chat, matchers: [team="search", severity="warning"]}
    - {receiver: nobody, matchers: [team="sandbox"]}
    - {receiver: nobody, matchers: [alertname="Watchdog"]}
receivers:
  - {name: nobody}
  - {name: search-chat, msteams_configs: [{webhook_url: SECRETKEY}], webhook_configs: [{url: SECRETKEY}]}
  - {name: platform, slack_configs: [{channel: "#platform"}], pagerduty_configs: [{routing_key: SECRETKEY}]}
  - {name: payments-slack, slack_configs: [{channel: "#payments"}]}
  - {name: payments-pager, pagerduty_configs: [{routing_key_file: /x}], slack_configs: [{channel: "#payments"}],
     email_configs: [{to: payments@example.com}]}
  - {name: data, slack_configs: [{channel: "#{{ .CommonLabels.team }}"}], victorops_configs: [{api_key: SECRETKEY}]}
  - {name: search, opsgenie_configs: [{api_key: SECRETKEY}]}
  - {name: unused}
inhibit_rules: [{}]
"""


def test_receivers_and_routes_become_channels_and_teams(tmp_path: Path) -> None:
    """Each route by one label is a team, no secret is copied, and all that was not carried over is listed."""
    (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER)
    mine = tmp_path / "mine"
    output = _init(mine, "--preset", "kafka", "--from-alertmanager", str(tmp_path / "alertmanager.yml"))
    _tested(mine)
    book = load_rules(str(mine / "rules"), str(mine / "runbooks"))
    assert {name: team.channels for name, team in book.teams.items()} == {
        "platform": ("platform-pagerduty", "platform-slack"),
        "payments": ("payments-slack", "payments-pager-smtp", "payments-pager-pagerduty"),
        "data": ("slack",),
        "search": ("search-jsm", "slack"),
    }
    (source,) = book.rules[-1].teams
    assert (source.names, source.mapping, source.team) == (
        ("team", "service"),
        {"etl": "data", "warehouse": "data"},
        "platform",
    )
    for said in (
        "victorops_configs: no such kind",
        "slack_configs: its channel is a template",
        "continue: an alert has one team",
        'namespace=~"data-.*", cluster!="x"',
        'team="sandbox"} to nobody, which has no target: keep it',
        'alertname="Watchdog"} to nobody, which has no target: keep it',
        "msteams_configs: Microsoft has retired",
        "webhook_configs: its receiver reads Alertmanager's JSON",
        "receiver unused: no route leads to it",
        "inhibit_rules: keep it in Alertmanager",
        "team search has channels that page only: slack is added",
    ):
        assert said in output
        assert said in (mine / "rules" / "07-teams.yaml").read_text()
    assert "has a team already" not in output
    assert "store the secret platform-pagerduty: routing_key of receiver platform" in output
    assert not [path for path in mine.rglob("*.*") if "SECRETKEY" in path.read_text()]


@pytest.mark.parametrize("text", ["[]", "route: x", "a: [", "route: {receiver: a, routes: [{matchers: ['=']}]}"])
def test_a_file_that_is_no_alertmanager_configuration_is_refused(text: str, tmp_path: Path) -> None:
    """A wrong file is named with the reason, and writes nothing."""
    (tmp_path / "am.yml").write_text(text)
    done = CliRunner().invoke(init, [str(tmp_path / "mine"), "--from-alertmanager", str(tmp_path / "am.yml")])
    assert done.exit_code == 1
    assert "error:" in done.output
    assert not (tmp_path / "mine").exists()
