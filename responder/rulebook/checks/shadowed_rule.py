"""Rules above the rule match every alert that it matches, so it never decides.

The first rule that matches decides. The check compares the sets of alerts that matchers describe, not their text, and
skips regexes that it cannot analyze. It is limited to 20 seconds and 300,000 pairs of rules: a warning names the first
rule that was not compared.

Bad:

    rules:
      - id: all-of-kubernetes
        match: alertname=~"Kube.*"
        severity: P3
        first_step: Look.
        channels: [slack]
      - id: crash-loop
        match: alertname="KubePodCrashLooping", namespace!=""
        severity: P3
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: crash-loop
        match: alertname="KubePodCrashLooping", namespace!=""
        severity: P3
        first_step: Look.
        channels: [slack]
      - id: all-of-kubernetes
        match: alertname=~"Kube.*"
        severity: P3
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.model.text import number_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import analyzed


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield rules that are completely shadowed, and the first rule that was not compared."""
    analysis = analyzed(rule_files, around)
    if analysis.skipped:
        entry = rule_files.rules[analysis.skipped[0]]
        rules = number_of(len(analysis.skipped), "rule")
        said = f"time limit reached: {rules} from '{entry.name}' on not compared with the rules above"
        hint = "simplify the regexes above; repetitions such as {20} after .* take longest"
        yield Problem(entry.at("id"), "shadowed-rule", said, hint, Level.WARNING)
    for each in analysis.shadowings:
        if not each.whole:
            continue
        entry = rule_files.rules[each.number]
        above = [rule_files.rules[number] for number in dict.fromkeys(each.by.values())]
        names = ", ".join(f"'{rule.name}'" for rule in above[:3]) + (" and others" if len(above) > 3 else "")
        said = (
            f"'{entry.name}' never decides: {names} above it {'matches' if len(above) == 1 else 'match'} all its alerts"
        )
        hint = f"move it above {above[0].at('id')}, narrow that rule, or remove this one"
        yield Problem(entry.at("id"), "shadowed-rule", said, hint)
