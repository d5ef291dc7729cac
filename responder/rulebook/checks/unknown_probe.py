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
from responder.rulebook.references import PROBES, unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of probes and packs that no file defines."""
    both = rule_files.known("probes", "packs")
    yield from unknown(rule_files, "unknown-probe", "unknown probe or pack", PROBES, both)
    yield from unknown(
        rule_files, "unknown-probe", "unknown probe", {"packs": ["*"]}, both and rule_files.known("probes")
    )
