"""Prometheus itself accepts every query that the shipped probes ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from responder.bootstrap import load_rules
from responder.diagnose import promql_text
from responder.diagnose.probes.promql import PromqlSpec

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


@pytest.fixture
def promtool() -> str:
    """Prometheus's own checker; under CI it must be there."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: install the package prometheus")
        pytest.skip("promtool is missing: install the package prometheus")
    return found


def test_every_shipped_query_is_promql(promtool: str, tmp_path: Path) -> None:
    """Every shipped query is valid in Prometheus, even with hostile values filled in."""
    book = load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    hostile = '"} or vector(1) # \\ .*'
    rules = []
    for name, probe in book.probes.items():
        if not isinstance(probe.spec, PromqlSpec):
            continue
        slots, problems = promql_text.scan(probe.spec.expr)
        assert not problems, name
        for kind, value in (("usual", "plato"), ("hostile", hostile)):
            values = {slot.name: value for slot in slots}
            filled = promql_text.fill(
                probe.spec.expr, values | {"selector": book.services["plato"].selector, "neighbors": 'namespace=""'}
            )
            rules.append({"record": f"probe:{name.replace('-', '_')}:{kind}", "expr": filled})
    assert len(rules) > 100
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "shipped", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


#: Two pods of the subject on a node of 4 cores and 8 GiB, with a pod of another namespace; one more node is idle.
_SERIES = """\
kube_node_status_allocatable{node="a", resource="cpu"} 4
kube_node_status_allocatable{node="a", resource="memory"} 8589934592
kube_pod_info{namespace="pay", pod="plato-1", node="a"} 1
kube_pod_info{namespace="batch", pod="reindex", node="a"} 1
kube_pod_info{namespace="batch", pod="idle", node="b"} 1
container_memory_working_set_bytes{namespace="pay", pod="plato-1", container="c"} 1073741824
container_memory_working_set_bytes{namespace="batch", pod="reindex", container="c"} 6979321856
"""
_RATES = {"plato-1": ("pay", 0.25), "reindex": ("batch", 3.5), "idle": ("batch", 3.9)}


@pytest.mark.parametrize(("probe", "share"), [("noisy-neighbor-cpu", 0.875), ("noisy-neighbor-memory", 0.8125)])
def test_a_noisy_neighbor_is_found_by_its_metrics(probe: str, share: float, promtool: str, tmp_path: Path) -> None:
    """The pod of others that takes most of a full node is named with its share; what other nodes do is no matter."""
    spec = load_rules(str(ROOT / "rules"), str(ROOT / "runbooks")).probes[probe].spec
    assert isinstance(spec, PromqlSpec)
    series = [line.rpartition(" ") for line in _SERIES.splitlines()]
    given = [{"series": name, "values": f"{value}x30"} for name, _, value in series]
    for pod, (namespace, rate) in _RATES.items():
        name = f'container_cpu_usage_seconds_total{{namespace="{namespace}", pod="{pod}", container="c"}}'
        given.append({"series": name, "values": f"0+{rate * 60}x30"})
    asked = promql_text.fill(spec.expr, {"namespace": "pay", "workload": "plato"})
    labels = '{namespace="batch", node="a", pod="reindex"}'
    case = {
        "eval_time": "20m",
        "expr": f"round({asked}, 0.0001)",
        "exp_samples": [{"labels": labels, "value": share}],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": given, "promql_expr_test": [case]}]}))
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
