"""Editors know what may stand in a rule file, and the schema they use is the one the program obeys."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from responder.cli.rules.schema import text
from responder.diagnose.probes import PROBES

RULES = Path(__file__).parents[3] / "rules"


def test_the_schema_in_the_repository_is_the_one_of_the_program() -> None:
    """An editor never accepts what the program refuses because its schema is old; UPDATE_DOCS=1 writes it anew."""
    if os.environ.get("UPDATE_DOCS"):
        (RULES / "schema.json").write_text(text())
    assert (RULES / "schema.json").read_text() == text(), "rules/schema.json is stale: run make generate"


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_files_lead_editors_to_it(path: Path) -> None:
    """Shipped rule files name their schema, so that editors complete and check them."""
    assert "\n# yaml-language-server: $schema=schema.json\n" in path.read_text()


def test_each_kind_of_probe_has_its_own_keys() -> None:
    """An editor completes the keys of the probe at hand and marks those of another kind."""
    parts = json.loads(text())["$defs"]
    assert {rule["then"]["$ref"] for rule in parts["ProbeShape"]["allOf"]} == {
        f"#/$defs/{name.capitalize()}Probe" for name in PROBES
    }
    tls = parts["TlsProbe"]
    assert {"kind", "timeout", "target", "warn_days"} <= set(tls["properties"])
    assert tls["additionalProperties"] is False
    assert "expr" in parts["PromqlProbe"]["required"]


def test_a_rule_may_give_one_matcher_or_several() -> None:
    """The schema takes both forms that the program takes."""
    match = json.loads(text())["$defs"]["RuleShape"]["properties"]["match"]
    assert [each["type"] for each in match["anyOf"]] == ["string", "array"]
