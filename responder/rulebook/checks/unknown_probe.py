"""A rule, pack or `defaults` names an unknown probe or pack.

Any file may define probes in `probes` and packs in `packs`. A pack may contain only probes.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [helth], channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [health], channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.rule_schema import RuleShape
from responder.rulebook.schema import Defaults
from responder.rulebook.yaml.builder import Path


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of probes and packs that no file defines."""
    suggest = Suggestions()
    names = rule_files.names("probes")
    known = names | rule_files.names("packs")
    if {"probes", "packs"} & rule_files.invalid.get("parts", set()):
        return
    for rule in rule_files.paging_rules:
        yield from _missing(rule, ("probes",), rule.value.probes or [], known, suggest)
        yield from _missing(rule, ("more_probes",), rule.value.more_probes, known, suggest)
    for defaults in rule_files.defaults:
        yield from _missing(defaults, ("probes",), defaults.value.probes, known, suggest)
        yield from _missing(defaults, ("baseline",), defaults.value.baseline, known, suggest)
    for pack in rule_files.packs:
        yield from _missing(pack, (), pack.value, names, suggest)


def _missing(
    entry: Entry[RuleShape] | Entry[Defaults] | Entry[list[str]],
    path: Path,
    wanted: list[str],
    known: set[str],
    suggest: Suggestions,
) -> Iterator[Problem]:
    for number, name in enumerate(wanted):
        if name not in known:
            said = f"unknown probe '{name}'" if not path else f"unknown probe or pack '{name}'"
            yield Problem(entry.at(*path, number), "unknown-probe", said, suggest(name, known))
