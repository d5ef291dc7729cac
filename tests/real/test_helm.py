"""The Helm chart: rendered by the real helm, valid for Kubernetes, and its pods page."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from responder.settings import declared, env_name
from responder.standins.processes import responder_serve
from responder.standins.server import Call, Reply
from responder.standins.stage import Stage
from scripts import helm
from tests.real.conftest import ROOT, example, until
from tests.support.kubernetes.scenarios import load
from tests.support.kubernetes.server import KubernetesStandIn

pytestmark = pytest.mark.real

#: The oldest supported version, one in between, and the newest with a schema.
VERSIONS = ("1.27", "1.33", "1.37")
#: Schemas of the Prometheus Operator's kinds, from the models in cloudcoil-models-prometheus-operator 0.93.1.1
#: (Apache-2.0) of the package index, which are generated from the operator's CRDs; without
#: descriptions, and with the one pattern of Go's that Python cannot read rewritten.
CUSTOM: dict[str, Any] = json.loads((ROOT / "tests/fixtures/crds/monitoring.coreos.com-v1.json").read_text("utf-8"))
GIVEN = ["--set", "rules.existing=my-rules,secret.existing=my-secret"]
#: What people set, each beside a value of its own that must show.
VALUE_SETS: dict[str, tuple[list[str], str]] = {
    "defaults": (GIVEN, "replicas: 2"),
    "sqlite": ([*GIVEN, "--set", "database.kind=sqlite,replicas=1"], "type: Recreate"),
    "own secret and files": (
        [
            *("--set", "secret.keys={webhook-token},secret.values.webhook-token=t,secret.values.database-url=u"),
            *("--set-file", f"rules.files.main\\.yaml={ROOT}/rules/00-platform.yaml"),
        ],
        'webhook-token: "t"',
    ),
    "no cluster": ([*GIVEN, "--set", "kubernetes.access=none"], 'name: RESPONDER_KUBERNETES, value: "off"'),
    "tls": ([*GIVEN, "--set", "settings.tls_cert=/tls/tls.crt,settings.tls_key=/tls/tls.key"], "scheme: HTTPS"),
    "two namespaces": (
        [*GIVEN, "--set", "kubernetes.access=read-and-logs,kubernetes.namespaces={shop,pay}"],
        "kind: RoleBinding",
    ),
    "prometheus operator": (
        [*GIVEN, "--set", "podMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true"],
        "kind: PrometheusRule",
    ),
    "console": ([*GIVEN, "--set", "settings.console_listen=0.0.0.0:8081"], "{name: console, port: 8081, targetPort"),
    "ingress": ([*GIVEN, "--set", "ingress.enabled=true,ingress.host=responder.example.com"], "pathType: Prefix"),
    "plain manifests": (["--values", str(ROOT / "deploy/helm/manifests.yaml")], "policyTypes: [Ingress, Egress]"),
}
REFUSED = [
    ([*GIVEN, "--set", "replica=1"], "additional properties 'replica' not allowed"),
    ([*GIVEN, "--set", "database.kind=sqlite"], "value must be 1"),
    ([*GIVEN, "--set", "kubernetes.access=all"], "kubernetes/access"),
    (["--set", "secret.existing=s"], "There are no rules: set rules.files"),
    (["--set", "rules.existing=r"], 'secret.values has no "webhook-token"'),
    ([*GIVEN, "--set", "ingress.enabled=true"], "ingress.host is empty"),
    ([*GIVEN, "--set", "settings.slack_chanel=x"], "invalid propertyName 'slack_chanel'"),
    ([*GIVEN, "--set", "settings.slack_bot_token=x"], "invalid propertyName 'slack_bot_token'"),
    ([*GIVEN, "--set", "secret.keys={slack-bot-tokn}"], "at '/secret/keys/0': value must be one of"),
]


def documents(text: str) -> list[dict[str, Any]]:
    """The manifests of a rendering."""
    return [each for each in yaml.safe_load_all(text) if each]


def test_the_plain_manifests_are_what_the_chart_renders() -> None:
    """deploy/kubernetes/ is never older than the chart; `make generate` writes it anew."""
    for path, text in helm.plain_manifests().items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run make generate"


@pytest.mark.parametrize("name", VALUE_SETS)
def test_the_chart_renders_valid_manifests(name: str) -> None:
    """Each set of values passes helm's strict lint and the schemas of three Kubernetes versions."""
    arguments, shows = VALUE_SETS[name]
    linted = helm.helm("lint", "--strict", str(helm.CHART), *arguments)
    assert linted.returncode == 0, linted.stdout
    text = helm.render(*arguments)
    assert shows in text
    found = documents(text)
    for each in found:
        if each["kind"] in CUSTOM:
            jsonschema.validate(each, CUSTOM[each["kind"]], jsonschema.Draft202012Validator)
        for version in VERSIONS if each["kind"] not in CUSTOM else ():
            kubernetes_validate.validate(each, version, strict=True)
    (deployment,) = (each for each in found if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}
    known = {env_name(each.name) for each in declared()} | {"RESPONDER_CONFIG"}
    assert {each["name"].removesuffix("_FILE") for each in container["env"]} <= known


@pytest.mark.parametrize(
    ("kind", "change"), [("PodMonitor", ("podMetricsEndpoints", "prot")), ("PrometheusRule", ("groups", "names"))]
)
def test_a_misspelled_key_of_the_prometheus_operator_is_found(kind: str, change: tuple[str, str]) -> None:
    """The schemas of its kinds refuse unknown keys, which the operator's API server would drop silently."""
    (found,) = (each for each in documents(helm.render(*VALUE_SETS["prometheus operator"][0])) if each["kind"] == kind)
    part, key = change
    found["spec"][part][0][key] = "x"
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(found, CUSTOM[kind], jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("arguments", "why"), REFUSED)
def test_the_chart_refuses_values_that_cannot_work(arguments: list[str], why: str) -> None:
    """A typo, two replicas on SQLite or a missing secret stop the rendering with the path and the reason."""
    with pytest.raises(ValueError, match=re.escape(why)):
        helm.render(*arguments)


def test_the_alerts_and_the_dashboard_of_the_chart_are_the_shipped_ones() -> None:
    """The chart has no second copy of the rules and the dashboard."""
    found = {
        each["kind"] + each["metadata"]["name"]: each
        for each in documents(helm.render(*VALUE_SETS["prometheus operator"][0]))
    }
    shipped = yaml.safe_load((ROOT / "deploy/prometheus/responder.rules.yml").read_text("utf-8"))
    assert found["PrometheusRuleresponder"]["spec"] == shipped
    dashboard = found["ConfigMapresponder-dashboard"]["data"]["responder.json"]
    assert json.loads(dashboard) == json.loads((ROOT / "deploy/grafana/responder.json").read_text("utf-8"))


class RecordingApiServer(KubernetesStandIn):
    """A scenario's cluster whose user may also create objects; ``created`` holds them by kind and name."""

    #: Group, plural, kind, namespaced: what the chart creates.
    KINDS = (
        ("api/v1", "serviceaccounts", "ServiceAccount", True),
        ("api/v1", "configmaps", "ConfigMap", True),
        ("api/v1", "secrets", "Secret", True),
        ("api/v1", "services", "Service", True),
        ("apis/apps/v1", "deployments", "Deployment", True),
        ("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
        ("apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True),
        ("apis/rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False),
        ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", False),
    )

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.created: dict[tuple[str, str], dict[str, Any]] = {}

    def answer(self, call: Call) -> Reply:
        """Discover the kinds, create, or answer as the scenario does."""
        path = call.path.partition("?")[0].strip("/")
        groups = sorted({group for group, *_ in self.KINDS if group.startswith("apis/")})
        if path == "apis" and call.method == "GET":
            versions = [{"groupVersion": each[5:], "version": each.rpartition("/")[2]} for each in groups]
            listed = [
                {"name": each["groupVersion"].partition("/")[0], "versions": [each], "preferredVersion": each}
                for each in versions
            ]
            return _reply(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        if call.method == "GET" and any(path == group for group, *_ in self.KINDS):
            resources = [
                {"name": plural, "singularName": "", "namespaced": own, "kind": kind, "verbs": ["create", "get"]}
                for group, plural, kind, own in self.KINDS
                if group == path
            ]
            version = path.removeprefix("apis/").removeprefix("api/")
            return _reply(200, {"kind": "APIResourceList", "groupVersion": version, "resources": resources})
        if call.method == "POST" and path.rpartition("/")[2] in {plural for _, plural, *_ in self.KINDS}:
            made = json.loads(call.body)
            with self.lock:
                self.created[made["kind"], made["metadata"]["name"]] = made
            return _reply(201, made)
        return super().answer(call)


def _reply(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def test_what_the_chart_creates_receives_an_alert_and_pages(stage: Stage, tmp_path: Path) -> None:
    """The chart is rendered and created with kubectl, and a pod with its files and variables pages the cause."""
    kubectl = helm.program("kubectl")
    assert kubectl
    plain = {name.removeprefix("RESPONDER_").lower(): value for name, value in stage.settings.items()}
    hidden = {"webhook_token", "pagerduty_routing_key", "slack_bot_token"}
    ours = {"listen", "database_url", "rules", "runbooks", "log_format"}
    (tmp_path / "values.yaml").write_text(
        yaml.safe_dump(
            {
                "settings": {name: value for name, value in plain.items() if name not in hidden | ours},
                "secret": {
                    "values": {
                        **{name.replace("_", "-"): plain[name] for name in hidden},
                        "database-url": plain["database_url"],
                    }
                },
                "rules": {"files": {path.name: path.read_text("utf-8") for path in (ROOT / "rules").glob("*.yaml")}},
                "runbooks": {
                    "files": {path.name: path.read_text("utf-8") for path in (ROOT / "runbooks").glob("*.md")}
                },
            }
        )
    )
    rendered = helm.render("--values", str(tmp_path / "values.yaml"))
    scenario = load(ROOT / "tests/scenarios/crash-missing-env.yaml", datetime.now(UTC))
    with RecordingApiServer(scenario.cluster, tmp_path) as cluster:
        kubeconfig = cluster.kubeconfig()
        command = [kubectl, f"--kubeconfig={kubeconfig}", f"--cache-dir={tmp_path}", "-n", "butterfly"]
        created = subprocess.run(
            [*command, "create", "--validate=false", "-f", "-"],
            input=rendered,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert created.returncode == 0, created.stderr
        env = _as_kubelet(cluster.created, tmp_path / "pod")
        env |= {"RESPONDER_LISTEN": plain["listen"], "RESPONDER_KUBECONFIG": str(kubeconfig)}
        with responder_serve(env, tmp_path):
            assert stage.post(example("service-down")).status == 202
            until(stage.pagerduty.open)
    (page,) = stage.pagerduty.events
    assert "plato is down" in page.summary
    assert "DB_URL" in json.dumps(page.body)


def _as_kubelet(created: dict[tuple[str, str], dict[str, Any]], folder: Path) -> dict[str, str]:
    """Write the mounted files of the deployment's pod below ``folder``. Returns its variables with these paths."""
    pod = created["Deployment", "responder"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    sources = {each["name"]: each for each in pod["volumes"]}
    for mount in container["volumeMounts"]:
        target = folder / mount["mountPath"].strip("/")
        target.mkdir(parents=True, exist_ok=True)
        source = sources[mount["name"]]
        data: dict[str, str] = {}
        if "configMap" in source:
            data = created["ConfigMap", source["configMap"]["name"]].get("data") or {}
        if "secret" in source:
            data = created["Secret", source["secret"]["secretName"]]["stringData"]
        for name, text in data.items():
            (target / name).write_text(text, "utf-8")
    env = {"RESPONDER_RULES": "/etc/responder/rules", "RESPONDER_RUNBOOKS": "/etc/responder/runbooks"}  # of the image
    env |= {each["name"]: each["value"] for each in container["env"]}
    return {name: f"{folder}{value}" if value.startswith("/etc/") else value for name, value in env.items()}
