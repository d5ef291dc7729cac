"""doctor's reading of Alertmanager's configuration, and its deadline for hanging checks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from responder.bootstrap import SystemClock
from responder.cli.doctor import checks, doctor
from responder.cli.doctor.channels import acting_groups, clocks
from responder.cli.doctor.channels import checks as channel_checks
from responder.cli.doctor.context import DoctorContext, run
from responder.cli.doctor.monitoring import silences
from responder.cli.doctor.own import settings, version_of
from responder.cli.doctor.receiver import check_config, matching_routes, route
from responder.model.check import Level, Result, ok
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.rule import ExpectedHeartbeat
from responder.model.secret import Secret
from responder.model.team import Team
from responder.notify.channels import CHANNELS
from responder.outgoing import Outgoing
from responder.rulebook.yaml.reader import read
from responder.settings import Settings
from responder.settings import read as read_settings
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.server import healthy, reset, status
from responder.standins.slack import SlackStandIn
from tests.conftest import HandClock
from tests.support.builders import NOW, a_rule
from tests.support.platform import a_book

ROOT = Path(__file__).parents[3]
PROD = ExpectedHeartbeat(cluster="prod", max_gap=600.0, rule=a_rule())
GIVEN = Settings()
GOOD = """\
route:
  receiver: responder
  group_by: [alertname, cluster]
  group_interval: 1m
  routes:
  - receiver: responder
    matchers: ['alertname="Watchdog"']
    repeat_interval: 1m
receivers:
- name: responder
  webhook_configs:
  - send_resolved: true
    http_config: {authorization: {type: Bearer, credentials: <secret>}}
    url: http://responder:8080/webhook/alertmanager/prod
    max_alerts: 0
- name: elsewhere
  webhook_configs:
  - url: http://elsewhere/hook
"""


def judged(text: str, *expected: ExpectedHeartbeat, given: Settings = GIVEN) -> list[tuple[Level, str]]:
    """Level and finding of each result for a configuration."""
    data: Any = read("alertmanager", text.encode()).data
    results = check_config(data, expected or (PROD,), given)
    return [(each.level, each.what) for each in results]


@pytest.mark.parametrize(
    ("group_by", "matchers", "warned"),
    [
        ("[alertname, cluster]", "", True),
        ("[alertname, team]", "", False),
        ("[alertname, label_teamname]", "", False),
        ("['...']", "", False),
        ("[alertname]", 'team=~"a|b"', True),
        ("[alertname]", 'team="a"', False),
    ],
)
def test_alerts_of_several_teams_in_one_group_are_reported(group_by: str, matchers: str, warned: bool) -> None:
    """A route that mixes teams in one incident gives advice with the label to group by."""
    own = f"  routes:\n  - receiver: responder\n    group_by: {group_by}\n    matchers: ['{matchers}']\n"
    text = GOOD.replace("  group_by: [alertname, cluster]\n", f"  group_by: {group_by}\n")
    text = text.replace("  routes:\n", own, 1) if matchers else text
    data: Any = read("alertmanager", text.encode()).data
    results = check_config(data, (PROD,), GIVEN, [("team", "label_teamname")])
    said = [each for each in results if "names the team" in each.what]
    if matchers:
        said = said[1:]  # the root route groups by no team either way
    assert [each.change.startswith("add team to its group_by") for each in said] == [True] * warned


def test_a_configuration_that_suits_us_is_fine() -> None:
    """A correct configuration gives no advice."""
    assert judged(GOOD) == [(Level.OK, "sends to responder through responder")]
    assert judged(GOOD.replace("alertmanager/prod\n", "alertmanager/prod/\n")) == judged(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "level", "said"),
    [
        ("/webhook/alertmanager/prod", "/other", Level.BAD, "no receiver sends to"),
        ("receiver: responder", "receiver: elsewhere", Level.BAD, "no route uses responder's receiver"),
        ("send_resolved: true", "send_resolved: false", Level.BAD, "has send_resolved: false"),
        ("max_alerts: 0", "max_alerts: 10", Level.WARN, "sends at most 10 alerts"),
        ("http_config: {authorization: {type: Bearer, credentials: <secret>}}", "", Level.BAD, "no credentials"),
        ("[alertname, cluster]", "['...']", Level.WARN, "one incident per alert"),
        ("group_interval: 1m", "group_interval: 1h", Level.WARN, "group_interval of 60 min"),
        ("group_interval: 1m", "repeat_interval: 2d", Level.WARN, "repeat_interval of 48 h"),
        ("    repeat_interval: 1m\n", "", Level.BAD, "the Watchdog arrives every 240 min"),
        (
            "  - receiver: responder\n    matchers: ['alertname=\"Watchdog\"']",
            "  - receiver: elsewhere\n    matchers: ['alertname=\"Watchdog\"']",
            Level.BAD,
            "the Watchdog is not routed to responder",
        ),
        (
            "  receiver: responder\n  group_by",
            "  receiver: elsewhere\n  group_by",
            Level.WARN,
            "do not reach responder",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_slip_is_found(old: str, new: str, level: Level, said: str) -> None:
    """Settings that keep alerts from responder are reported."""
    text = GOOD.replace("receiver: responder", new) if old == "receiver: responder" else GOOD.replace(old, new, 1)
    assert text != GOOD
    found = judged(text)
    assert [each for each in found if each[0] is level and said in each[1]], found


@pytest.mark.parametrize(
    ("interval", "group_interval", "grace", "said"),
    [
        ("5m", 300, 600, ""),
        ("10m", 600, 900, ""),
        ("8m", 300, 600, "has a group_interval of 480 s, but RESPONDER_GROUP_INTERVAL is 300"),
        ("1m", 900, 1200, "the longest group_interval is 60 s, but RESPONDER_GROUP_INTERVAL is 900"),
        ("10m", 600, 600, "has a group_interval of 600 s, but RESPONDER_RECONCILE_GRACE is 600"),
    ],
)
def test_what_we_wait_for_a_peer_suits_its_routes(interval: str, group_interval: int, grace: int, said: str) -> None:
    """A wait that is too short believes a lagging peer and pages once more; one that is too long is late."""
    given = Settings(group_interval=group_interval, reconcile_grace=grace)
    text = GOOD.replace("group_interval: 1m", f"group_interval: {interval}", 1)
    text = text.replace("    repeat_interval: 1m", "    repeat_interval: 1m\n    group_interval: 1m")
    found = judged(text, given=given)
    assert [level for level, _what in found] == [Level.WARN if said else Level.OK]
    assert said in found[0][1]


def test_a_hidden_address_is_known_by_the_name_of_its_receiver() -> None:
    """Newer Alertmanagers hide the address of a webhook."""
    assert judged(GOOD.replace("http://responder:8080/webhook/alertmanager/prod", "<secret>")) == [
        (Level.OK, "sends to responder through responder")
    ]


def test_a_watchdog_that_nobody_expects_is_a_slip() -> None:
    """The dead man's switch is of use only where it is switched on."""
    data: Any = read("alertmanager", GOOD.encode()).data
    [found] = check_config(data, (), GIVEN)
    assert (found.level, found.what) == (
        Level.WARN,
        "the Watchdog is routed to responder, but no heartbeat is configured",
    )


def test_routes_are_followed_as_alertmanager_follows_them() -> None:
    """The first child that matches takes the alert, unless it goes on; older forms of matchers are read too."""
    text = """
receiver: root
routes:
- {receiver: first, match: {a: b}, continue: true}
- {receiver: second, match_re: {a: "b|c"}, routes: [{receiver: deep, matchers: ['x="y"']}]}
- {receiver: third, matchers: ['a=~".+"']}
"""
    data: Mapping[str, Any] = read("route", text.encode()).data
    root = route(data)

    def taken(**labels: str) -> list[str]:
        return [each.receiver for each in matching_routes(root, labels)]

    assert taken(a="b") == ["first", "second"]
    assert taken(a="c", x="y") == ["deep"]
    assert taken(a="d") == ["third"]
    assert taken(z="d") == ["root"]


class Wire:
    """Answers every request with one date."""

    def __init__(self, date: str) -> None:
        self._date = date

    def send(self, _request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """200 with the date."""
        return Response(200, b"", {"date": self._date})

    query = send


def a_patient(wire: object, clock: HandClock | None = None) -> DoctorContext:
    """Settings with a Prometheus and nothing else."""
    return DoctorContext(
        settings=Settings(prometheus_url="http://prometheus:9090"),
        environment={},
        book=None,
        outgoing=wire,  # type: ignore[arg-type]
        mailer=wire,  # type: ignore[arg-type]
        clock=clock or HandClock(),
        deadline=Deadline(1.0),
        send=False,
    )


@pytest.mark.parametrize(("away", "level"), [(0, Level.OK), (5, Level.OK), (30, Level.WARN), (-90, Level.BAD)])
def test_a_clock_that_is_wrong_is_noticed(away: int, level: Level) -> None:
    """A clock that is wrong makes silences, budgets and grace periods wrong."""
    theirs = (NOW + timedelta(seconds=away)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    [found] = clocks(a_patient(Wire(theirs)))
    assert found.level is level, found


def test_a_check_that_hangs_is_left_behind() -> None:
    """One unresponsive server does not hide the other findings."""
    held = threading.Event()

    def hang(_patient: DoctorContext) -> tuple[Result, ...]:
        held.wait(30)
        return ()

    clock = SystemClock()
    doctor_context = DoctorContext(
        settings=Settings(),
        environment={},
        book=None,
        outgoing=Wire(""),  # type: ignore[arg-type]
        mailer=Wire(""),  # type: ignore[arg-type]
        clock=clock,
        deadline=Deadline(clock.monotonic() + 0.05),
        send=False,
    )
    first, second = run({"slow": hang, "quick": lambda _patient: (ok("quick", "well"),)}, doctor_context)
    held.set()
    assert (first.about, first.level) == ("slow", Level.BAD)
    assert (second.about, second.level) == ("quick", Level.OK)


@pytest.mark.parametrize(
    ("fault", "level", "said"),
    [
        (healthy, Level.OK, "takes silences"),
        (lambda _call: status(403), Level.WARN, "people cannot silence incidents"),
        (lambda _call: status(405), Level.WARN, "HTTP 405"),
        (lambda _call: status(200, b"<html>"), Level.WARN, "not checked if it takes silences: HTTP 200"),
        (lambda _call: reset(), Level.WARN, "not checked if it takes silences"),
    ],
)
def test_the_right_to_silence_is_checked_without_a_silence(fault: Any, level: Level, said: str) -> None:
    """Alertmanager refuses the silence of the check, so that none is created; what cannot be checked says so."""
    clock = SystemClock()
    with closing(Outgoing(clock)) as outgoing, AlertmanagerStandIn() as server:
        context = replace(a_patient(outgoing), clock=clock, deadline=Deadline(clock.monotonic() + 5))
        server.manner = fault
        found = silences(context, server.url)
        assert not server.silences
    assert found.level is level
    assert said in found.what


def test_every_check_is_described_in_the_guide() -> None:
    """The guide lists every check, in the order in which doctor prints them."""
    guide = (
        (ROOT / "docs" / "guides" / "operating.md")
        .read_text()
        .partition("## Checking the installation")[2]
        .partition("\n## ")[0]
    )
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == [name for name in checks() if name not in CHANNELS]


@pytest.mark.parametrize(
    ("answer", "headers", "level", "said"),
    [
        (
            {"ok": True, "user": "responder", "team": "shop"},
            {},
            Level.OK,
            "as responder (workspace shop)",
        ),
        ({"ok": False, "error": "invalid_auth"}, {}, Level.BAD, "refuses the token: invalid_auth"),
        ({"ok": True}, {"x-oauth-scopes": "channels:read"}, Level.BAD, "the bot has no scope chat:write"),
    ],
)
def test_a_token_that_slack_does_not_take_is_bad(
    answer: dict[str, object], headers: dict[str, str], level: Level, said: str
) -> None:
    """A revoked token is found without posting anything."""
    asked: list[str] = []

    class Slack:
        def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
            asked.append(request.url)
            return Response(200, json.dumps(answer).encode(), headers)

    given = Settings(of_channels={"slack_bot_token": Secret("xoxb-1")})
    [found] = channel_checks()["slack"](replace(a_patient(Slack()), settings=given))
    assert (found.level, said in found.what) == (level, True), found
    assert asked == ["https://slack.com/api/auth.test"]


@pytest.mark.parametrize(
    ("members", "level", "said"),
    [
        (("U0ANN",), Level.OK, "1 person of S0PAY01 may act for team payments"),
        ((), Level.BAD, "presses for team payments are refused: the user group S0PAY01 has no members"),
        (None, Level.BAD, "the user group S0PAY01 is not listed by Slack: deleted"),
    ],
)
def test_a_user_group_that_is_gone_is_found_before_the_night(
    members: tuple[str, ...] | None, level: Level, said: str
) -> None:
    """A team whose members Slack does not list cannot acknowledge; without such teams nothing is said."""
    team = Team(name="payments", channels=("slack",), acting_group="S0PAY01")
    book = replace(a_book(), teams={"payments": team})
    with SlackStandIn() as slack, closing(Outgoing(SystemClock())) as outgoing:
        slack.groups |= {} if members is None else {"S0PAY01": members}
        given = Settings(of_channels={"slack_bot_token": Secret("xoxb-1"), "slack_api_url": slack.url})
        patient = replace(a_patient(outgoing), settings=given, book=book, clock=SystemClock())
        [found] = acting_groups(patient)
        assert (found.level, said in found.what) == (level, True), found
        assert acting_groups(replace(patient, book=replace(book, teams={}))) == ()


def test_a_secret_that_others_can_read_is_told(tmp_path: Path) -> None:
    """A key in a file for everybody is no secret."""
    path = tmp_path / "key"
    path.write_text("k")
    path.chmod(0o644)
    doctor_context = replace(a_patient(Wire("")), environment={"RESPONDER_SLACK_BOT_TOKEN_FILE": str(path)})
    assert [each.what for each in settings(doctor_context) if "RESPONDER_SLACK_BOT_TOKEN_FILE" in each.what] == [
        "the file of RESPONDER_SLACK_BOT_TOKEN_FILE is world-readable"
    ]
    path.chmod(0o600)
    assert not [each for each in settings(doctor_context) if "SLACK_BOT_TOKEN_FILE" in each.what]


def test_secrets_in_a_file_of_settings_that_others_can_read_are_named(tmp_path: Path) -> None:
    """The file of settings is like that of a secret as soon as one stands in it."""
    path = tmp_path / "responder.yaml"
    path.write_text("slack_bot_token: xoxb-1\n")
    for mode, expected in ((0o644, [f"{path}, which has slack_bot_token, is world-readable"]), (0o600, [])):
        path.chmod(mode)
        doctor_context = replace(a_patient(Wire("")), settings=read_settings({"RESPONDER_CONFIG": str(path)}))
        assert [each.what for each in settings(doctor_context) if str(path) in each.what] == expected


@pytest.mark.parametrize(
    ("version", "sqlite", "level"),
    [
        ("3.46.1", True, Level.WARN),
        ("3.51.3", True, Level.OK),
        ("15.6 (Debian 15.6-0+deb12u1)", False, Level.OK),
        ("14.11", False, Level.BAD),
        ("9.6.24", False, Level.BAD),
    ],
)
def test_versions_with_known_faults_are_told(version: str, sqlite: bool, level: Level) -> None:
    """A database that can lose a page after a crash is said to be one."""
    assert version_of(version, sqlite=sqlite).level is level


def test_a_wrong_option_is_a_misuse() -> None:
    """Scripts can distinguish a wrong command line from a finding."""
    assert CliRunner().invoke(doctor, ["--sned"]).exit_code == 2
