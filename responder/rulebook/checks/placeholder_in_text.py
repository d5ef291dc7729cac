"""`symptom`, `first_step` or `note` has a placeholder such as `${pod}`: these texts are shown as they are.

Placeholders work in probes and in the URL of a runbook. A page names the subject, the labels and the members of the
group beside these texts.

Bad:

    rules:
      - {id: down, match: alertname="X", severity: P3, symptom: "${pod} is down", first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: alertname="X", severity: P3, symptom: is down, first_step: Look., channels: [slack]}
"""

import re
from collections.abc import Iterator

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences

#: Placeholders of rule files, and templates of Prometheus, Alertmanager and Grafana.
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\{\{.*?\}\}|\$labels\.\w+|\$value\b")


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield each text of a rule with a placeholder, at the placeholder."""
    for entry in rule_files.paging_rules:
        for key in ("symptom", "first_step", "note", "reason"):
            if found := _PLACEHOLDER.search(getattr(entry.value, key, "")):
                start = entry.at(key)
                line = entry.document.line(start.line)
                at = line.find(found[0], start.column - 1)
                position = Position(start.path, start.line, at + 1) if at >= 0 else start
                said = f"{key} takes no placeholders: '{found[0]}' would be on the page as it is"
                hint = "write the text without it; the page shows the subject and its labels"
                yield Problem(position, "placeholder-in-text", said, hint)
