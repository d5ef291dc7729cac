"""The name, kind or a key of a channel is not valid.

Secrets are not allowed in rule files: `{secret: NAME}` refers to the file NAME in RESPONDER_SECRETS_DIR or to the
variable RESPONDER_SECRET_NAME.

Bad:

    channels:
      payments-pager: {kind: pagerduty, routing_key: 0123456789abcdef0123456789abcdef}

Good:

    channels:
      payments-pager: {kind: pagerduty, routing_key: {secret: payments-pagerduty}}
    defaults: {channels: [payments-pager, slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield names that channels of the settings have, unknown kinds and keys, and invalid values."""
    suggest = Suggestions()
    for entry in rule_files.channels:
        if entry.name in around.built_in_channels:
            said = f"'{entry.name}' is a channel of the settings"
            yield Problem(entry.key(), "bad-channel", said, "use another name")
        kind = around.channel_kinds.get(entry.value.kind)
        if kind is None:
            said = f"unknown channel kind '{entry.value.kind}'"
            yield Problem(entry.at("kind"), "bad-channel", said, suggest(entry.value.kind, around.channel_kinds))
            continue
        given = dict(entry.value.model_extra or {})
        for key in [key for key in given if key not in kind.keys]:
            said = f"unknown key '{key}' for the kind {entry.value.kind}"
            yield Problem(entry.key(key), "unknown-key", said, suggest(key, {"kind", *kind.keys}))
            del given[key]
        for key, said in kind.problems(given):
            yield Problem(entry.at(key) if key else entry.key(), "bad-channel", said)
