"""Two entries of the catalog have an alias in common, or one has the other's name: alerts reach only one of them.

Bad:

    services:
      shop: {health: 'http://shop:8080/health', owner: o, impact: i, aliases: [web]}
      cart: {health: 'http://cart:8080/health', owner: o, impact: i, aliases: [web]}

Good:

    services:
      shop: {health: 'http://shop:8080/health', owner: o, impact: i, aliases: [web]}
      cart: {health: 'http://cart:8080/health', owner: o, impact: i, aliases: [basket]}
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield each alias that is the name or an alias of another entry."""
    owners = {entry.name: entry for entry in rule_files.services}
    for entry in rule_files.services:
        for number, alias in enumerate(entry.value.aliases):
            other = owners.setdefault(alias, entry)
            if other is not entry:
                said = f"'{alias}' also means the service '{other.name}'"
                hint = f"see {other.key()}: keep the alias of one of them"
                yield Problem(entry.at("aliases", number), "shared-alias", said, hint, Level.WARNING)
