"""Channels and teams in rule files: what is accepted, what is refused, and which of them an alert reaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from responder import bootstrap
from responder.engine.effects import on_notification
from responder.engine.effects.context import DecisionContext, History
from responder.model.alert import AlertGroup
from responder.model.delivery import Notification
from responder.model.incident import Decision
from responder.model.problem import InvalidRules
from responder.model.secret import Secret
from responder.settings import Settings
from responder.triage.decide import decide
from tests.support.builders import NOW, a_group, an_alert

HEAD = """\
platform: {environment: prod, namespace: shop}
severities:
  P1: {meaning: m, response: r, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
    page_budget: 8s, next_update: 1h}
services:
  till: {health: "http://till/health", owner: payments, impact: No sales.}
  shelf: {health: "http://shelf/health", owner: Some Team, impact: No goods.}
"""
TEAMS = """\
channels:
  payments-pager: {kind: pagerduty, routing_key: {secret: payments-pagerduty}, region: eu}
  payments-slack: {kind: slack, channel: "#payments-incidents"}
  payments-hook: {kind: slack_webhook, url: {secret: hook}}
  search-pager: {kind: pagerduty, routing_key: {secret: search-pagerduty}, url: "https://events.example.com"}
teams:
  payments:
    channels: [payments-pager, payments-slack]
    fallback: [search-pager, pagerduty_fallback]
    oncall_group: S0123ABCD
    contacts: [{role: Payments Lead, contact: "@pay", hours: 24/7}]
    escalation: [Payments Lead]
  search: {channels: [search-pager]}
  platform: {channels: [pagerduty, slack]}
"""
RULES = """\
rules:
  - {id: fixed, match: alertname="Fixed", severity: P1, first_step: Look., team: search}
  - {id: own, match: alertname="Own", severity: P1, first_step: Look., channels: [slack], team: search}
  - id: mapped
    match: alertname="Mapped"
    severity: P1
    first_step: Look.
    team: {from: [team, label_teamname], map: {pay: payments}, otherwise: platform}
  - {id: unknown, match: [], severity: P1, first_step: Look.}
"""
DEFAULT = "defaults: {channels: [slack]}\n"
KEY = "k" * 32


def loaded(folder: Path, text: str) -> DecisionContext:
    """The context of these rule files, with every channel configured."""
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(text)
    book = bootstrap.load_rules(str(folder), str(folder))
    return bootstrap.context(Settings(), book, bootstrap.shown_channels(Settings(), book))


def judged(context: DecisionContext, group: AlertGroup) -> Decision:
    """The decision about a new group."""
    return decide(group, context.book, context.matching, None, 1, NOW)


def decided(tmp_path: Path, text: str, **labels: str) -> Decision:
    """The decision about one alert with these labels."""
    alert = an_alert(labels={"alertname": "Other", **labels})
    return judged(loaded(tmp_path / "rules", text), a_group(alert))


@pytest.mark.parametrize(
    ("labels", "channels", "reason"),
    [
        ({"alertname": "Fixed"}, ("search-pager",), "the rule's team"),
        ({"alertname": "Own"}, ("slack",), "the rule's channels"),
        ({"alertname": "Mapped", "team": "pay"}, ("payments-pager", "payments-slack"), 'the rule\'s team, team="pay"'),
        ({"alertname": "Mapped", "team": "search"}, ("search-pager",), 'the rule\'s team, team="search"'),
        (
            {"alertname": "Mapped", "label_teamname": "pay"},
            ("payments-pager", "payments-slack"),
            'label_teamname="pay"',
        ),
        (
            {"alertname": "Mapped", "team": "x", "label_teamname": "search"},
            ("search-pager",),
            'label_teamname="search"',
        ),
        ({"alertname": "Mapped", "team": "x"}, ("pagerduty", "slack"), 'otherwise: team="x" names no team'),
        ({"alertname": "Mapped"}, ("pagerduty", "slack"), "otherwise: no label team or label_teamname"),
        ({"service": "till"}, ("payments-pager", "payments-slack"), "the owner of the service till"),
        ({"service": "shelf"}, ("slack",), "the file's default"),
    ],
)
def test_the_first_source_that_names_a_team_decides(
    tmp_path: Path, labels: dict[str, str], channels: tuple[str, ...], reason: str
) -> None:
    """The order is: the rule's channels, its team, the owner of the service, the file's default; the reason says so."""
    found = decided(tmp_path, HEAD + TEAMS + DEFAULT + RULES, **labels)
    assert found.route.channels == channels
    assert reason in found.route.reason
    assert not found.route.teams or f"team {found.route.teams[0]} by " in found.reason


def test_the_defaults_of_file_and_installation_come_last(tmp_path: Path) -> None:
    """The file's default goes before the installation's, and each may read the team from a label."""
    platform = HEAD.replace("namespace: shop}", "namespace: shop, team: platform}")
    found = decided(tmp_path, platform + TEAMS + RULES)
    assert (found.route.teams, found.route.reason) == (("platform",), "the installation's default")
    file = "defaults: {team: {from: team, otherwise: search}}\n"
    found = decided(tmp_path, platform + TEAMS + file + RULES, team="payments")
    assert (found.route.teams, found.route.reason) == (("payments",), 'the file\'s default, team="payments"')
    channels = HEAD.replace("namespace: shop}", "namespace: shop, channels: [slack]}")
    found = decided(tmp_path, channels + TEAMS + RULES)
    assert (found.route.channels, found.route.reason) == (("slack",), "the installation's default")


@pytest.mark.parametrize("value", ["slack", "payments-slack", "#random", "https://evil.example.com", "P" * 900, "\n"])
def test_nothing_in_an_alert_becomes_a_channel(tmp_path: Path, value: str) -> None:
    """A label that is the name of a channel, an address or anything but a team gives `otherwise` and is counted."""
    found = decided(tmp_path, HEAD + TEAMS + DEFAULT + RULES, alertname="Mapped", team=value)
    assert found.route.channels == ("pagerduty", "slack")
    assert bool(found.route.unknown) == bool(value.strip())


def test_a_group_of_several_teams_notifies_each_and_says_so(tmp_path: Path) -> None:
    """Alerts of two teams in one group reach both, and the page names both."""
    context = loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES)
    alerts = [an_alert(labels={"alertname": "Mapped", "team": team}) for team in ("pay", "search")]
    group = a_group(*alerts)
    found = judged(context, group)
    assert found.route.teams == ("payments", "search")
    assert found.route.channels == ("payments-pager", "payments-slack", "search-pager")
    effects = on_notification.effects_of(found, group, _delivery(), History(), context)
    assert {message.channel for message in effects.messages} == set(found.route.channels)
    assert effects.content is not None
    assert "belong to 2 teams; each is notified: payments, search" in effects.content.decision.note
    assert effects.content.decision.escalation == "Payments Lead (@pay)"


def test_a_team_that_joins_an_open_incident_is_paged(tmp_path: Path) -> None:
    """An alert of another team in a later notification pages that team, and nobody else again."""
    context = loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES)
    first = a_group(an_alert(labels={"alertname": "Mapped", "team": "pay"}, fingerprint="a"))
    opened = on_notification.effects_of(judged(context, first), first, _delivery(), History(), context)
    both = a_group(*first.alerts, an_alert(labels={"alertname": "Mapped", "team": "search"}, fingerprint="b"))
    decision = decide(both, context.book, context.matching, opened.incident, 2, NOW)
    later = on_notification.effects_of(decision, both, _delivery(2), History(opened.incident, opened.content), context)
    assert {each.channel for each in later.messages if each.kind.value == "start"} == {"search-pager"}
    assert later.incident is not None
    assert later.incident.channels == ("payments-pager", "payments-slack", "search-pager")


def _delivery(number: int = 1) -> Notification:
    return Notification(id=number, received_at=NOW, body=b"{}")


BAD = [
    ("payments-pager:", "pagerduty:", "bad-channel", "pagerduty: {"),
    ("payments-pager:", "Payments:", "bad-value", "Payments: {"),
    ("kind: slack,", "kind: slak,", "bad-channel", "slak"),
    ("routing_key: {secret: payments-pagerduty}", f"routing_key: {KEY}", "bad-channel", KEY),
    ("routing_key: {secret: payments-pagerduty}", "routing_key: {secret: ../x}", "bad-channel", "{secret: ../x}"),
    ("routing_key: {secret: payments-pagerduty}, ", "", "bad-channel", "payments-pager: {"),
    ("region: eu", "regionn: eu", "unknown-key", "regionn"),
    ("region: eu", "region: asia", "bad-channel", "asia"),
    ("region: eu", "region: eu, url: 'https://x'", "bad-channel", "eu, url"),
    ('url: "https://events.example.com"', "url: events.example.com", "bad-channel", "events.example.com"),
    ('channel: "#payments-incidents"', "channel: 5", "bad-channel", "5}"),
    ('channel: "#payments-incidents"', "channel: x, messages_per_minute: 0", "bad-channel", "0}"),
    ("fallback: [search-pager,", "fallback: [searcc-pager,", "unknown-channel", "searcc-pager"),
    ("fallback: [search-pager,", "fallback: [log,", "unknown-channel", "log,"),
    ("channels: [search-pager]", "channels: [smtp]", "unknown-channel", "smtp]"),
    ("channels: [search-pager]", "channels: []", "bad-value", "[]"),
    ("team: search}", "team: searcc}", "unknown-team", "searcc}"),
    ("map: {pay: payments}", "map: {pay: paymets}", "unknown-team", "paymets"),
    ("otherwise: platform", "otherwise: plat", "unknown-team", "plat}"),
    ("escalation: [Payments Lead]", "escalation: [Lead]", "bad-team", "Lead]"),
    ("oncall_group: S0123ABCD", "oncall_group: oncall", "bad-team", "oncall\n"),
    ("oncall_group: S0123ABCD", "acting_group: oncall", "bad-team", "oncall\n"),
    ("channels: [search-pager]", "channels: [search-pager], oncall_group: S0123ABCD", "bad-team", "S0123ABCD}"),
    ("channels: [slack]}\n", "channels: [slack], team: search}\n", "bad-value", "{channels: [slack]"),
    (DEFAULT, "", "unknown-channel", "unknown, match: []"),
]


@pytest.mark.parametrize(("old", "new", "code", "at"), BAD)
def test_a_mistake_in_channels_and_teams_is_found_at_its_place(
    tmp_path: Path, old: str, new: str, code: str, at: str
) -> None:
    """Each mistake has a code and the place of the wrong text; a secret in a file is one of them."""
    good = HEAD + TEAMS + DEFAULT + RULES
    assert old in good
    text = good.replace(old, new, 1)
    with pytest.raises(InvalidRules) as refused:
        loaded(tmp_path / "rules", text)
    [problem] = [each for each in refused.value.problems if each.code == code]
    line = text.splitlines()[problem.position.line - 1] + "\n"
    assert line[problem.position.column - 1 :].lstrip("'\"").startswith(at), (problem, line)
    assert KEY not in str(problem)


SOURCE = "{from: [team, label_teamname], map: {pay: payments}, otherwise: platform}"


@pytest.mark.parametrize(
    ("team", "unused"),
    [
        (SOURCE, {"payments-hook"}),
        ("platform", {"payments-hook"}),
        ("payments", {"payments-hook", "platform"}),
    ],
)
def test_channels_and_teams_that_nothing_names_are_reported(tmp_path: Path, team: str, unused: set[str]) -> None:
    """`rules check` reports channels and teams that nothing uses; a label may name any team, and an owner is a use."""
    loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES.replace(SOURCE, team))
    found = bootstrap.examine_rules(str(tmp_path / "rules"), str(tmp_path)).problems
    named = {each.message.split("'")[1] for each in found if each.code in {"unused-channel", "unused-team"}}
    assert named == unused


def test_channels_take_secrets_from_files_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is read from its file or its variable; everything else is that of the settings."""
    context = loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "payments-pagerduty").write_text(f"{KEY}\n")
    (secrets / "hook").write_text("https://hooks.example.com/x")
    monkeypatch.setenv("RESPONDER_SECRET_SEARCH_PAGERDUTY", "s" * 32)
    settings = Settings(secrets_dir=str(secrets), of_channels={"slack_bot_token": Secret("xoxb-1")})
    channels: dict[str, Any] = dict(bootstrap.named_channels(settings, context.book))
    pager, slack, hook = (channels[name] for name in ("payments-pager", "payments-slack", "payments-hook"))
    assert (pager.name, pager.routing_key.reveal(), pager.base_url) == (
        "payments-pager",
        KEY,
        "https://events.eu.pagerduty.com",
    )
    assert (slack.token.reveal(), slack.channel, slack.group) == ("xoxb-1", "#payments-incidents", "S0123ABCD")
    assert (hook.url.reveal(), hook.secrets) == (
        "https://hooks.example.com/x",
        (Secret("https://hooks.example.com/x"),),
    )
    assert channels["search-pager"].base_url == "https://events.example.com"


def test_all_missing_secrets_are_named_at_once(tmp_path: Path) -> None:
    """Without its secret or setting no channel is built, and each is named with the place to put it."""
    context = loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES)
    with pytest.raises(InvalidRules) as refused:
        bootstrap.named_channels(Settings(secrets_dir=str(tmp_path)), context.book)
    said = "\n".join(map(str, refused.value.problems))
    assert said.count("error[missing-secret]") == 4
    assert "channel 'payments-pager' has no secret payments-pagerduty" in said
    assert f"write it into {tmp_path}/search-pagerduty or RESPONDER_SECRET_SEARCH_PAGERDUTY" in said
    assert "channel 'payments-slack' is not complete (set RESPONDER_SLACK_BOT_TOKEN)" in said


def test_a_channel_without_its_secret_is_the_only_one_left_out(tmp_path: Path) -> None:
    """Channels of the other teams are complete, for a start with the last valid revision."""
    context = loaded(tmp_path / "rules", HEAD + TEAMS + DEFAULT + RULES)
    (tmp_path / "search-pagerduty").write_text("s" * 32)
    settings = Settings(secrets_dir=str(tmp_path), of_channels={"slack_bot_token": Secret("xoxb-1")})
    channels, problems = bootstrap.find_named_channels(settings, context.book)
    assert (set(channels), set(problems)) == ({"payments-slack", "search-pager"}, {"payments-pager", "payments-hook"})


def test_the_schema_of_rule_files_knows_the_keys_of_each_kind() -> None:
    """Editors complete the keys of a channel by its kind, and mark a secret that is written as text."""
    schema = json.loads((Path(__file__).parents[3] / "rules" / "schema.json").read_text())
    assert {"channels", "teams"} <= schema["properties"].keys()
    kinds = {
        each["if"]["properties"]["kind"]["const"]: each["then"] for each in schema["$defs"]["ChannelShape"]["allOf"]
    }
    pager = kinds["pagerduty"]
    assert pager["required"] == ["kind", "routing_key"]
    assert pager["properties"]["routing_key"]["required"] == ["secret"]
    assert {"region", "url"} <= pager["properties"].keys()
