"""A rule, team, severity or `defaults` names an unknown channel, or a rule may have no channel.

A rule without `channels` uses those of its team, of its file's `defaults` or of `platform`. Every alert needs at least
one channel.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slak]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.defaults import destinations_of
from responder.rulebook.references import CHANNELS, FALLBACK_CHANNELS, STATUS_PAGES, unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_COMPONENTS = {"services": ["components.keys"]}


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield unknown channels, and rules that may have no channel."""
    known = rule_files.channel_names(around)
    pages = rule_files.status_page_names(around)
    for said, places, some in (
        ("unknown channel", CHANNELS, known),
        ("unknown channel", FALLBACK_CHANNELS, known | set(around.fallback_channels)),
        ("unknown channel", STATUS_PAGES, pages),
        ("unknown status page", _COMPONENTS, pages),
    ):
        yield from unknown(rule_files, "unknown-channel", said, places, some)
    for rule in rule_files.paging_rules:
        if rule.value.action == "notify" and not destinations_of(rule, rule_files).is_complete:
            position = rule.at("channels") if rule.value.channels is not None else rule.at("id")
            said = f"'{rule.name}' may have no channel: no channels, no fixed team and no default"
            yield Problem(position, "unknown-channel", said, f"add channels: [{', '.join(sorted(known))}]")
