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
