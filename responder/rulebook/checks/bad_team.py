"""The escalation of a team names an unknown role, its on-call group has no Slack channel, or a group is no id.

The group is mentioned by those channels of the team that a rule file declares and that support `oncall_group`.

Bad:

    teams:
      payments: {channels: [pagerduty], oncall_group: S0123ABCD}

Good:

    channels:
      payments-slack: {kind: slack, channel: "#payments"}
    teams:
      payments: {channels: [pagerduty, payments-slack], oncall_group: S0123ABCD}
    defaults: {team: payments}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_GROUP = "oncall_group"


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield roles without a contact, and groups that no channel mentions or that two teams set differently."""
    suggest = Suggestions()
    contacts = rule_files.names("contacts")
    channels = {entry.name: entry.value for entry in rule_files.channels}
    for entry in rule_files.teams:
        roles = contacts | {contact.role for contact in entry.value.contacts}
        for number, role in enumerate(entry.value.escalation):
            if role not in roles:
                said = f"no contact has the role '{role}'"
                yield Problem(entry.at("escalation", number), "bad-team", said, suggest(role, roles))
        if (acting := entry.value.acting_group) is not None:
            # A group is an id of the vendor whose channels mention groups: they say what is wrong with it.
            able_kinds = (kind for kind in around.channel_kinds.values() if "oncall_group" in kind.keys)
            found = {
                said for kind in able_kinds for key, said in kind.problems({"oncall_group": acting}) if key == _GROUP
            }
            for said in sorted(found):
                yield Problem(entry.at("acting_group"), "bad-team", said.replace(_GROUP, "acting_group", 1))
        group = entry.value.oncall_group
        if group is None:
            continue
        able = []
        for name in (*entry.value.channels, *entry.value.fallback):
            kind = around.channel_kinds.get(channels[name].kind) if name in channels else None
            if kind is None or "oncall_group" not in kind.keys:
                continue
            able.append(name)
            for _key, said in kind.problems({"oncall_group": group}):
                if "oncall_group" in said:
                    yield Problem(entry.at("oncall_group"), "bad-team", said)
        if not able:
            said = f"no channel mentions the group: no Slack channel of team '{entry.name}' is declared in a rule file"
            hint = "add a channel of kind slack, or set RESPONDER_SLACK_ONCALL_GROUP for the channel slack"
            yield Problem(entry.at("oncall_group"), "bad-team", said, hint)
