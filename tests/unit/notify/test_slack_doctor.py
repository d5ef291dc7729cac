"""Results of `doctor` about the Slack app: its scopes, its app token, and the manifest that is shipped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from responder.bootstrap import SystemClock
from responder.model.check import Level, Result
from responder.model.clock import Deadline
from responder.model.secret import Secret
from responder.notify.channels.slack import SCOPES, Slack
from responder.outgoing import Outgoing
from responder.standins.slack import SlackStandIn

MANIFEST = Path(__file__).parents[3] / "deploy" / "slack" / "manifest.yaml"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A workspace."""
    with SlackStandIn() as found:
        yield found


def checked(slack: SlackStandIn, app_token: str = "", *, interactive: bool = True) -> list[Result]:
    """The results of the check of a bot that may have buttons."""
    clock = SystemClock()
    with contextlib.closing(Outgoing(clock)) as outgoing:
        channel = Slack(Secret("xoxb-1"), "#incidents", slack.url, interactive=interactive, app_token=Secret(app_token))
        return list(channel.check(lambda request: outgoing.send(request, Deadline(clock.monotonic() + 5))))


def test_the_manifest_has_the_scopes_that_doctor_compares() -> None:
    """An app made of the manifest passes the check, in Socket Mode, with the command and buttons."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert manifest["oauth_config"]["scopes"]["bot"] == [*SCOPES, "channels:manage", "channels:read"]
    assert manifest["features"]["slash_commands"][0]["command"] == "/responder"
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["socket_mode_enabled"] is True


def test_missing_scopes_are_named(slack: SlackStandIn) -> None:
    """Scopes added after the installation need another one, and posting works without them."""
    slack.scopes = ("chat:write", "commands")
    found = [each for each in checked(slack, slack.app_token) if each.level is Level.WARN]
    assert [each.what for each in found] == [
        "the bot lacks scopes of deploy/slack/manifest.yaml: chat:write.public, usergroups:read"
    ]
    assert not [each for each in checked(slack, interactive=False) if each.level is not Level.OK]


@pytest.mark.parametrize(("token", "level"), [("", Level.OK), ("xapp-wrong", Level.BAD), ("xoxb-1", Level.BAD)])
def test_a_wrong_app_token_is_bad(slack: SlackStandIn, token: str, level: Level) -> None:
    """Buttons that nothing receives are an error, as is a bot token in place of the app token."""
    [*_, last] = checked(slack, token or slack.app_token)
    assert last.level is level
    assert ("opens Socket Mode" in last.what) is (level is Level.OK)
    assert (token or slack.app_token) not in last.what


def test_without_an_app_token_presses_come_signed(slack: SlackStandIn) -> None:
    """The way that presses take is named."""
    [*_, last] = checked(slack)
    assert "/slack/interactions" in last.what
