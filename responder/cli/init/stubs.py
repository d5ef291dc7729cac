"""Alerts of Prometheus that a new set of rules must know: the presets for them, and stubs for the rest."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from responder import bootstrap
from responder.cli.init.presets import names, preset_files
from responder.cli.stubs import quoted, stub, unique_id
from responder.model.rule import Rule
from responder.rulebook.prometheus_rules import AlertRule
from responder.triage.rule_index import RuleIndex

_HEAD: Final = """\
# A stub for each alert that no rule of this set matched. Write the first step and the probes that its page needs.
# yaml-language-server: $schema=schema.json
defaults:
  runbook: alerts.md#unknown-alert
  baseline: [related-alerts]
rules:
"""
_SEVERITY: Final = "{from: severity, map: {critical: P2, warning: P3, info: P4}, unknown: P2, otherwise: P3}"
_FIRST_STEP: Final = "Read what the alert says, and decide whether customers notice anything."
_CASES: Final = """\
# What the stubs decide.
tests:
"""
_CASE: Final = """\
  - name: {id} follows the severity of the alert
    rows:
      - {{severity: critical, expected: P2}}
      - {{severity: warning, expected: P3}}
    alert: {{alertname: {name}, severity: "${{severity}}"}}
    expect: {{rule: {id}, severity: "${{expected}}"}}
"""


def fitting(alerts: Iterable[AlertRule], texts: Mapping[str, str]) -> list[str]:
    """Return the presets with a rule for one of the alerts; ``texts`` are the files that every set has."""
    known = {f"20-{name}.yaml": name for name in names()}
    decided = _decided(alerts, {**texts, **dict(preset_files(known.values()))})
    files = {rule.position.path.rpartition("/")[2] for _, rule in decided}
    return [name for file, name in known.items() if file in files]


def stubs(alerts: Iterable[AlertRule], texts: Mapping[str, str]) -> dict[str, str]:
    """Return a file with a rule for each alert that only the catch-all of ``texts`` matches, and its tests."""
    unknown = dict.fromkeys(alert.name for alert, rule in _decided(alerts, texts) if not rule.matchers)
    if not unknown:
        return {}
    taken: set[str] = set()
    found = [(name, unique_id(f"stub-{name}", taken)) for name in unknown]
    rules = (f"{line}\n" for name, id_ in found for line in stub(id_, [name], _SEVERITY, _FIRST_STEP))
    cases = (_CASE.format(id=id_, name=quoted(name)) for name, id_ in found)
    return {
        "rules/70-stubs.yaml": _HEAD + "".join(rules),
        "rules/tests/70-stubs.yaml": _CASES + "".join(cases),
    }


def _decided(alerts: Iterable[AlertRule], texts: Mapping[str, str]) -> Iterator[tuple[AlertRule, Rule]]:
    with tempfile.TemporaryDirectory(prefix="responder-init-") as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        index = RuleIndex(bootstrap.load_rules(f"{folder}/rules", f"{folder}/runbooks").rules)
    return ((alert, index.first(alert.labels)) for alert in alerts)
