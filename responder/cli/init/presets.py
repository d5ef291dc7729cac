"""The preset rule files that ship with the program, those for given alerts, and stubs for the other alerts."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from responder import bootstrap
from responder.cli.stubs import quoted, stub, unique_id
from responder.model.rule import Rule
from responder.rulebook.prometheus_rules import AlertRule
from responder.triage.rule_index import RuleIndex

_ROOT: Final = files("responder") / "presets"
#: Rules for any alert, by the words in its name; written after those of the other presets.
_LAST: Final = "meaning"
#: Files with the probes that several presets use.
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "kube-prometheus": ("kubernetes-probes", "node-probes"),
    "kubernetes": ("kubernetes-probes",),
    "node": ("node-probes",),
}
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


def names() -> list[str]:
    """Return the names of the presets."""
    found = (entry.name.removesuffix(".yaml") for entry in _ROOT.iterdir() if entry.name.endswith(".yaml"))
    return sorted(name for name in found if name != _LAST and not name.endswith("-probes"))


def base() -> Iterator[tuple[str, str]]:
    """Yield the path inside the folder and the text of each file that every set has."""
    from responder.cli.rules.schema import text

    yield from _texts(_ROOT / "base", "")
    yield "rules/schema.json", text()


def preset_files(chosen: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the rule files of presets and their tests, like ``base``."""
    wanted = sorted({each for name in chosen for each in (name, *_NEEDS.get(name, ()))})
    for number, name in (*((20, name) for name in wanted), *([(80, _LAST)] if wanted else [])):
        for folder in ("", "tests/"):
            entry = _ROOT.joinpath(f"{folder}{name}.yaml")
            if entry.is_file():
                yield f"rules/{folder}{number}-{name}.yaml", entry.read_text("utf-8")


def _texts(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _texts(each, f"{prefix}{each.name}/")
        else:
            yield f"{prefix}{each.name}", each.read_text("utf-8")


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
